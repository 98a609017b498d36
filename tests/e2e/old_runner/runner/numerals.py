"""What a program makes of a question; the baseline that models are compared with."""

import re
import sys

import roman


def convert(text: str) -> str | None:
    """The other way of writing a number: 14 for XIV, and XIV for 14."""
    try:
        return roman.toRoman(int(text)) if text.isdigit() else str(roman.fromRoman(text.upper()))
    except roman.RomanError:
        return None


def answer(question: str) -> str | None:
    found = re.search(r"\b(\d+|[IVXLCDM]+)\b(?=\?)", question)
    return None if found is None else convert(found[1])


def main() -> None:
    for word in sys.argv[1:]:
        print(convert(word) or f"{word} is no number")
