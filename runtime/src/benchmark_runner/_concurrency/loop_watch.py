"""A watchdog of the event loop: which task blocks it, and for how long.

An agent that computes, or waits, without ``await`` stops everything else in its process. It is
reported, and the time that other tasks lose does not count against their time limits.
"""

import asyncio
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Self

from benchmark_runner._concurrency.author_scope import AuthorTask, Owner, new_task
from benchmark_runner._concurrency.thread_frames import frame_of

#: Seconds after which a task that blocks the loop is reported.
BLOCKED_AFTER = 5.0
#: Seconds between two beats of the loop, and the delay that is still in time.
_BEAT = 0.25
_IN_TIME = 0.05


@dataclass(frozen=True, slots=True)
class Stall:
    """A time in which the event loop did not run, and the stack of the code that blocks it."""

    owner: Owner | None
    seconds: float
    stack: str


class LoopWatch:
    """A context manager that watches the running event loop.

    ``on_stall`` is called once for each long stall, **in the watching thread**, as the loop can't
    run anything then.
    """

    def __init__(self, on_stall: Callable[[Stall], None]) -> None:
        self._on_stall = on_stall
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._due = self._charged_until = monotonic()
        self._lost = 0.0
        self._lost_by: dict[Owner, float] = {}
        self._suspect: Owner | None = None
        self._reported = False

    def __enter__(self) -> Self:
        self._factory_before = self._loop.get_task_factory()
        self._loop.set_task_factory(new_task)
        self._schedule_beat()
        threading.Thread(target=self._watch, name="loop-watch", daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._left.set()
        self._beats.cancel()
        self._loop.set_task_factory(self._factory_before)

    def lost_by_others(self, owner: Owner) -> float:
        """Return the seconds for which calls of other owners have blocked the loop so far."""
        with self._lock:
            lost = self._lost - self._lost_by.get(owner, 0.0)
            stalled = monotonic() - self._charged_until
            if stalled > _IN_TIME and self._suspect != owner:
                lost += stalled
            return lost

    def _beat(self) -> None:
        with self._lock:
            if monotonic() - self._due > _IN_TIME:
                self._charge(self._suspect)
            self._schedule_beat()

    def _schedule_beat(self) -> None:
        self._suspect, self._reported = None, False
        self._due = self._charged_until = monotonic() + _BEAT
        self._beats = self._loop.call_later(_BEAT, self._beat)

    def _charge(self, owner: Owner | None) -> None:
        """Add the time since the last charge to the lost time, and to that by its owner."""
        now = monotonic()
        seconds, self._charged_until = now - self._charged_until, now
        self._lost += seconds
        if owner is not None:
            self._lost_by[owner] = self._lost_by.get(owner, 0.0) + seconds

    def _watch(self) -> None:
        while not self._left.wait(_BEAT):
            with self._lock:
                late = monotonic() - self._due
                if late < _BEAT:
                    continue
                # Another task may follow without a beat between them: look each time.
                running = asyncio.current_task(self._loop)
                author = running.author if isinstance(running, AuthorTask) else None
                self._suspect = None if author is None else author.owner
                self._charge(self._suspect)
                if late < BLOCKED_AFTER or self._reported:
                    continue
                self._reported = True
                stall = Stall(self._suspect, late, self._stack())
            self._on_stall(stall)

    def _stack(self) -> str:
        return "".join(traceback.format_stack(frame_of(self._loop_thread)))
