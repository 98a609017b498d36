from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._concurrency.thread_pool import ThreadPool, run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


def call(
    threads: ThreadPool, function: Callable[..., Any], *arguments: object
) -> asyncio.Future[Any]:
    return threads.call(asyncio.get_running_loop().create_future(), function, *arguments)


async def test_call_runs_in_another_thread() -> None:
    """A call runs in another thread and returns its result."""
    assert await run_in_thread(pow, 2, 5) == 32
    assert await run_in_thread(threading.get_ident) != threading.get_ident()


async def test_error_is_raised_to_the_caller() -> None:
    """An error of the call is raised where it is awaited."""
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(divmod, 1, 0)


async def test_a_stop_iteration_is_not_lost() -> None:
    """A StopIteration of the call becomes a RuntimeError."""
    with pytest.raises(RuntimeError, match="StopIteration"):
        await run_in_thread(next, iter(()))


async def test_many_calls_each_get_their_own_answer() -> None:
    """Each of many calls gets its own answer."""
    threads = ThreadPool(3)
    answers = await asyncio.gather(*(call(threads, pow, number, 2) for number in range(1000)))
    assert answers == [number**2 for number in range(1000)]


async def test_many_ended_calls_leave_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop has turns between the results of many calls that have ended."""
    threads = ThreadPool(1)
    last = threading.Event()
    calls = [call(threads, int) for _ in range(500)]
    call(threads, last.set)
    last.wait()  # all have ended before the loop hears of one
    turns: list[int] = []
    while not all(call.done() for call in calls):
        await asyncio.sleep(0)
        turns.append(sum(call.done() for call in calls))
    assert max(after - before for before, after in zip([0, *turns], turns, strict=False)) <= 100


async def test_calls_are_limited_to_the_threads() -> None:
    """No more calls run at once than there are threads."""
    threads = ThreadPool(2)
    at_once, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(2)

    def work() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        together.wait()
        with lock:
            at_once -= 1

    await asyncio.gather(*(call(threads, work) for _ in range(20)))
    assert most == 2


async def test_cancelled_call_is_not_begun() -> None:
    """A call that is cancelled before it begins is not made."""
    threads = ThreadPool(1)
    go_on = threading.Event()
    first = call(threads, go_on.wait)
    made: list[int] = []
    cancelled = call(threads, made.append, 1)
    cancelled.cancel()
    go_on.set()
    assert await first
    await call(threads, made.append, 2)
    assert made == [2]


async def test_begun_call_runs_to_its_end() -> None:
    """A call that is cancelled after it began runs to its end."""
    threads = ThreadPool(1)
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait()

    abandoned = call(threads, work)
    begun.wait()
    abandoned.cancel()
    go_on.set()
    assert await call(threads, pow, 2, 5) == 32


def test_call_may_outlive_its_loop() -> None:
    """A call that ends after its loop does not hold up calls of another loop."""
    threads = ThreadPool(1)
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait()

    async def leave() -> None:
        call(threads, work)
        begun.wait()

    asyncio.run(leave())
    go_on.set()

    async def ask() -> int:
        return await call(threads, pow, 2, 5)

    assert asyncio.run(ask()) == 32


def test_closed_loop_is_released() -> None:
    """A loop that has ended is not kept in memory."""
    threads = ThreadPool(1)

    async def work() -> Callable[[], object]:
        await call(threads, int)
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(work())
    asyncio.run(work())  # the thread has let go of the last one by then
    gc.collect()
    assert loop() is None
