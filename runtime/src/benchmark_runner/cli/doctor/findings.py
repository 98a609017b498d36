"""What a check says: fine, a fault, or not checked, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAULT = "fault"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found.

    Attributes:
        status: How it ended.
        message: What was found, of what.
        advice: What to do next, in words.
        command: What to paste into a fresh shell.
    """

    status: Status
    message: str
    advice: str | None = None
    command: str | None = None

    @property
    def remedy(self) -> str | None:
        """The advice and the command, each on a line of its own."""
        return "\n".join(part for part in (self.advice, self.command) if part) or None


def ok(message: str, *, advice: str | None = None, command: str | None = None) -> Finding:
    """Nothing is wrong; a remedy is then something that could be done."""
    return Finding(Status.OK, message, advice, command)


def fault(message: str, *, advice: str | None = None, command: str | None = None) -> Finding:
    """Something is wrong."""
    return Finding(Status.FAULT, message, advice, command)


def not_checked(message: str, *, advice: str | None = None, command: str | None = None) -> Finding:
    """Nobody knows; the remedy is how to find out."""
    return Finding(Status.NOT_CHECKED, message, advice, command)
