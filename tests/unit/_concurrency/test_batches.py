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


def test_items_are_taken_in_order() -> None:
    """All items are taken in order, in another thread, until the end."""
    taker = Taker()
    taker.batches.start()
    for number in range(10_000):
        taker.batches.add(number)
    taker.batches.end()
    assert taker.taken == [*range(10_000)]
    assert threading.get_ident() not in taker.threads


def test_early_items_are_taken_at_the_start() -> None:
    """Items that are there at the start are taken before start() returns."""
    taker = Taker(interval=TOO_LONG)
    taker.batches.add(1)
    taker.batches.start()
    assert taker.taken == [1]
    assert taker.threads == [threading.get_ident()]
    taker.batches.end()


def test_rounds_continue_without_items() -> None:
    """Rounds follow each other also while nothing is added."""
    taker = Taker()
    taker.batches.start()
    for _ in range(3):
        assert taker.round.acquire(timeout=TOO_LONG)
    taker.batches.end()
    assert taker.parts == []


def test_large_batches_are_taken_in_parts() -> None:
    """Many items are taken in parts, so that other threads have their turn."""
    taker = Taker(interval=TOO_LONG)
    for number in range(1000):
        taker.batches.add(number)
    taker.batches.start()
    assert max(map(len, taker.parts)) == batches._AT_ONCE
    assert taker.round.acquire(blocking=False)
    assert not taker.round.acquire(blocking=False), "one round is enough for all"
    taker.batches.end()


def test_hanging_round_does_not_delay_the_end() -> None:
    """A round that hangs holds up the end no longer than allowed."""
    taker, goes_on = Taker(), threading.Event()
    taker.batches.start()
    taker.batches._then = lambda: goes_on.wait(TOO_LONG) and None
    taker.batches.end(within=0.01)
    assert taker.batches._thread.is_alive()
    goes_on.set()
    taker.batches.end()
    assert not taker.batches._thread.is_alive()


def test_unstarted_batches_end_at_once() -> None:
    """Batches that were never started end at once."""
    taker = Taker()
    taker.batches.end()
    assert taker.parts == []
