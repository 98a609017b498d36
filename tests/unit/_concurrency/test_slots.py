from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._concurrency.slots import Slot, Slots, sleep_without_slot
from benchmark_runner._progress.events import (
    EvaluationFinished,
    EvaluationStopped,
    Event,
    GenerationFinished,
)
from benchmark_runner._run import engine as engine_module
from benchmark_runner.client.retry import RetryPolicy, TransientError, call_with_retries
from benchmark_runner.errors import AuthenticationError, ServiceError
from tests.fakes import TOO_LONG, EngineRun, first, grade, make_plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from benchmark_runner.schemas import EvalResult, GenerationResult

pytestmark = pytest.mark.anyio


class Rests:
    """Stands in for the sleep of those that rest: it ends when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._begun = asyncio.Condition()
        self._asleep: list[asyncio.Future[None]] = []
        self._monkeypatch = monkeypatch
        monkeypatch.setattr("benchmark_runner._concurrency.slots.asyncio", self)

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        waking = asyncio.get_running_loop().create_future()
        self._asleep.append(waking)
        async with self._begun:
            self._begun.notify_all()
        await waking

    async def until(self, count: int) -> None:
        """Wait until so many have gone to rest."""
        async with self._begun, asyncio.timeout(TOO_LONG):
            await self._begun.wait_for(lambda: len(self._asleep) >= count)

    def wake_all(self) -> None:
        for waking in self._asleep:
            if not waking.done():
                waking.set_result(None)
        self._asleep.clear()


@pytest.fixture
async def rests(monkeypatch: pytest.MonkeyPatch) -> Rests:
    return Rests(monkeypatch)


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def free_places(slots: Slots, most: int) -> int:
    """How many can be taken at once; more than ``most`` is one too many."""
    taken = [asyncio.create_task(slots.take()) for _ in range(most + 1)]
    await settle()
    count = sum(task.done() for task in taken)
    for task in taken:
        task.cancel()
    await asyncio.wait(taken)
    for task in taken:
        if not task.cancelled():
            task.result().end()
    return count


@asynccontextmanager
async def work(slots: Slots, do: Callable[[], Awaitable[object]]) -> AsyncIterator[Any]:
    """One piece of work that holds a place, as the engine gives it one."""
    slot = await slots.take()

    async def run() -> None:
        slot.make_current()
        await do()

    task = asyncio.create_task(run())
    task.add_done_callback(lambda _: slot.end())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def take_from_resting(slots: Slots, rests: Rests) -> Slot:
    """Take the slot of one that rests, and wake that one, which has to wait for a slot."""
    await rests.until(1)
    other = await slots.take()
    rests.wake_all()
    await settle()
    return other


class TestAPlace:
    async def test_slot_is_free_while_its_holder_rests(self, rests: Rests) -> None:
        """A slot is free while its holder rests."""
        slots = Slots(1)
        go_on = asyncio.Event()

        async def work_and_rest() -> None:
            await go_on.wait()
            await sleep_without_slot(1)

        async with work(slots, work_and_rest) as task:
            assert await free_places(slots, 1) == 0
            go_on.set()
            await rests.until(1)
            assert await free_places(slots, 1) == 1
            rests.wake_all()
            await task
        assert await free_places(slots, 1) == 1

    async def test_rested_holder_waits_for_a_free_slot(self, rests: Rests) -> None:
        """A holder that has rested waits until a slot is free."""
        slots = Slots(1)
        async with work(slots, lambda: sleep_without_slot(1)) as task:
            other = await take_from_resting(slots, rests)
            assert not task.done()
            other.end()
            await task
        assert await free_places(slots, 1) == 1

    async def test_cancelled_rest_frees_the_slot_once(self, rests: Rests) -> None:
        """A cancellation while resting leaves the slot free, once."""
        slots = Slots(2)
        async with work(slots, lambda: sleep_without_slot(1)) as task:
            await rests.until(1)
            task.cancel()
        assert await free_places(slots, 2) == 2

    async def test_cancelled_wait_frees_the_slot_once(self, rests: Rests) -> None:
        """A cancellation while waiting for the slot leaves it free, once."""
        slots = Slots(1)
        async with work(slots, lambda: sleep_without_slot(1)) as task:
            other = await take_from_resting(slots, rests)
            task.cancel()
            await asyncio.wait({task})
            other.end()
        assert await free_places(slots, 1) == 1

    async def test_cancelled_return_frees_the_slot_once(self, rests: Rests) -> None:
        """A cancellation just as the slot comes back leaves it free, once."""
        slots = Slots(1)
        async with work(slots, lambda: sleep_without_slot(1)) as task:
            other = await take_from_resting(slots, rests)
            other.end()
            task.cancel()
        assert await free_places(slots, 1) == 1

    async def test_calls_of_one_work_share_a_slot(self, rests: Rests) -> None:
        """Several calls of the same work share one slot."""
        slots = Slots(1)

        async def two_calls() -> None:
            await asyncio.gather(sleep_without_slot(1), sleep_without_slot(1))

        async with work(slots, two_calls) as task:
            await rests.until(2)
            rests.wake_all()
            async with asyncio.timeout(TOO_LONG):
                await task
        assert await free_places(slots, 1) == 1

    async def test_leftover_task_takes_no_slot(self, rests: Rests) -> None:
        """A task that the work left behind takes no slot."""
        slots = Slots(1)
        left_behind: list[asyncio.Task[None]] = []

        async def leave_something_behind() -> None:
            left_behind.append(asyncio.create_task(sleep_without_slot(1)))
            await rests.until(1)

        async with work(slots, leave_something_behind) as task:
            await task
        rests.wake_all()
        async with asyncio.timeout(TOO_LONG):
            await left_behind[0]
        assert await free_places(slots, 1) == 1

    async def test_work_that_ends_waiting_takes_no_slot(self, rests: Rests) -> None:
        """Work that ends while it waits for its slot takes none."""
        slots = Slots(1)
        left_behind: list[asyncio.Task[None]] = []
        go_on = asyncio.Event()

        async def leave_something_behind() -> None:
            left_behind.append(asyncio.create_task(sleep_without_slot(1)))
            await go_on.wait()

        async with work(slots, leave_something_behind) as task:
            other = await take_from_resting(slots, rests)
            # What is left behind waits for the other's slot now.
            go_on.set()
            await task
            other.end()
            async with asyncio.timeout(TOO_LONG):
                await left_behind[0]
        assert await free_places(slots, 1) == 1

    async def test_rest_without_a_slot_is_a_sleep(self, rests: Rests) -> None:
        """Without a slot, rest() only sleeps."""
        resting = asyncio.create_task(sleep_without_slot(1))
        await rests.until(1)
        rests.wake_all()
        await resting


class Service:
    """Grades; what it is asked first it can't do yet, and it counts what is under way."""

    def __init__(self, *unavailable: str) -> None:
        self.unavailable = list(unavailable)
        self.graded: list[str] = []
        self.refuses = False
        self.refused = 0
        self.now = self.highest = 0

    async def __call__(self, task_id: str, generation: GenerationResult) -> EvalResult:
        # As the client does it: tries, with rests between them.
        async def try_once() -> None:
            await self._grade(task_id)

        await call_with_retries(try_once, RetryPolicy(first_wait=0))
        return await grade(task_id, generation)

    async def _grade(self, task_id: str) -> None:
        self.now += 1
        self.highest = max(self.highest, self.now)
        try:
            await settle()
            if self.refuses:
                self.refused += 1
                raise AuthenticationError("no longer")
            if task_id in self.unavailable:
                self.unavailable.remove(task_id)
                raise TransientError("503", status_code=503, retry_after=1.0)
            self.graded.append(task_id)
        finally:
            self.now -= 1


class Run(EngineRun):
    def __init__(self, results: Path, service: Service, count: int) -> None:
        super().__init__(results)
        self.listen = self._listen
        self._heard = asyncio.Event()
        self.script(count, evaluate=service)

    async def grade(self, eval_parallelism: int) -> object:
        return await self(parallelism=len(self.tasks), eval_parallelism=eval_parallelism)

    async def until(self, kind: type[Event], count: int) -> None:
        """Wait until so many events of a kind have been told."""
        async with asyncio.timeout(TOO_LONG):
            while sum(isinstance(event, kind) for event in self.events) < count:
                self._heard.clear()
                await self._heard.wait()

    def _listen(self, event: Event) -> None:
        self.events.append(event)
        self._heard.set()


class TestGradings:
    async def test_waiting_retry_lets_others_be_evaluated(
        self, tmp_path: Path, rests: Rests
    ) -> None:
        """While one evaluation waits for its retry, others are evaluated."""
        service = Service("t1")
        run = Run(tmp_path, service, 3)
        running = asyncio.create_task(run.grade(1))
        await rests.until(1)
        await run.until(EvaluationFinished, 2)
        assert sorted(service.graded) == ["t2", "t3"]
        rests.wake_all()
        assert await running is None
        assert sorted(service.graded) == ["t1", "t2", "t3"]
        assert not make_plan(run.artifacts, run.ids)

    async def test_limit_holds_after_a_rest(self, tmp_path: Path, rests: Rests) -> None:
        """No more evaluations run than allowed, also when all return from a rest."""
        ids = [f"t{number}" for number in range(1, 9)]
        service = Service(*ids)
        run = Run(tmp_path, service, len(ids))
        running = asyncio.create_task(run.grade(2))
        await rests.until(len(ids))
        assert service.highest <= 2
        rests.wake_all()
        await running
        assert sorted(service.graded) == ids
        assert service.highest == 2

    async def test_number_of_waiting_is_limited(self, tmp_path: Path, rests: Rests) -> None:
        """The number of evaluations that wait for a retry is limited."""
        ids = [f"t{number}" for number in range(1, 21)]
        service = Service(*ids)
        run = Run(tmp_path, service, len(ids))
        running = asyncio.create_task(run.grade(2))
        room = (1 + engine_module._WAITING_PER_SLOT) * 2
        await rests.until(room)
        await run.until(GenerationFinished, len(ids))
        await settle()
        assert len(rests._asleep) == room
        while not running.done():
            rests.wake_all()
            await asyncio.sleep(0)
        assert sorted(service.graded) == sorted(ids)

    async def test_refusal_ends_resting_evaluations(self, tmp_path: Path, rests: Rests) -> None:
        """A refused key ends the evaluations that rest, and they stay to be done."""
        service = Service("t1", "t2")
        run = Run(tmp_path, service, 2)
        running = asyncio.create_task(run.grade(2))
        await rests.until(2)
        service.refuses = True
        rests._asleep[0].set_result(None)
        refused = await running
        assert isinstance(refused, ServiceError)
        assert service.graded == []
        assert sorted(make_plan(run.artifacts, run.ids).evaluate) == first("t1", "t2")
        stopped = [event.task_id for event in run.events if isinstance(event, EvaluationStopped)]
        assert sorted(stopped) == ["t1", "t2"]

    async def test_refusal_ends_waiting_evaluations(self, tmp_path: Path, rests: Rests) -> None:
        """A refused key ends the evaluations that wait, without another request."""
        service = Service("t1", "t2", "t3")
        run = Run(tmp_path, service, 3)
        running = asyncio.create_task(run.grade(1))
        await rests.until(3)
        service.refuses = True
        rests.wake_all()
        assert isinstance(await running, ServiceError)
        assert service.refused == 1
        assert sorted(make_plan(run.artifacts, run.ids).evaluate) == first("t1", "t2", "t3")
