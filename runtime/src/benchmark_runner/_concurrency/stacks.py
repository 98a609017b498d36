"""The stacks of asyncio tasks that wait, through everything that they await.

``asyncio.Task.get_stack()`` ends at the outermost coroutine of a task that waits.
"""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from traceback import StackSummary, walk_stack
from types import CoroutineType, FrameType, GeneratorType
from typing import Any, cast

from benchmark_runner._concurrency.thread_frames import frame_of
from benchmark_runner.errors import own_frame

#: Frames of a stack, and tasks, that are looked at.
_MOST_FRAMES = 200
_MOST_TASKS = 20
#: Calls that a place names, the innermost ones.
_CALLS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait of some tasks: the ``place`` of the first in short, and the ``stack`` of each."""

    place: str
    stack: str


def wait_of(first: asyncio.Future[Any], others: Iterable[asyncio.Future[Any]]) -> Wait:
    """Return what a task waits for, and others beside it."""
    stacks = {first: _stack(first)}
    for task in islice(others, _MOST_TASKS):
        stacks.setdefault(task, _stack(task))
    texts = [
        f"{_name(task)} waits here, the innermost call last:\n{''.join(stack.format())}"
        for task, stack in stacks.items()
        if stack
    ]
    return Wait(_place(stacks[first]), "\n".join(texts))


def _stack(task: asyncio.Future[Any]) -> StackSummary:
    frames = islice(_frames(task), _MOST_FRAMES)
    return StackSummary.extract((frame, frame.f_lineno) for frame in frames)


def _frames(future: asyncio.Future[Any] | None) -> Iterator[FrameType]:
    """Yield the frames of a task and of what it awaits, the outermost first."""
    while isinstance(future, asyncio.Task):
        awaited, frame = cast("object", future.get_coro()), None
        while isinstance(awaited, (CoroutineType, GeneratorType)):
            if isinstance(awaited, CoroutineType):
                running, awaited = awaited.cr_frame, cast("object", awaited.cr_await)
            else:
                running, awaited = awaited.gi_frame, cast("object", awaited.gi_yieldfrom)
            if running is not None:
                frame = running
                yield frame
        if frame is not None:
            yield from _frames_of_thread(frame)
        future = _awaited_task(future)


def _frames_of_thread(frame: FrameType) -> Iterator[FrameType]:
    """Yield the frames of the thread that a coroutine has started and waits for, if any."""
    thread = frame.f_locals.get("thread")
    if isinstance(thread, threading.Thread):
        running = frame_of(thread.ident)
        yield from reversed([each for each, _ in walk_stack(running)] if running else [])


def _awaited_task(task: asyncio.Task[Any]) -> asyncio.Future[Any] | None:
    """Return the task that a task awaits, by itself or with ``gather()``, if it is one."""
    waiter = cast("object", getattr(task, "_fut_waiter", None))
    for each in (waiter, *cast("Iterable[object]", getattr(waiter, "_children", ()))):
        if isinstance(each, asyncio.Task):
            return cast("asyncio.Task[Any]", each)
    return None


def _name(task: asyncio.Future[Any]) -> str:
    return task.get_name() if isinstance(task, asyncio.Task) else "A task"


def _place(stack: StackSummary) -> str:
    own = own_frame(stack)
    if own is None:
        return ""
    file = own.filename.rpartition("/")[2]
    calls = [frame.name for frame in stack[stack.index(own) + 1 :]][-_CALLS_SHOWN:]
    return f"{own.name}() ({file}, line {own.lineno}){': ' if calls else ''}{' > '.join(calls)}"
