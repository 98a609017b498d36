"""The grader of the embedded service: a normalised exact match.

Another benchmark service grades by its own rules and never calls it.
"""

import re
import unicodedata
from decimal import Decimal
from typing import Any

ARTICLES = {"a", "an", "the"}
EDGES = ".,;:!?\"'`()[]{}*\u2018\u2019\u201c\u201d"
NUMBER = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")


def grade(task: dict[str, Any], response: str) -> dict[str, Any]:
    """Grade ``response`` against ``task["answer"]``, one reference or a list of them.

    Returns:
        ``score`` (1.0 or 0.0) and the ``reason``, without the reference: the result is
        stored beside the generation, where an agent could read it.

    Raises:
        ValueError: the task has no reference answer.
    """
    answer = task.get("answer")
    references = answer if isinstance(answer, list) else [answer]
    if not references or None in references:
        raise ValueError(f"task {task.get('id')!r} has no answer to grade against")
    if normalise(response) in {normalise(str(reference)) for reference in references}:
        return {"score": 1.0, "reason": "equals the reference answer"}
    return {"score": 0.0, "reason": "differs from the reference answer"}


def normalise(text: str) -> str:
    """Return ``text`` without differences in case, white space, punctuation at the edges of
    words, a leading article, and the notation of numbers (1,000 is 1000.0)."""
    words = [_fold(word) for word in unicodedata.normalize("NFKC", text).casefold().split()]
    words = [word for word in words if word]
    if len(words) > 1 and words[0] in ARTICLES:
        words = words[1:]
    return " ".join(words)


def _fold(word: str) -> str:
    word = word.strip(EDGES)
    if NUMBER.fullmatch(word):
        return f"{Decimal(word.replace(',', '')).normalize():f}"
    return word
