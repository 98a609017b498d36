"""Calls of an author's functions: coroutines on the event loop, plain functions in a thread."""

import asyncio
import concurrent.futures
import contextvars
import inspect
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from benchmark_runner._concurrency.author_scope import current_call
from benchmark_runner._concurrency.forked_child import ending_children, ending_in_children
from benchmark_runner._concurrency.interruption import is_interrupted
from benchmark_runner.errors import describe

T = TypeVar("T")

#: Exceptions that would end the event loop, or leave the caller waiting, if a future raised them.
_UNFIT_FOR_A_FUTURE = (
    GeneratorExit,
    StopIteration,
    SystemExit,
    KeyboardInterrupt,
    asyncio.CancelledError,
    concurrent.futures.CancelledError,
)


async def call_either(
    function: Callable[..., object], call: Callable[[], Awaitable[T] | T], name: str
) -> T:
    """Await ``call()`` on the loop if ``function`` is a coroutine function, else in a thread.

    A function ``name`` that tries to end the process raises a ``RuntimeError``.
    """
    try:
        with ending_children():
            outcome = call() if _is_coroutine_function(function) else await _in_thread(call, name)
            if inspect.isawaitable(outcome):
                outcome = await cast("Awaitable[T]", outcome)
        if is_interrupted() and (author := current_call()) is not None:
            author.is_late = True
        return cast("T", outcome)
    except (Exception, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        # SystemExit, or a panic of a compiled library: this call failed, the process goes on.
        raise RuntimeError(f"{name} raised {describe(error)}") from error


def call_plain(function: Callable[..., T], *arguments: object) -> T:
    """Return what an author's plain function returns, called here.

    One that tries to end the process raises a ``RuntimeError``; Ctrl-C ends it where it is not
    handled otherwise.
    """
    try:
        with ending_children():
            return function(*arguments)
    except Exception:
        raise
    except BaseException as error:
        by_signal = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if isinstance(error, KeyboardInterrupt) and by_signal:
            raise
        name = getattr(function, "__name__", type(function).__name__)
        raise RuntimeError(f"{name}() raised {describe(error)}") from error


def _is_coroutine_function(function: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 (the method is examined)
    )


async def _in_thread(call: Callable[[], T], name: str) -> T:
    """Do as ``asyncio.to_thread()``, but a hanging call blocks neither others nor the exit."""
    done: concurrent.futures.Future[T] = concurrent.futures.Future()
    done.set_running_or_notify_cancel()  # a caller that gives up does not wait, nor cancel
    context = contextvars.copy_context()

    def work() -> None:
        try:
            done.set_result(context.run(ending_in_children, call))
        except _UNFIT_FOR_A_FUTURE as error:
            failure = RuntimeError(f"{name} raised {describe(error)}")
            failure.__cause__ = error
            done.set_exception(failure)
        except BaseException as error:  # noqa: BLE001 (raised in the awaiting task)
            done.set_exception(error)

    # As a local variable, it is found by what tells where a call waits.
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return await asyncio.wrap_future(done)
