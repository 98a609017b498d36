"""What is collected comes in its order, in a thread of its own, and all of it."""

from __future__ import annotations

import threading

from benchmark_runner._concurrency import batches
from benchmark_runner._concurrency.batches import Batches

#: Seconds; reaching it fails the test.
TOO_LONG = 10.0


class Taker:
    def __init__(self, interval: float = 0.01) -> None:
        self.parts: list[list[int]] = []
        self.threads: list[int] = []
        self.round = threading.Semaphore(0)
        self.batches: Batches[int] = Batches(self.take, self.then, interval, "taker")

    def take(self, items: object) -> None:
        assert isinstance(items, list)
        self.parts.append(items)
        self.threads.append(threading.get_ident())

    def then(self) -> None:
        self.round.release()

    @property
    def taken(self) -> list[int]:
        return [item for part in self.parts for item in part]


def test_all_that_is_added_by_any_thread_is_taken_in_order_until_the_end() -> None:
    taker = Taker()
    taker.batches.start()
    for number in range(10_000):
        taker.batches.add(number)
    taker.batches.end()
    assert taker.taken == [*range(10_000)]
    assert threading.get_ident() not in taker.threads


def test_what_is_there_at_the_start_is_taken_before_that_returns() -> None:
    taker = Taker(interval=TOO_LONG)
    taker.batches.add(1)
    taker.batches.start()
    assert taker.taken == [1]
    assert taker.threads == [threading.get_ident()]
    taker.batches.end()


def test_rounds_follow_also_while_nothing_is_added() -> None:
    taker = Taker()
    taker.batches.start()
    for _ in range(3):
        assert taker.round.acquire(timeout=TOO_LONG)
    taker.batches.end()
    assert taker.parts == []


def test_others_have_their_turn_while_there_is_much_to_take() -> None:
    taker = Taker(interval=TOO_LONG)
    for number in range(1000):
        taker.batches.add(number)
    taker.batches.start()
    assert max(map(len, taker.parts)) == batches._AT_ONCE
    assert taker.round.acquire(blocking=False)
    assert not taker.round.acquire(blocking=False), "one round is enough for all"
    taker.batches.end()


def test_one_that_hangs_does_not_hold_up_the_end_for_longer_than_allowed() -> None:
    taker, goes_on = Taker(), threading.Event()
    taker.batches.start()
    taker.batches._then = lambda: goes_on.wait(TOO_LONG) and None
    taker.batches.end(within=0.01)
    assert taker.batches._thread.is_alive()
    goes_on.set()
    taker.batches.end()
    assert not taker.batches._thread.is_alive()


def test_one_that_was_never_begun_has_no_end_to_wait_for() -> None:
    taker = Taker()
    taker.batches.end()
    assert taker.parts == []
