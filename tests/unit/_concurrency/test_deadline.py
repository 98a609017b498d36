from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._concurrency import deadline
from benchmark_runner._concurrency.deadline import (
    CancelledWithResult,
    DeadlineExceeded,
    call_within,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

#: Longer than anything here takes; reaching it fails the test.
TOO_LONG = 10.0
SOON = 0.02


async def within(function: Callable[[], object], seconds: float | None) -> object:
    return await call_within(function, function, seconds)


setting: ContextVar[str] = ContextVar("setting", default="unset")


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "CANCEL_GRACE", 0.05)


class TestCalling:
    async def test_a_coroutine_function_runs_on_the_loop(self) -> None:
        async def answer() -> threading.Thread:
            await asyncio.sleep(0)
            return threading.current_thread()

        assert await within(answer, TOO_LONG) is threading.current_thread()

    async def test_a_plain_function_runs_in_a_thread_while_the_loop_goes_on(self) -> None:
        loop_went_on = threading.Event()

        def answer() -> bool:
            return loop_went_on.wait(TOO_LONG)

        asyncio.get_running_loop().call_soon(loop_went_on.set)
        assert await within(answer, TOO_LONG)

    async def test_a_partial_of_a_method_is_called_as_what_it_wraps(self) -> None:
        class Agent:
            async def generate(self, question: str, *, suffix: str) -> str:
                return question + suffix

        agent = Agent()
        call = partial(agent.generate, "a", suffix="b")
        assert await call_within(agent.generate, call, None) == "ab"

    async def test_an_object_that_can_be_called_is_called(self) -> None:
        class Agent:
            async def __call__(self) -> str:
                return "from an object"

        assert await within(Agent(), None) == "from an object"
        assert await within(partial(Agent()), None) == "from an object"

    async def test_an_awaitable_that_a_plain_function_returns_is_awaited(self) -> None:
        async def answer() -> str:
            await asyncio.sleep(0)
            return "done"

        assert await within(lambda: answer(), TOO_LONG) == "done"  # noqa: PLW0108

    async def test_a_thread_sees_the_context_of_its_caller(self) -> None:
        setting.set("of the caller")
        assert await within(lambda: setting.get(), None) == "of the caller"  # noqa: PLW0108

    async def test_more_plain_functions_run_at_once_than_a_pool_has_threads(self) -> None:
        count = 64
        together = threading.Barrier(count)
        calls = [within(lambda: together.wait(TOO_LONG), None) for _ in range(count)]
        assert sorted(await asyncio.gather(*calls)) == list(range(count))


class TestErrors:
    async def test_an_exception_passes_through(self) -> None:
        async def answer() -> None:
            raise ValueError("from the loop")

        def answer_in_thread() -> None:
            raise ValueError("from a thread")

        with pytest.raises(ValueError, match="from the loop"):
            await within(answer, TOO_LONG)
        with pytest.raises(ValueError, match="from a thread"):
            await within(answer_in_thread, TOO_LONG)

    async def test_a_timeout_error_of_the_call_is_not_the_deadline(self) -> None:
        async def answer() -> None:
            async with asyncio.timeout(0):
                await asyncio.sleep(TOO_LONG)

        def answer_in_thread() -> None:
            raise TimeoutError

        with pytest.raises(TimeoutError):
            await within(answer, TOO_LONG)
        with pytest.raises(TimeoutError):
            await within(answer_in_thread, TOO_LONG)

    @pytest.mark.parametrize(
        "raised", [StopIteration, SystemExit, KeyboardInterrupt, asyncio.CancelledError]
    )
    async def test_whatever_a_thread_raises_ends_the_call_and_not_the_loop(
        self, raised: type[BaseException]
    ) -> None:
        def answer() -> None:
            raise raised

        with pytest.raises(BaseException) as caught:
            await within(answer, 2.0)
        assert not isinstance(caught.value, DeadlineExceeded)

    async def test_leaving_the_program_inside_a_coroutine_ends_the_call_only(self) -> None:
        async def answer() -> None:
            raise SystemExit(3)

        # In a loop of its own, which a program's exit would tear down.
        def main() -> str:
            async def call() -> str:
                try:
                    await within(answer, TOO_LONG)
                except Exception as error:  # noqa: BLE001 (which one is the runtime's choice)
                    return f"told as {type(error).__name__}"
                return "not told"

            try:
                return asyncio.run(call())
            except SystemExit:
                return "the program ended"

        assert (await asyncio.to_thread(main)).startswith("told as")


class TestDeadline:
    async def test_a_call_that_takes_too_long_is_cancelled_and_may_clean_up(self) -> None:
        cleaned = asyncio.Event()

        async def answer() -> None:
            try:
                await asyncio.sleep(TOO_LONG)
            finally:
                await asyncio.sleep(0)
                cleaned.set()

        with pytest.raises(DeadlineExceeded):
            await within(answer, SOON)
        assert cleaned.is_set()

    async def test_an_answer_after_the_deadline_comes_too_late(self) -> None:
        async def answer() -> str:
            try:
                await asyncio.sleep(TOO_LONG)
            except asyncio.CancelledError:
                return "late"
            return "never"

        with pytest.raises(DeadlineExceeded):
            await within(answer, SOON)

    async def test_an_error_while_cleaning_up_is_still_the_deadline(self) -> None:
        async def answer() -> None:
            try:
                await asyncio.sleep(TOO_LONG)
            finally:
                raise ValueError("while cleaning up")

        with pytest.raises(DeadlineExceeded):
            await within(answer, SOON)

    @pytest.mark.parametrize("limit", [None, 0, -1, 0.0])
    async def test_no_limit_zero_or_less_means_none(self, limit: float | None) -> None:
        async def answer() -> str:
            for _ in range(5):
                await asyncio.sleep(0)
            return "in its own time"

        assert await within(answer, limit) == "in its own time"

    async def test_time_that_others_have_taken_is_given_back(self) -> None:
        first_limit_reached = asyncio.Event()
        asked = 0

        def lost() -> float:
            nonlocal asked
            asked += 1
            if asked == 1:
                return 3.0  # before the call: not its business
            first_limit_reached.set()
            return 3.0 + TOO_LONG

        async def answer() -> str:
            await first_limit_reached.wait()
            return "in its own time"

        assert await call_within(answer, answer, SOON, lost) == "in its own time"

    async def test_no_more_is_given_back_than_they_have_taken(self) -> None:
        lost = iter([3.0, 3.0 + SOON, 3.0 + SOON])

        async def answer() -> None:
            await asyncio.sleep(TOO_LONG)

        with pytest.raises(DeadlineExceeded):
            await call_within(answer, answer, SOON, lambda: next(lost))
        assert list(lost) == []

    async def test_a_call_that_swallows_cancellation_is_left_behind(self) -> None:
        release = asyncio.Event()
        left = asyncio.Event()

        async def cling() -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            left.set()

        # Were it waited for, it would be until then.
        asyncio.get_running_loop().call_later(2, release.set)
        with pytest.raises(DeadlineExceeded):
            await within(cling, SOON)
        assert not release.is_set()
        release.set()
        await left.wait()

    async def test_a_thread_that_takes_too_long_is_left_behind(self) -> None:
        release = threading.Event()
        finished = threading.Event()

        def answer() -> None:
            release.wait(TOO_LONG)
            finished.set()

        with pytest.raises(DeadlineExceeded):
            await within(answer, SOON)
        assert not finished.is_set()
        release.set()
        assert await asyncio.to_thread(finished.wait, TOO_LONG)

    async def test_a_thread_that_outlives_the_loop_harms_nobody(self) -> None:
        release = threading.Event()
        threads: list[threading.Thread] = []

        def answer() -> None:
            threads.append(threading.current_thread())
            release.wait(TOO_LONG)

        def main() -> None:
            with pytest.raises(DeadlineExceeded):
                asyncio.run(within(answer, SOON))

        await asyncio.to_thread(main)
        release.set()
        await asyncio.to_thread(threads[0].join, TOO_LONG)
        assert not threads[0].is_alive()


class TestCancellation:
    async def test_cancelling_the_caller_cancels_the_call(self) -> None:
        started, cleaned = asyncio.Event(), asyncio.Event()

        async def answer() -> None:
            started.set()
            try:
                await asyncio.sleep(TOO_LONG)
            finally:
                cleaned.set()

        caller = asyncio.create_task(within(answer, None))
        await started.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert cleaned.is_set()

    async def test_a_call_that_swallows_cancellation_does_not_hold_up_its_caller(self) -> None:
        started, release = asyncio.Event(), asyncio.Event()

        async def cling() -> None:
            started.set()
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

        caller = asyncio.create_task(within(cling, None))
        await started.wait()
        caller.cancel()
        # Were it waited for, it would be until then.
        asyncio.get_running_loop().call_later(2, release.set)
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert not release.is_set()
        release.set()
        await asyncio.sleep(0)

    async def test_a_result_that_comes_all_the_same_is_handed_over(self) -> None:
        started = asyncio.Event()

        async def answer() -> str:
            started.set()
            try:
                await asyncio.sleep(TOO_LONG)
            except asyncio.CancelledError:
                return "in time"
            return "never"

        caller = asyncio.create_task(within(answer, None))
        await started.wait()
        caller.cancel()
        with pytest.raises(CancelledWithResult) as caught:
            await caller
        assert caught.value.result == "in time"

    async def test_a_result_that_was_there_just_before_is_handed_over(self) -> None:
        started, go_on = asyncio.Event(), asyncio.Event()

        async def answer() -> str:
            started.set()
            await go_on.wait()
            return "just before"

        caller = asyncio.create_task(within(answer, None))
        await started.wait()
        go_on.set()
        await asyncio.sleep(0)  # The call returns, and its caller has not heard of it yet.
        caller.cancel()
        with pytest.raises(CancelledWithResult) as caught:
            await caller
        assert caught.value.result == "just before"

    async def test_an_error_after_the_cancellation_is_the_cancellation(self) -> None:
        started = asyncio.Event()

        async def answer() -> str:
            started.set()
            try:
                await asyncio.sleep(TOO_LONG)
            finally:
                raise ValueError("while cleaning up")

        caller = asyncio.create_task(within(answer, None))
        await started.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
