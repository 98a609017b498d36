"""An event loop without threads and without real time."""

from __future__ import annotations

import asyncio
import selectors
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class LoopPool:
    """Stands for a pool of threads: work is done some turns of the event loop later."""

    def __init__(self, delays: Iterator[int]) -> None:
        self._delays = delays
        self._waiting: list[tuple[asyncio.Future[Any], Callable[[], Any]]] = []

    def call(
        self, done: asyncio.Future[Any], function: Callable[..., Any], *arguments: object
    ) -> asyncio.Future[Any]:
        job = (done, partial(function, *arguments))
        self._waiting.append(job)
        self._do_later(next(self._delays), job)
        return done

    def finish(self) -> None:
        """Do what is still waiting, as a process does that waits for its threads."""
        for job in [*self._waiting]:
            self._do(job)

    def _do_later(self, turns: int, job: tuple[asyncio.Future[Any], Callable[[], Any]]) -> None:
        loop = asyncio.get_running_loop()
        if turns:
            loop.call_soon(self._do_later, turns - 1, job)
        else:
            loop.call_soon(self._do, job)

    def _do(self, job: tuple[asyncio.Future[Any], Callable[[], Any]]) -> None:
        self._waiting.remove(job)
        done, function = job
        value, error = None, None
        try:  # a thread that has begun is not stopped, whoever still waits for it
            value = function()
        except BaseException as raised:  # noqa: BLE001 (it is raised where it is awaited)
            error = raised
        if done.done() or done.get_loop().is_closed():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)


class _Impatient(selectors.DefaultSelector):
    """Waits for nothing that only time brings, and counts the seconds that it would have."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout else timeout)
        if timeout and not ready:
            self.skipped += timeout
        return ready


class TimelessLoop(asyncio.SelectorEventLoop):
    """An event loop in which time passes only while there is nothing to do, and then at once."""

    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.skipped
