"""What keeps the event loop from its work is really kept from it here, by code that blocks."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._concurrency import deadline, loop_watch
from benchmark_runner._concurrency.deadline import DeadlineExceeded, call_within
from benchmark_runner._concurrency.loop_watch import LoopWatch, Stall

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Agent = Callable[[], Awaitable[object]]

pytestmark = pytest.mark.anyio

#: Longer than anything here takes; reaching it fails the test.
TOO_LONG = 10.0
BLOCKED_AFTER = 0.2


@pytest.fixture(autouse=True)
def shorter_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_watch, "BLOCKED_AFTER", BLOCKED_AFTER)
    monkeypatch.setattr(loop_watch, "_BEAT", 0.1)
    monkeypatch.setattr(deadline, "CANCEL_GRACE", 0.05)


@pytest.fixture
def unreported(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stall here is long enough."""
    monkeypatch.setattr(loop_watch, "BLOCKED_AFTER", TOO_LONG)


class Watched:
    """A watch, and what it has reported."""

    def __init__(self) -> None:
        self.reports: list[Stall] = []
        self.watch = LoopWatch(self._note)
        reported.clear()

    def _note(self, blocked: Stall) -> None:
        assert threading.current_thread() is not threading.main_thread()
        self.reports.append(blocked)
        reported.set()

    async def run(
        self, task_id: str, agent: Agent, limit: float | None = None, repeat: int = 1
    ) -> object:
        """Run an agent for a repeat of a task, as the engine does."""
        owner = (task_id, repeat)

        def lost() -> float:
            return self.watch.lost_by_others(owner)

        return await call_within(agent, agent, limit, lost, owner=owner)


reported = threading.Event()


def block() -> None:
    """Keep the loop from everything else until somebody has noticed, and for a while more."""
    reported.clear()
    assert reported.wait(TOO_LONG), "nobody has noticed"
    time.sleep(3 * loop_watch._BEAT)


async def stall() -> None:
    block()


async def in_a_task() -> None:
    await asyncio.create_task(stall())


async def gathered() -> None:
    await asyncio.gather(asyncio.sleep(0), stall())


async def in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(stall())


async def in_a_task_of_a_task() -> None:
    await asyncio.create_task(in_a_task())


class TestReporting:
    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("agent", [stall, in_a_task, gathered, in_a_group, in_a_task_of_a_task])
    async def test_blocking_code_is_reported_once(self, agent: Agent) -> None:
        """Code that does not yield is reported once, with its task and its stack."""
        watched = Watched()
        with watched.watch:
            await asyncio.gather(
                watched.run("innocent", lambda: asyncio.sleep(0.1)), watched.run("t1", agent)
            )
        (blocked,) = watched.reports
        assert blocked.owner == ("t1", 1)
        assert BLOCKED_AFTER <= blocked.seconds < TOO_LONG
        assert "in stall\n    block()" in blocked.stack

    async def test_blocking_callback_has_no_task(self) -> None:
        """A callback that does not yield is reported without a task."""
        watched, over = Watched(), asyncio.Event()

        def callback() -> None:
            block()
            over.set()

        async def start_it() -> None:
            asyncio.get_running_loop().call_soon(callback)
            await over.wait()

        with watched.watch:
            await watched.run("t1", start_it)
        (blocked,) = watched.reports
        assert blocked.owner is None
        assert "in callback" in blocked.stack

    async def test_each_stall_is_reported(self) -> None:
        """Each stall of a task is reported."""
        watched = Watched()

        async def stall_twice() -> None:
            block()
            await asyncio.sleep(2 * loop_watch._BEAT)
            block()

        with watched.watch:
            await watched.run("t1", stall_twice)
        assert [blocked.owner for blocked in watched.reports] == [("t1", 1), ("t1", 1)]

    async def test_without_a_stall_nothing_is_reported(self, unreported: None) -> None:
        """Without a long stall nothing is reported."""
        watched = Watched()

        async def stall_for_less() -> None:
            time.sleep(3 * loop_watch._BEAT)  # noqa: ASYNC251 (that is the point)

        with watched.watch:
            await watched.run("t1", lambda: asyncio.sleep(3 * loop_watch._BEAT))
            await watched.run("t1", stall_for_less)
        assert watched.reports == []

    async def test_plain_function_blocks_nobody(self) -> None:
        """A plain function in its thread is not reported."""
        watched, beats = Watched(), 0
        enough = threading.Event()

        async def count_beats() -> None:
            nonlocal beats
            while not enough.is_set():
                await asyncio.sleep(0.05)
                beats += 1
                if beats * 0.05 > 2 * BLOCKED_AFTER:
                    enough.set()

        def wait() -> bool:
            return enough.wait(TOO_LONG)

        with watched.watch:
            counting = asyncio.create_task(count_beats())
            assert await call_within(wait, wait, None, owner=("t1", 1))
            await counting
        assert ("t1", 1) not in [blocked.owner for blocked in watched.reports]

    async def test_watch_leaves_nothing_behind(self) -> None:
        """After the watch, the task factory is restored and its thread has ended."""
        loop = asyncio.get_running_loop()

        def factory(
            loop: asyncio.AbstractEventLoop, coro: object, **options: object
        ) -> asyncio.Task[object]:
            return asyncio.Task(coro, loop=loop, **options)  # type: ignore[arg-type]

        loop.set_task_factory(factory)  # type: ignore[arg-type]
        watched = Watched()
        with watched.watch:
            assert loop.get_task_factory() is not factory
        assert loop.get_task_factory() is factory
        loop.set_task_factory(None)
        (watching,) = [one for one in threading.enumerate() if one.name == "loop-watch"]
        await asyncio.to_thread(watching.join, TOO_LONG)
        assert not watching.is_alive()
        time.sleep(2 * BLOCKED_AFTER)  # noqa: ASYNC251 (that is the point)
        await asyncio.sleep(2 * loop_watch._BEAT)
        assert watched.reports == []


#: What an agent may take that takes a third of it, but for the stalls of others.
LIMIT = 0.9
LONGER_THAN_THE_LIMIT = 1.2


async def in_small_steps() -> str:
    """Take 0.3 seconds, most of them in any case after a stall that comes soon."""
    for _ in range(6):
        await asyncio.sleep(0.05)
    return "done"


def block_for_longer_than_the_limit() -> None:
    time.sleep(LONGER_THAN_THE_LIMIT)


async def stall_for_longer_than_the_limit() -> None:
    block_for_longer_than_the_limit()


async def start_one_that_stalls() -> None:
    await asyncio.create_task(stall_for_longer_than_the_limit())


class TestTimeLimits:
    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("agent", [stall_for_longer_than_the_limit, start_one_that_stalls])
    async def test_stall_does_not_count_for_others(self, agent: Agent) -> None:
        """A stall does not count against the time limits of other tasks."""
        watched = Watched()

        async def soon_stall() -> None:
            await asyncio.sleep(0.1)
            await agent()

        with watched.watch:
            answered = asyncio.create_task(watched.run("innocent", in_small_steps, LIMIT))
            await watched.run("t1", soon_stall)
            assert await answered == "done"

    async def test_short_stall_does_not_count_either(self, unreported: None) -> None:
        """A stall too short to be reported does not count against others either."""
        await self.test_stall_does_not_count_for_others(stall_for_longer_than_the_limit)

    async def test_stall_of_a_callback_does_not_count(self) -> None:
        """A stall of a callback does not count against a task's limit."""
        watched = Watched()
        with watched.watch:
            asyncio.get_running_loop().call_later(0.1, block_for_longer_than_the_limit)
            assert await watched.run("innocent", in_small_steps, LIMIT) == "done"

    async def test_really_late_call_is_ended(self) -> None:
        """A call that takes too long by itself is ended in spite of stalls of others."""
        watched = Watched()
        with watched.watch:
            waiting = asyncio.create_task(watched.run("innocent", asyncio.Event().wait, 0.2))
            await watched.run("t1", stall)
            with pytest.raises(DeadlineExceeded):
                async with asyncio.timeout(TOO_LONG):
                    await waiting

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("agent", [stall_for_longer_than_the_limit, start_one_that_stalls])
    async def test_own_stall_counts(self, agent: Agent) -> None:
        """A task's own stall counts against its limit."""
        watched = Watched()

        async def stall_and_go_on() -> str:
            await agent()
            await in_small_steps()
            return await in_small_steps()

        with watched.watch, pytest.raises(DeadlineExceeded):
            await watched.run("t1", stall_and_go_on, LIMIT)

    @pytest.mark.parametrize("other", [("t2", 1), ("t1", 2)], ids=["task", "repeat"])
    async def test_stalls_of_two_are_counted_apart(self, other: tuple[str, int]) -> None:
        """Of two tasks, or two repeats of one, that stall, each pays for its own stall only."""
        watched = Watched()

        async def stall_and_go_on() -> str:
            time.sleep(LIMIT / 2)  # noqa: ASYNC251 (that is the point)
            return await in_small_steps()

        with watched.watch:
            done, _ = await asyncio.gather(
                watched.run("t1", stall_and_go_on, LIMIT),
                watched.run(other[0], stall_for_longer_than_the_limit, repeat=other[1]),
            )
        assert done == "done"
