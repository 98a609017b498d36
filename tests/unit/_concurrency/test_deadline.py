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
        """A coroutine function runs on the event loop."""

        async def answer() -> threading.Thread:
            await asyncio.sleep(0)
            return threading.current_thread()

        assert await within(answer, TOO_LONG) is threading.current_thread()

    async def test_plain_function_runs_in_a_thread(self) -> None:
        """A plain function runs in a thread while the loop continues."""
        loop_went_on = threading.Event()

        def answer() -> bool:
            return loop_went_on.wait(TOO_LONG)

        asyncio.get_running_loop().call_soon(loop_went_on.set)
        assert await within(answer, TOO_LONG)

    async def test_partial_is_called_as_its_method(self) -> None:
        """A partial of an async method is called as the method is."""

        class Agent:
            async def generate(self, question: str, *, suffix: str) -> str:
                return question + suffix

        agent = Agent()
        call = partial(agent.generate, "a", suffix="b")
        assert await call_within(agent.generate, call, None) == "ab"

    async def test_callable_object_is_called(self) -> None:
        """An object that can be called is called."""

        class Agent:
            async def __call__(self) -> str:
                return "from an object"

        assert await within(Agent(), None) == "from an object"
        assert await within(partial(Agent()), None) == "from an object"

    async def test_returned_awaitable_is_awaited(self) -> None:
        """An awaitable that a plain function returns is awaited."""

        async def answer() -> str:
            await asyncio.sleep(0)
            return "done"

        assert await within(lambda: answer(), TOO_LONG) == "done"  # noqa: PLW0108

    async def test_thread_has_the_callers_context(self) -> None:
        """A thread sees the context variables of its caller."""
        setting.set("of the caller")
        assert await within(lambda: setting.get(), None) == "of the caller"  # noqa: PLW0108

    async def test_plain_functions_are_not_pooled(self) -> None:
        """More plain functions run at once than a pool would have threads."""
        count = 64
        together = threading.Barrier(count)
        calls = [within(lambda: together.wait(TOO_LONG), None) for _ in range(count)]
        assert sorted(await asyncio.gather(*calls)) == list(range(count))


class TestErrors:
    async def test_an_exception_passes_through(self) -> None:
        """An exception passes through from the loop and from a thread."""

        async def answer() -> None:
            raise ValueError("from the loop")

        def answer_in_thread() -> None:
            raise ValueError("from a thread")

        with pytest.raises(ValueError, match="from the loop"):
            await within(answer, TOO_LONG)
        with pytest.raises(ValueError, match="from a thread"):
            await within(answer_in_thread, TOO_LONG)

    async def test_timeout_of_the_call_is_not_the_deadline(self) -> None:
        """A TimeoutError of the call is not the deadline."""

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
    async def test_exceptions_of_a_thread_end_the_call(self, raised: type[BaseException]) -> None:
        """Whatever a thread raises ends the call and not the loop."""

        def answer() -> None:
            raise raised

        with pytest.raises(BaseException) as caught:
            await within(answer, 2.0)
        assert not isinstance(caught.value, DeadlineExceeded)

    async def test_system_exit_ends_the_call_only(self) -> None:
        """A SystemExit in a coroutine ends the call and not the program."""

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
    async def test_late_call_is_cancelled_and_cleans_up(self) -> None:
        """A call that takes too long is cancelled and may clean up."""
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

    async def test_answer_after_the_deadline_is_late(self) -> None:
        """An answer that comes after the deadline is too late."""

        async def answer() -> str:
            try:
                await asyncio.sleep(TOO_LONG)
            except asyncio.CancelledError:
                return "late"
            return "never"

        with pytest.raises(DeadlineExceeded):
            await within(answer, SOON)

    async def test_error_in_cleanup_is_still_the_deadline(self) -> None:
        """An error while cleaning up is still reported as the deadline."""

        async def answer() -> None:
            try:
                await asyncio.sleep(TOO_LONG)
            finally:
                raise ValueError("while cleaning up")

        with pytest.raises(DeadlineExceeded):
            await within(answer, SOON)

    @pytest.mark.parametrize("limit", [None, 0, -1, 0.0])
    async def test_zero_or_negative_means_no_limit(self, limit: float | None) -> None:
        """None, 0 or a negative number of seconds means no limit."""

        async def answer() -> str:
            for _ in range(5):
                await asyncio.sleep(0)
            return "in its own time"

        assert await within(answer, limit) == "in its own time"

    async def test_time_lost_to_others_is_added(self) -> None:
        """Time that others took from the loop is added to the limit."""
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

    async def test_only_lost_time_is_added(self) -> None:
        """No more time is added than others have taken."""
        lost = iter([3.0, 3.0 + SOON, 3.0 + SOON])

        async def answer() -> None:
            await asyncio.sleep(TOO_LONG)

        with pytest.raises(DeadlineExceeded):
            await call_within(answer, answer, SOON, lambda: next(lost))
        assert list(lost) == []

    async def test_uncancellable_call_is_left_behind(self) -> None:
        """A call that ignores its cancellation is left behind."""
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

    async def test_late_thread_is_left_behind(self) -> None:
        """A thread that takes too long is left behind."""
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

    async def test_thread_may_outlive_the_loop(self) -> None:
        """A thread that ends after its loop does no harm."""
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
        """Cancelling the caller cancels the call, which may clean up."""
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

    async def test_uncancellable_call_does_not_block(self) -> None:
        """A call that ignores its cancellation does not hold up its caller."""
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

    async def test_result_despite_cancellation_is_kept(self) -> None:
        """A result that comes in spite of the cancellation is handed over."""
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

    async def test_result_before_cancellation_is_kept(self) -> None:
        """A result that came just before the cancellation is handed over."""
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

    async def test_error_after_cancellation(self) -> None:
        """An error after the cancellation is reported as the cancellation."""
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
