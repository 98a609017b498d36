"""The result of one check: ok, a problem, or not checked, and what to do about it."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

__all__ = ["Finding", "NotChecked", "fault", "not_checked", "ok"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: a message, advice in words, and a command for a new shell."""

    status: Literal["ok", "fault", "not_checked"]
    message: str
    advice: str | None = None
    command: str | None = None

    @property
    def remedy(self) -> str | None:
        """The advice and the command, each on a line of its own."""
        return "\n".join(filter(None, (self.advice, self.command))) or None


class NotChecked(Exception):  # noqa: N818 (no error, but a reason)
    """A check is left out; the message says why."""


ok = partial(Finding, "ok")
fault = partial(Finding, "fault")
not_checked = partial(Finding, "not_checked")
