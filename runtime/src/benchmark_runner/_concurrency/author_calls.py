"""Calls of an author's functions: coroutines on the event loop, plain functions in a thread."""

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

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
        if _is_coroutine_function(function):
            outcome = call()
        else:
            outcome = await _in_thread(call, name)
        if inspect.isawaitable(outcome):
            return await cast("Awaitable[T]", outcome)
        return cast("T", outcome)
    except (Exception, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        # SystemExit, or a panic of a compiled library: this call failed, the process goes on.
        raise RuntimeError(f"{name} raised {describe(error)}") from error


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
            done.set_result(context.run(call))
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
