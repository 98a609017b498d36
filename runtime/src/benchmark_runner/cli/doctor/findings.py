"""The result of one check: ok, a fault, or not checked, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial

__all__ = ["Finding", "NotChecked", "Status", "fault", "not_checked", "ok"]


class Status(StrEnum):
    """The end of a check."""

    OK = "ok"
    FAULT = "fault"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        status: How it ended.
        message: What was found.
        advice: What to do next, in words.
        command: What to paste into a new shell.
    """

    status: Status
    message: str
    advice: str | None = None
    command: str | None = None

    @property
    def remedy(self) -> str | None:
        """The advice and the command, each on a line of its own."""
        return "\n".join(part for part in (self.advice, self.command) if part) or None


class NotChecked(Exception):  # noqa: N818 (no error, but a reason)
    """A check is left out; the message says why."""


ok = partial(Finding, Status.OK)
fault = partial(Finding, Status.FAULT)
not_checked = partial(Finding, Status.NOT_CHECKED)
