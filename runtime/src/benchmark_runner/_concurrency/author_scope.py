"""The scope of a call of an author's method: what its tasks, callbacks and threads do is its own.

A context variable carries it into all that the method starts.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark_runner.errors import describe

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T")

#: The id of a task, and the number of the repeat that a call is for.
Owner = tuple[str, int]

#: Seconds in which the error of a task is taken by whoever awaits it.
_AWAITED_WITHIN = 0.1

_current: ContextVar[AuthorCall | None] = ContextVar("author_call", default=None)


class AuthorCall:
    """One call of an author's method ``name``, for a repeat of a task if there is an ``owner``.

    ``log_dir`` returns its folder of logs.

    Attributes:
        deadline: The moment on the monotonic clock when the call's time is up; infinite without
            a time limit. It is later once other calls have blocked the loop.
        failure: The error of something that the method started, which ends the call.
        is_late: True if the method returned after a signal had come.
        copies: Its own copies of objects that all calls share, by the ``id()`` of their owner.
    """

    def __init__(
        self, name: str, owner: Owner | None = None, log_dir: Callable[[], Path] | None = None
    ) -> None:
        self.name = name
        self.owner = owner
        self.log_dir = log_dir
        self.deadline = math.inf
        self.failure: BaseException | None = None
        self.is_late = False
        self.copies: dict[int, BaseModel] = {}
        self._root: asyncio.Task[Any] | None = None
        self._exits: list[asyncio.Task[Any]] = []
        self._to_cancel: list[Callable[[], object]] = []
        self._may_cancel = True

    def start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run the method's coroutine in a task of its own, in this scope."""
        context = copy_context()
        context.run(_current.set, self)
        task = asyncio.get_running_loop().create_task(coroutine, context=context)
        self._root = task
        return task

    def is_root(self, task: asyncio.Task[Any]) -> bool:
        """Return True if ``task`` is the call itself, and not one that the method started."""
        return task is self._root

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Return the asyncio tasks that belong to the call, and are not done."""
        tasks = asyncio.all_tasks()
        return [task for task in tasks if isinstance(task, AuthorTask) and task.author is self]

    def end(self) -> None:
        """Note that the call is over: what it left behind can't fail it any more."""
        self._root = None

    def fail(self, error: BaseException) -> bool:
        """End the call with an error; from any thread. Return False if it is over."""
        root = self._root
        if root is None:
            return False
        if not isinstance(error, Exception):  # raised on, it would end more than the call
            error = self._failure(self.name, error)
        self.failure = self.failure or error
        root.get_loop().call_soon_threadsafe(root.cancel, context=Context())
        return True

    def fail_by(self, what: str, error: BaseException) -> bool:
        """End the call because something that the method started tried to end the program."""
        return self.fail(self._failure(f"{what} of {self.name}", error))

    def note_exit(self, task: asyncio.Task[Any]) -> None:
        """Note that a task tried to end the program, which fails the call if nobody awaits it."""
        self._exits.append(task)
        task.get_loop().call_later(_AWAITED_WITHIN, self.fail_by_exits)

    def fail_by_exits(self) -> None:
        """End the call if a task tried to end the program, and nobody has taken its error."""
        exits, self._exits = self._exits, []
        for task in exits:
            if task._log_traceback and (error := task.exception()):  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
                self.fail_by("a task", error)

    @staticmethod
    def _failure(what: str, error: BaseException) -> RuntimeError:
        failure = RuntimeError(f"{what} raised {describe(error)}")
        failure.__cause__ = error
        return failure

    def refuse(self) -> RuntimeError:
        """Return the error of cancelling what is not the method's own, and cancel nothing else."""
        self._may_cancel = False
        self._decide_soon()
        return RuntimeError(f"{self.name} may cancel only tasks that it started")

    def cancel_soon(self, cancel: Callable[[], object]) -> None:
        """Cancel something that another call left or shares, unless this one cancels everything."""
        self._to_cancel.append(cancel)
        self._decide_soon()

    def _decide_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._decide, context=Context())

    def _decide(self) -> None:
        wanted, self._to_cancel = self._to_cancel, []
        for cancel in wanted if self._may_cancel else ():
            cancel()
        self._may_cancel = True


class AuthorTask(asyncio.Task[T]):
    """An asyncio task that belongs to the call in whose scope it was started.

    The code of a call cancels its own tasks, and those that others share, but neither another
    call nor the framework. ``author`` is ``None`` for a task of the framework.
    """

    author: AuthorCall | None = None

    def cancel(self, msg: Any | None = None) -> bool:
        """Request the cancellation, where the caller may."""
        caller = _current.get()
        if caller is None or caller is self.author:
            return _pass_on(super().cancel, msg)
        if not self._is_protected:
            if _passed_on:
                return super().cancel(msg)
            caller.cancel_soon(super().cancel)
            return not self.done()
        if _passed_on or self.done():
            return False
        raise caller.refuse()

    @property
    def _is_protected(self) -> bool:
        return self.author is None or self.author.is_root(self)


#: Not empty while the cancellation of one task is passed on to what it awaits.
_passed_on: list[None] = []


def _pass_on(cancel: Callable[[Any | None], bool], msg: Any | None) -> bool:
    _passed_on.append(None)
    try:
        return cancel(msg)
    finally:
        _passed_on.pop()


def new_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, T] | Generator[Any, None, T],
    **options: Any,
) -> asyncio.Task[T]:
    """Start a task that belongs to the current call; a task factory."""
    task: AuthorTask[T] = AuthorTask(coroutine, loop=loop, **options)
    context: Context | None = options.get("context")
    author = _current.get() if context is None else call_in(context)
    if author is not None:
        task.author = author
    return task


def current_call() -> AuthorCall | None:
    """Return the author's call that the current code belongs to; ``None`` if to none."""
    return _current.get()


def call_in(context: Context) -> AuthorCall | None:
    """Return the author's call that a context belongs to; ``None`` if to none."""
    return context.get(_current)


def current_owner() -> Owner | None:
    """Return the repeat of a task that the current code belongs to; ``None`` if to none."""
    author = _current.get()
    return None if author is None else author.owner
