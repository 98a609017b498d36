"""The listeners of a command on a run: the display, and the log of events."""

import asyncio
from threading import Lock
from typing import Self

from benchmark_runner._concurrency.author_scope import current_owner
from benchmark_runner._concurrency.thread_pool import finish_in_thread
from benchmark_runner._progress.display import Display, make_display
from benchmark_runner._progress.event_log import EventLog
from benchmark_runner._progress.events import (
    Event,
    InvocationEnded,
    InvocationStarted,
    RetryScheduled,
)
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.client.retry import RetryNotice
from benchmark_runner.errors import ArtifactError, describe


class Listeners:
    """The display and the log, which work in threads of their own.

    On leaving, both are ended: with the error, else with ``outcome``.
    """

    def __init__(self, artifacts: RunArtifacts) -> None:
        self._artifacts = artifacts
        self._display = Display()
        self._log: EventLog | None = None
        self.outcome = InvocationEnded("interrupted")
        self._turn = Lock()
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self.outcome = InvocationEnded("failed", describe(error))
        self.end()

    @property
    def refused_by(self) -> ArtifactError | None:
        """The error that made the log incomplete, if it is."""
        return self._log.refused_by if self._log is not None else None

    async def begin(self, started: InvocationStarted, *, quiet: bool) -> None:
        """Start the display and the log with the first event."""
        self._log = EventLog(self._artifacts, started)
        self._display = make_display(self._artifacts.redactor.clean_text, quiet=quiet)
        self._display.show(started)
        await finish_in_thread(self._start, self._log, self._display)

    def tell(self, event: Event) -> None:
        """Pass on an event; from any thread."""
        if self._log is not None:
            self._log.tell(event)
        self._display.show(event)

    def tell_of_retry(self, notice: RetryNotice) -> None:
        """Pass on that a call to the service will be retried."""
        task_id, repeat = current_owner() or (None, 1)
        self.tell(RetryScheduled(notice.reason, notice.wait, task_id, repeat))

    def end(self) -> None:
        """End the display and the log; from any thread, and only once."""
        with self._turn:
            if self._is_over:
                return
            self._is_over = True
        self._display.show(self.outcome)
        self._display.__exit__(None, None, None)
        if self._log is not None:
            self._log.end(self.outcome)

    @staticmethod
    def _start(log: EventLog, display: Display) -> None:
        display.__enter__()
        log.start()
