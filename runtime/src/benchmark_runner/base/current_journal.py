"""The journal of the evaluation that the engine has under way, for the default ``evaluate()``."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from benchmark_runner.client.evaluation_journal import MemoryJournal

if TYPE_CHECKING:
    from benchmark_runner.client.evaluation_journal import EvaluationJournal

__all__ = ["journal_for", "use_journal"]


class _Kept(NamedTuple):
    task_id: str
    response: str
    journal: EvaluationJournal


_current: ContextVar[_Kept | None] = ContextVar("journal", default=None)


def use_journal(task_id: str, response: str, journal: EvaluationJournal) -> None:
    """Use a journal for the evaluation of this response, here and in child tasks."""
    _current.set(_Kept(task_id, response, journal))


def journal_for(task_id: str, response: str) -> EvaluationJournal:
    """Return the journal of an evaluation: the engine's, or a new one if it has none of it.

    An author's ``evaluate()`` may have other responses evaluated, whose states are not these.
    """
    kept = _current.get()
    if kept is None or (kept.task_id, kept.response) != (task_id, response):
        return MemoryJournal()
    return kept.journal
