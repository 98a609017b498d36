"""Text of models, services and datasets, made safe for a page: masked, and all of it visible."""

import re
from typing import NamedTuple

from benchmark_runner._redaction import Redactor
from benchmark_runner._text import INVISIBLE, is_plain, number_of, printable

__all__ = ["Cut", "SafeText", "visible"]


#: Controls but for line ends and tabs, and other characters that nobody sees.
_UNSEEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{INVISIBLE}]")
#: Of a longer text only so many characters at its ends are masked and shown, if that is enough
#: for what is kept and for a secret across the place where they were cut: it may be huge.
_ENDS, _MARGIN = 250_000, 50_000
_PICTURES = 0x2400
_PICTURE_OF_DELETE = "\u2421"
#: Before this one there are pictures of all controls.
_FIRST_WITHOUT_PICTURE = 0x20


class Cut(NamedTuple):
    """A text, without the ``left_out`` characters of its middle if it is long."""

    head: str
    left_out: int = 0
    tail: str = ""


class SafeText:
    """Makes texts safe for the page, with the secrets that ``redactor`` knows masked."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def shown(self, text: str) -> str:
        """Return ``text`` with secrets masked, and each invisible character as a visible one."""
        masked = self._redactor.clean_text(text)
        if is_plain(masked):
            return masked
        bare = printable(masked)  # a terminal escape may hide a secret
        if (cleaned := self._redactor.clean_text(bare)) != bare:
            masked = cleaned
        return visible(masked)

    def line(self, text: str, limit: int) -> str:
        """Return the beginning of ``text`` in one line."""
        # White space may take up a part of it, and masking needs more than is shown.
        closed = " ".join(self.shown(text[:_ENDS]).split())
        if len(text) > _ENDS and len(closed) < limit + _MARGIN:
            closed = " ".join(self.shown(text).split())
        return closed if len(closed) <= limit else f"{closed[: limit - 1]}…"

    def cut(self, text: str, limit: int) -> Cut:
        """Return ``text`` without its middle if it is longer than ``limit``.

        The end stays, as it often holds an answer's result.
        """
        head = limit * 2 // 3
        if len(text) > 2 * _ENDS:
            first, last = self.shown(text[:_ENDS]), self.shown(text[-_ENDS:])
            if min(len(first), len(last)) >= limit + _MARGIN:
                return Cut(first[:head], len(text) - limit, last[head - limit :])
        shown = self.shown(text)
        if len(shown) <= limit:
            return Cut(shown)
        return Cut(shown[:head], len(shown) - limit, shown[head - limit :])


def visible(text: str) -> str:
    """Return ``text`` with a visible character, or its number, for each invisible one."""
    return text if is_plain(text) else _UNSEEN.sub(_picture, text.replace("\r\n", "\n"))


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < _FIRST_WITHOUT_PICTURE:
        return chr(_PICTURES + code)
    return _PICTURE_OF_DELETE if found[0] == "\x7f" else number_of(found)
