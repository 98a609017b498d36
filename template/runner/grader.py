"""The grader of the embedded service: a normalised exact match.

Another benchmark service grades by its own rules and never calls it.
"""

import re
import unicodedata
from typing import Any

ARTICLES = {"a", "an", "the"}
# What may stand around an answer without being part of it, once on each side.
PAIRS = {'"': '"', "'": "'", "`": "`", "*": "*", "\u201c": "\u201d", "\u2018": "\u2019"}
SENTENCE_MARKS = ".,;:?"
# Around a word of letters, any punctuation is left out; but 5! is not 5, nor A* the grade A.
OPENING = "\"'`*([{\u201c\u2018"
CLOSING = "\"'`*)]}\u201d\u2019!" + SENTENCE_MARKS
WORD = re.compile(r"[^\W\d_]{2,}([-'\u2019][^\W\d_]+)*")
NUMBER = re.compile(r"([-+]?)(\d{1,3}(?:,\d{3})+|\d*)(?:\.(\d+))?(?:e([-+]?\d{1,9}))?")


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
    """Return ``text`` without differences in case, white space, punctuation around words,
    a leading article, and the notation of numbers (1,000 is 1000.0). Punctuation alone stays."""
    words = [_fold(word) for word in _unwrap(_plain(text)).split()]
    if len(words) > 1 and words[0] in ARTICLES:
        words = words[1:]
    return " ".join(words)


def _plain(text: str) -> str:
    """Return ``text`` in lower case, with the usual digits, letters and minus sign."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", "".join(map(_usual, text)))
    return " ".join(text.casefold().split())


def _usual(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    # Of a superscript, this would make a digit: 10\u00b2 is not 102.
    is_form = unicodedata.east_asian_width(character) in {"F", "H"}
    return unicodedata.normalize("NFKC", character) if is_form else character.replace("\u2212", "-")


def _unwrap(text: str) -> str:
    """Return ``text`` without the quotes or asterisks around it, and the marks after it."""
    start, end = 0, len(text)
    while start < end:
        if text[end - 1] in SENTENCE_MARKS:
            end -= 1
        elif start < end - 1 and PAIRS.get(text[start]) == text[end - 1]:
            start, end = start + 1, end - 1
        else:
            return text[start:end]
    return text


def _fold(word: str) -> str:
    bare = word.lstrip(OPENING).rstrip(CLOSING)
    if WORD.fullmatch(bare):
        return bare
    word = word.rstrip(SENTENCE_MARKS) or word
    number = NUMBER.fullmatch(word)
    return word if number is None else _number(number)


def _number(number: re.Match[str]) -> str:
    """Return a number of any length as its significant digits and an exponent."""
    sign, whole, fraction, exponent = number.groups(default="")
    if not whole and not fraction:
        return number[0]
    digits = (whole.replace(",", "") + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return "0"
    zeros = len(digits) - len(significant) - len(fraction)
    return f"{sign.strip('+')}{significant}e{int(exponent or 0) + zeros}"
