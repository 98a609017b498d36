"""The journal of an evaluation that takes long: the service's newest state, and its progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pydantic import JsonValue

__all__ = ["EvaluationJournal", "MemoryJournal", "State"]

State = dict[str, "JsonValue"]


class EvaluationJournal(Protocol):
    """The keeper of one evaluation's state and progress."""

    async def load(self) -> State | None:
        """Return the newest state; ``None`` without one."""

    async def save(self, state: State) -> None:
        """Keep a state instead of the one before; it is safe when this returns."""

    def tell(self, text: str, *, at_once: bool = False) -> None:
        """Pass on a text on the progress; of many, only the newest ones unless ``at_once``."""


class MemoryJournal:
    """A journal for as long as the process lives."""

    _state: State | None = None

    async def load(self) -> State | None:
        """Return the newest state."""
        return self._state

    async def save(self, state: State) -> None:
        """Keep a state."""
        self._state = state

    def tell(self, text: str, *, at_once: bool = False) -> None:
        """Pass nothing on."""
