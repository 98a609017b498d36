from __future__ import annotations

import asyncio

import pytest

from benchmark_runner.client.adaptive_limit import AdaptiveLimit

pytestmark = pytest.mark.anyio


class Work:
    """Something that holds a place until it is told to end."""

    def __init__(self, limit: AdaptiveLimit) -> None:
        self.began: int | None = None
        self.end = asyncio.Event()
        self._limit = limit
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._limit as began:
            self.began = began
            await self.end.wait()

    @property
    def under_way(self) -> bool:
        return self.began is not None and not self.task.done()

    async def finish(self) -> None:
        self.end.set()
        await self.task


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def start(limit: AdaptiveLimit, count: int) -> list[Work]:
    works = [Work(limit) for _ in range(count)]
    await settle()
    return works


def under_way(works: list[Work]) -> list[bool]:
    return [work.under_way for work in works]


class TestPlaces:
    async def test_places_are_taken_in_order(self) -> None:
        """A free place is taken at once; others wait in order."""
        works = await start(AdaptiveLimit(2), 4)
        assert under_way(works) == [True, True, False, False]
        await works[1].finish()
        await settle()
        assert under_way(works) == [True, False, True, False]
        await works[0].finish()
        await settle()
        assert under_way(works) == [False, False, True, True]

    async def test_cancelled_waiter_is_skipped(self) -> None:
        """A waiter that was cancelled is skipped."""
        works = await start(AdaptiveLimit(1), 3)
        works[1].task.cancel()
        await settle()
        await works[0].finish()
        await settle()
        assert under_way(works) == [False, False, True]

    async def test_cancelled_waiter_passes_its_turn_on(self) -> None:
        """A waiter that is cancelled as its turn comes passes the turn on."""
        limit = AdaptiveLimit(1)
        async with limit:
            works = await start(limit, 2)
        works[0].task.cancel()  # its turn has come, but it has not run since
        await settle()
        assert works[0].began is None
        assert under_way(works) == [False, True]

    async def test_failure_frees_its_place(self) -> None:
        """A place is free again after an error."""
        limit = AdaptiveLimit(1)
        with pytest.raises(ValueError, match="no"):
            async with limit:
                raise ValueError("no")
        assert under_way(await start(limit, 1)) == [True]


class TestLimit:
    async def test_burst_cuts_the_limit_once(self) -> None:
        """A burst of cuts halves the limit once."""
        limit = AdaptiveLimit(10)
        burst = await start(limit, 10)
        for work in burst:
            limit.cut(work.began)
        assert limit.allowed == 5
        waiting = await start(limit, 1)
        for work in burst[:5]:
            await work.finish()
        await settle()
        assert under_way(waiting) == [False]
        await burst[5].finish()
        await settle()
        assert under_way(waiting) == [True]
        limit.cut(waiting[0].began)
        assert limit.allowed == 2

    async def test_limit_never_falls_below_one(self) -> None:
        """The limit never falls below one."""
        limit = AdaptiveLimit(3)
        for allowed in (1, 1):
            async with limit as began:
                limit.cut(began)
            assert limit.allowed == allowed

    async def test_successes_raise_the_limit_slowly(self) -> None:
        """Successes raise the limit slowly, up to its first value."""
        limit = AdaptiveLimit(8)
        async with limit as began:
            limit.cut(began)
        seen: list[int] = []
        for _ in range(40):
            async with limit:
                limit.grow()
            seen.append(limit.allowed)
        assert seen[:4] == [4, 4, 4, 4]
        assert seen == sorted(seen)
        assert seen[-1] == 8

    async def test_raised_limit_admits_waiters(self) -> None:
        """A limit that grew lets in those that wait."""
        limit = AdaptiveLimit(2)
        async with limit as began:
            limit.cut(began)
        works = await start(limit, 3)
        assert under_way(works) == [True, False, False]
        limit.grow()
        await works[0].finish()
        await settle()
        assert under_way(works) == [False, True, True]
