"""Print a task for each number that is given."""

import json
import sys

import roman

for number in map(int, sys.argv[1:]):
    question = f"How do you write {number}?"
    print(json.dumps({"id": f"write-{number}", "question": question, "answer": roman.toRoman(number)}))
