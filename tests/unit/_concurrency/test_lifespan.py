from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from benchmark_runner._concurrency import deadline, lifespan
from benchmark_runner._concurrency.deadline import DeadlineExceeded
from benchmark_runner._concurrency.lifespan import Lifespan

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

#: Longer than anything here takes; reaching it fails the test.
TOO_LONG = 10.0
SOON = 0.02


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "CANCEL_GRACE", 0.05)
    monkeypatch.setattr(lifespan, "_HURRY", 0.05)
    monkeypatch.setattr(lifespan, "_HURRY_GRACE", 0.05)


async def nothing() -> None:
    pass


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def cling() -> None:
    """Ignore every cancellation for a while."""
    for _ in range(3):
        try:
            await asyncio.sleep(0.3)
        except asyncio.CancelledError:
            continue


class TestCalls:
    async def test_both_are_called_in_one_task(self) -> None:
        """A task group of anyio that start() enters can be closed by stop()."""
        group = anyio.create_task_group()
        ended: list[str] = []

        async def serve() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("served")

        async def start() -> None:
            await group.__aenter__()
            group.start_soon(serve)

        async def stop() -> None:
            group.cancel_scope.cancel()
            await group.__aexit__(None, None, None)

        life = Lifespan(start, stop)
        await life.start(TOO_LONG)
        await asyncio.sleep(SOON)
        assert ended == []
        await life.stop(TOO_LONG)
        assert ended == ["served"]

    async def test_plain_functions_run_in_threads(self) -> None:
        """Plain functions are called in threads while the loop continues."""
        went_on, threads = threading.Event(), list[threading.Thread]()

        def call() -> None:
            assert went_on.wait(TOO_LONG)
            threads.append(threading.current_thread())

        asyncio.get_running_loop().call_soon(went_on.set)
        life = Lifespan(call, call)
        await life.start(TOO_LONG)
        await life.stop(TOO_LONG)
        assert len(threads) == 2
        assert threading.current_thread() not in threads

    async def test_failed_group_is_closed_at_once(self) -> None:
        """A task group that fails meanwhile is closed by stop(), in its own task."""
        group = anyio.create_task_group()
        closed = asyncio.Event()

        async def fail() -> None:
            raise ConnectionError("the server died")

        async def start() -> None:
            await group.__aenter__()
            group.start_soon(fail)

        async def stop() -> None:
            closed.set()
            await group.__aexit__(None, None, None)

        life = Lifespan(start, stop)
        await life.start(TOO_LONG)
        await asyncio.wait_for(closed.wait(), TOO_LONG)
        with pytest.raises(ExceptionGroup):
            await life.stop(TOO_LONG)

    async def test_stop_may_cancel_tasks_of_start(self) -> None:
        """A task that start() left running can be cancelled by stop()."""
        left: list[asyncio.Task[None]] = []

        async def start() -> None:
            left.append(asyncio.create_task(wait_for_ever()))

        async def stop() -> None:
            left[0].cancel()
            await asyncio.wait(left)

        life = Lifespan(start, stop)
        await life.start(TOO_LONG)
        await life.stop(TOO_LONG)
        assert left[0].cancelled()

    async def test_stop_is_called_only_after_a_start(self) -> None:
        """There is nothing to stop where nothing was started."""
        stopped: list[None] = []
        await Lifespan(nothing, lambda: stopped.append(None)).stop(TOO_LONG)
        assert stopped == []


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ValueError("no"), ValueError),
        (SystemExit(3), RuntimeError),
        (asyncio.CancelledError(), RuntimeError),
        (GeneratorExit(), RuntimeError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
@pytest.mark.parametrize("plain", [False, True], ids=["coroutine", "plain"])
async def test_errors_are_raised_as_of_any_call(
    error: BaseException, raised: type[Exception], *, plain: bool
) -> None:
    """An error of either call is raised, and none of them ends more than the call."""

    def fail() -> None:
        raise error

    async def fail_on_the_loop() -> None:
        raise error

    failing: Callable[[], object] = fail if plain else fail_on_the_loop
    life, stopped = Lifespan(failing, lambda: stopped.append(None)), list[None]()
    with pytest.raises(raised):
        await life.start(TOO_LONG)
    await life.stop(TOO_LONG)
    assert stopped == []

    life = Lifespan(nothing, failing)
    await life.start(TOO_LONG)
    with pytest.raises(raised):
        await life.stop(TOO_LONG)


class TestBounds:
    @pytest.mark.parametrize("hanging", [wait_for_ever, cling, threading.Event().wait])
    async def test_hanging_calls_are_stopped(self, hanging: Callable[[], object]) -> None:
        """A call that hangs is stopped at its limit, and one that clings is abandoned."""
        async with asyncio.timeout(TOO_LONG):
            life = Lifespan(hanging, nothing)
            with pytest.raises(DeadlineExceeded):
                await life.start(SOON)
            await life.stop(TOO_LONG)
            life = Lifespan(nothing, hanging)
            await life.start(None)
            with pytest.raises(DeadlineExceeded):
                await life.stop(SOON)

    async def test_place_of_the_wait_is_told(self) -> None:
        """The error of a call that hangs tells where it waits."""
        with pytest.raises(DeadlineExceeded, match="wait_for_ever"):
            await Lifespan(wait_for_ever, nothing).start(SOON)

    @pytest.mark.parametrize("hanging", [wait_for_ever, cling, threading.Event().wait])
    async def test_cancellation_ends_a_hanging_start(self, hanging: Callable[[], object]) -> None:
        """A cancellation ends a start() that hangs."""
        life = Lifespan(hanging, nothing)
        starting = asyncio.create_task(life.start(None))
        await asyncio.sleep(SOON)
        starting.cancel()
        async with asyncio.timeout(TOO_LONG):
            with pytest.raises(asyncio.CancelledError):
                await starting
            await life.stop(TOO_LONG)

    @pytest.mark.parametrize("at", ["before", "meanwhile"])
    async def test_cancelled_caller_hurries_stop(self, at: str) -> None:
        """Once the caller is cancelled, stop() gets little time."""
        begun = asyncio.Event()

        async def stop() -> None:
            begun.set()
            await cling()

        life = Lifespan(nothing, stop)

        async def live() -> None:
            await life.start(None)
            try:
                if at == "before":
                    await wait_for_ever()
            finally:
                await life.stop(1000)

        living = asyncio.create_task(live())
        if at == "meanwhile":
            await begun.wait()
        else:
            await asyncio.sleep(SOON)
        living.cancel()
        async with asyncio.timeout(TOO_LONG):
            with pytest.raises((asyncio.CancelledError, DeadlineExceeded)):
                await living
        assert begun.is_set()

    async def test_start_that_ends_late_is_stopped(self) -> None:
        """A start() that returns although it was cancelled has opened what stop() is to close."""
        stopped: list[None] = []

        async def start() -> None:
            try:
                await wait_for_ever()
            except asyncio.CancelledError:
                return

        life = Lifespan(start, lambda: stopped.append(None))
        with pytest.raises(DeadlineExceeded):
            await life.start(SOON)
        await life.stop(TOO_LONG)
        assert len(stopped) == 1
