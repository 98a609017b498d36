"""The event loop of a command, which an author's code can neither stop nor leave."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Generator
from time import monotonic
from typing import Any, NoReturn, TypeVar, cast
from weakref import WeakSet

from benchmark_runner._concurrency.author_scope import (
    AuthorCall,
    AuthorTask,
    call_in,
    current_call,
    new_task,
)
from benchmark_runner._concurrency.forked_child import ending_children
from benchmark_runner._concurrency.interruption import is_interrupted
from benchmark_runner.errors import BenchmarkRunnerError, describe, traceback_of

T = TypeVar("T")

#: Gets the text of an error that nobody waits for, and the call whose code raised it, if known.
OnStray = Callable[[AuthorCall | None, str], None]

#: A loop whose descriptors were closed raises errors without a pause: that many, in that many
#: seconds.
_MOST_ERRORS = 100
_ERRORS_WITHIN = 1.0
#: Seconds that tasks left behind get to react to a cancellation.
_LEAVE_GRACE = 1.0
_RUN_CODE = asyncio.Handle._run.__code__  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


class RunLoop(asyncio.SelectorEventLoop):
    """A plain event loop, whatever policy is installed.

    What tries to end the program in a task or a callback, such as ``sys.exit()``, ends the
    author's call that it belongs to. Errors that nobody waits for go to ``on_stray``.
    """

    def __init__(self, on_stray: OnStray) -> None:
        super().__init__()
        self._on_stray = on_stray
        self._errors: list[float] = []
        self.set_task_factory(new_task)
        _loops.add(self)

    def time(self, clock: Callable[[], float] = monotonic) -> float:
        """Return the time of the system, also where an author's code has frozen that of Python."""
        return clock()

    def run_until_complete(self, future: Awaitable[T] | Generator[Any, None, T]) -> T:
        """Run until the future is done, whatever gets out of the loop meanwhile.

        Raises:
            BenchmarkRunnerError: the loop can't go on.
        """
        task = asyncio.ensure_future(cast("Awaitable[T]", future), loop=self)
        task.add_done_callback(lambda _: super(RunLoop, self).stop())
        while not task.done():
            try:
                with ending_children():
                    self.run_forever()
            except BaseException as error:  # noqa: BLE001 (an author's code raised it)
                self._take(error)
        return task.result()

    def run_forever(self) -> None:
        """Run, but not from inside: in some versions of Python, the attempt breaks the loop."""
        if self.is_running():
            raise RuntimeError("the event loop is already running")
        super().run_forever()

    def end(self) -> None:
        """Close the loop; unlike ``asyncio.run()``, don't wait for what ignores a cancellation."""
        left = asyncio.all_tasks(self)
        for task in left:
            task.cancel()
        if left:
            self.run_until_complete(asyncio.wait(left, timeout=_LEAVE_GRACE))
        closing = self.create_task(self.shutdown_asyncgens())
        self.run_until_complete(asyncio.wait({closing}, timeout=_LEAVE_GRACE))
        # What is still there has been reported; asyncio need not do so again.
        self.set_exception_handler(lambda _loop, _context: None)
        self.close()

    def create_task(
        self, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any
    ) -> asyncio.Task[T]:
        """Start a task; those of the framework not by a factory that an author's code has set."""
        if current_call() is not None:
            return super().create_task(coro, **options)
        return new_task(self, coro, **options)

    def stop(self) -> NoReturn:
        """Refuse to stop: the loop runs other tasks, too."""
        _refuse("stopped")

    async def shutdown_asyncgens(self) -> None:
        """Close all asynchronous generators, but not for an author's code."""
        if current_call() is not None:
            _refuse("shut down")
        await super().shutdown_asyncgens()

    async def shutdown_default_executor(self, timeout: float | None = None) -> NoReturn:  # noqa: ARG002, ASYNC109 (as in asyncio)
        """Refuse to end the threads of all tasks."""
        _refuse("shut down")

    async def subprocess_exec(self, *arguments: Any, **options: Any) -> Any:
        """Start a process, also where another policy than that of this loop is installed."""
        _use_policy_of_asyncio()
        return await super().subprocess_exec(*arguments, **options)

    async def subprocess_shell(self, *arguments: Any, **options: Any) -> Any:
        """Start a command; see :meth:`subprocess_exec`."""
        _use_policy_of_asyncio()
        return await super().subprocess_shell(*arguments, **options)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Pass on an error that nobody waits for."""
        error, author = context.get("exception"), _author_of(context)
        text = str(context.get("message"))
        if isinstance(error, BaseException):
            text += f"\n{traceback_of(error)}" if author else f": {describe(error)}"
        self._on_stray(author, text)

    def abandon(self) -> None:
        """Leave the loop to the process that forked this one, which ends when it comes back."""
        self._ready.clear()  # pyright: ignore # noqa: PGH003 (not public)
        self.call_soon(os._exit, 1)

    def _take(self, error: BaseException) -> None:
        handle = _handle_of(error)
        if handle is None:
            self._count(error)
            return
        author, task = _author_in(handle), _task_of(handle)
        if task is not None:  # whoever awaits it gets the error
            if author is not None:
                author.note_exit(task)
        elif author is None:
            self._count(error)
        elif not author.fail_by("a callback", error):
            self._on_stray(author, traceback_of(error))

    def _count(self, error: BaseException) -> None:
        """Note an error of an unknown origin, and go on unless there is one after the other."""
        if is_interrupted():  # a KeyboardInterrupt
            return
        now = monotonic()
        if not self._errors or now - self._errors[-1] > _ERRORS_WITHIN:
            self._on_stray(None, f"An error of no task in the event loop: {describe(error)}")
        self._errors = [*self._errors[-_MOST_ERRORS:], now]
        if len(self._errors) > _MOST_ERRORS and self._errors[-1] - self._errors[0] < _ERRORS_WITHIN:
            raise BenchmarkRunnerError(
                f"the event loop can't go on: {describe(error)}",
                hint="Code in runner/ has closed or changed it. What was finished is kept.",
            ) from error


_loops: WeakSet[RunLoop] = WeakSet()


def unfinished_tasks() -> bool:
    """Return True if tasks are left that have ignored their cancellation."""
    return any(asyncio.all_tasks(loop) for loop in _loops)


def _abandon_loops() -> None:
    for loop in [*_loops]:
        if not loop.is_closed():
            loop.abandon()


os.register_at_fork(after_in_child=_abandon_loops)


def _refuse(what: str) -> NoReturn:
    raise RuntimeError(f"the event loop runs other tasks, too, and can't be {what}")


def _handle_of(error: BaseException) -> asyncio.Handle | None:
    """Return the callback of the loop that raised ``error``."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is _RUN_CODE:
            handle: asyncio.Handle | None = frame.f_locals["self"]
            return handle
    return None


def _task_of(handle: asyncio.Handle) -> asyncio.Task[Any] | None:
    """Return the task whose step a callback of the loop is; ``None`` for any other callback."""
    callback = handle._callback  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    owner = getattr(callback, "__self__", None)
    return cast("asyncio.Task[Any]", owner) if isinstance(owner, asyncio.Task) else None


def _author_in(handle: asyncio.Handle) -> AuthorCall | None:
    return call_in(handle._context)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def _author_of(context: dict[str, Any]) -> AuthorCall | None:
    """Return the author's call that an error of the loop belongs to."""
    for name in ("task", "future"):
        if isinstance(task := context.get(name), AuthorTask):
            return task.author
    handle = context.get("handle")
    return _author_in(handle) if isinstance(handle, asyncio.Handle) else current_call()


def _use_policy_of_asyncio() -> None:
    """Undo ``uvloop.install()``: its policy can't tell when a process ends."""
    if sys.version_info >= (3, 14):
        return
    policy = asyncio.get_event_loop_policy()  # pyright: ignore[reportDeprecated]
    if not isinstance(policy, asyncio.DefaultEventLoopPolicy):
        asyncio.set_event_loop_policy(None)  # pyright: ignore[reportDeprecated]
