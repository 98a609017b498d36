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


async def test_a_call_is_made_in_another_thread_and_returns() -> None:
    assert await run_in_thread(pow, 2, 5) == 32
    assert await run_in_thread(threading.get_ident) != threading.get_ident()


async def test_what_it_raises_is_raised_where_it_is_awaited() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(divmod, 1, 0)


async def test_a_stop_iteration_is_not_lost() -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await run_in_thread(next, iter(()))


async def test_many_calls_each_get_their_own_answer() -> None:
    threads = ThreadPool(3)
    answers = await asyncio.gather(*(call(threads, pow, number, 2) for number in range(1000)))
    assert answers == [number**2 for number in range(1000)]


async def test_others_have_their_turn_between_many_that_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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


async def test_no_more_are_made_at_a_time_than_there_are_threads() -> None:
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


async def test_one_that_was_cancelled_before_it_began_is_not_made() -> None:
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


async def test_one_that_was_cancelled_after_it_began_goes_on_to_its_end() -> None:
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


def test_one_that_ends_after_its_loop_does_not_hold_up_those_of_others() -> None:
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


def test_a_loop_that_is_over_is_let_go() -> None:
    threads = ThreadPool(1)

    async def work() -> Callable[[], object]:
        await call(threads, int)
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(work())
    asyncio.run(work())  # the thread has let go of the last one by then
    gc.collect()
    assert loop() is None
