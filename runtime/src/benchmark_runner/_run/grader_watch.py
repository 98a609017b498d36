"""The watch over what evaluates: a run whose grader becomes another one midway is stopped.

A grade does not always say which version it is of, so the service is asked again: now and then,
and when all is evaluated. Evaluations since it last was the same may be of either version.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import monotonic

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._run.graded_by import GradedBy, versions_now
from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner._run.session import Session
from benchmark_runner._text import plural
from benchmark_runner.errors import RunIdentityError
from benchmark_runner.schemas import TaskRepeat

#: Seconds between two requests for the version while evaluations go on.
_EVERY = 60.0


@dataclass(slots=True)
class GraderWatch:
    """Watches the versions of the service and of its dataset while a command evaluates."""

    session: Session
    by: GradedBy
    _unconfirmed: list[TaskRepeat] = field(default_factory=list[TaskRepeat])
    _asked_at: float = field(default_factory=monotonic)

    def note(self, key: TaskRepeat) -> None:
        """Note that a repeat of a task was evaluated just now."""
        self._unconfirmed.append(key)

    async def check_if_due(self) -> RunIdentityError | None:
        """Do as :meth:`check`, if that is a while ago."""
        return await self.check() if monotonic() - self._asked_at >= _EVERY else None

    async def check(self) -> RunIdentityError | None:
        """Ask for the versions; if they are others, put the doubtful evaluations away.

        Returns the error to stop with, which says so; ``None`` if nothing has changed.
        """
        self._asked_at = monotonic()
        known = self.by.service_version or self.by.dataset_version
        if not known or self.by.service_url == LOCAL or not self._unconfirmed:
            return None
        confirmed = len(self._unconfirmed)
        found = await versions_now(self.session.runner)
        now = replace(
            self.by,
            service_version=found.service_version,
            dataset_version=self.by.dataset_version and found.dataset_version,
        )
        if not now.differs_from(self.by):
            del self._unconfirmed[:confirmed]
            return None
        doubtful = self._unconfirmed
        self._unconfirmed = []
        await run_in_thread(self._put_away, doubtful)
        return RunIdentityError(
            f"the service became another version while it evaluated: it was {self.by}, and is "
            f"{now}; {plural(len(doubtful), 'evaluation')} may be of either",
            hint="Resume the run, which makes those again, or evaluate all again with "
            "evaluate --regrade.",
        )

    def _put_away(self, keys: list[TaskRepeat]) -> None:
        for task_id, repeat in keys:
            self.session.artifacts.of_repeat(repeat).keep_eval(task_id)
