"""The texts of a sample: of a bounded size, and long ones of events written once."""

from __future__ import annotations

from hashlib import sha256

from pydantic import JsonValue

from benchmark_runner._redaction import Redactor
from benchmark_runner._text import json_text, plural, without_middle
from benchmark_runner.trajectory import Content, text_of

__all__ = ["SampleAttachments", "SampleTextLimit"]

#: Characters that all texts may have together, and those of one that comes after them.
_ALL_TEXTS, _SHORT = 16_000_000, 500
_LONGEST_REASON = 10_000
#: Characters of a text in an event; a longer one is an attachment.
_INLINE = 100
#: Levels of JSON; a value that lies deeper becomes a text.
_DEPTH = 50
_PROTOCOL = "attachment://"
_DIGITS = 32


class SampleTextLimit:
    """The limit of a sample's texts: those after the first sixteen million characters are cut."""

    def __init__(self, redactor: Redactor) -> None:
        self.has_cut = False
        self._redactor = redactor
        self._left = _ALL_TEXTS

    def text(self, content: Content | None) -> str:
        """Return the text of a message or a result, cut if there is no room for it."""
        text = text_of(content)
        if len(text) > max(self._left, _SHORT):
            self.has_cut = True
            shown = self._redactor.clean_text(text)  # before a cut through a secret
            left_out = plural(len(shown) - _SHORT, "character")
            text = f"{shown[:_SHORT]} [{left_out} left out]" if len(shown) > _SHORT else shown
        self._left -= len(text)
        return text

    def reason(self, text: str) -> str:
        """Return the reason for a failure, a text that stands elsewhere, too, cut if it is long."""
        if len(text) <= _LONGEST_REASON:
            return text
        return without_middle(self._redactor.clean_text(text), _LONGEST_REASON)

    def value(self, value: JsonValue, depth: int = _DEPTH) -> JsonValue:
        """Return a JSON value with its texts cut like others."""
        if isinstance(value, str):
            return self.text(value)
        if not isinstance(value, (dict, list)):
            return value
        if not depth:
            return self.text(json_text(value))
        if isinstance(value, list):
            return [self.value(each, depth - 1) for each in value]
        return self.arguments(value, depth)

    def arguments(self, values: dict[str, JsonValue], depth: int = _DEPTH) -> dict[str, JsonValue]:
        """Return the arguments of a call with their texts cut like others."""
        return {self.text(name): self.value(each, depth - 1) for name, each in values.items()}


class SampleAttachments:
    """The long texts of a sample's events, which refer to them: most occur several times."""

    def __init__(self) -> None:
        self.texts: dict[str, JsonValue] = {}
        self._references: dict[str, str] = {}

    def attach(self, text: str) -> str:
        """Return a text, or the reference to it if it is long."""
        if len(text) <= _INLINE:
            return text
        reference = self._references.get(text)
        if reference is None:
            name = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
            self.texts[name] = text
            reference = self._references[text] = _PROTOCOL + name
        return reference

    def attach_within(self, value: JsonValue) -> JsonValue:
        """Return a JSON value, such as a call's arguments, with references for its long texts."""
        match value:
            case str():
                return self.attach(value)
            case dict():
                return {name: self.attach_within(each) for name, each in value.items()}
            case list():
                return [self.attach_within(each) for each in value]
            case _:
                return value
