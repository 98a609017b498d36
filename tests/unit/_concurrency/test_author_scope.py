from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from benchmark_runner._concurrency.deadline import call_within
from benchmark_runner._concurrency.run_loop import RunLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Shared = asyncio.Task[str]


def beside_another_call(cancel: Callable[[Shared], Awaitable[object]]) -> Shared:
    """Let one call ``cancel`` what it wants to, beside a call that awaits a task of its own.

    Return that task, once both calls are over.
    """

    async def main() -> Shared:
        begun: asyncio.Future[Shared] = asyncio.get_running_loop().create_future()
        go_on = asyncio.Event()

        async def work() -> str:
            await go_on.wait()
            return "done"

        async def other() -> None:
            shared = asyncio.create_task(work())
            begun.set_result(shared)
            await asyncio.wait([shared])

        async def canceller() -> None:
            with suppress(RuntimeError):  # it may cancel only tasks that it started
                await cancel(await begun)

        others = asyncio.create_task(call_within(other, other, None))
        await call_within(canceller, canceller, None)
        go_on.set()
        await others
        return begun.result()

    loop = RunLoop(lambda _author, _text: None)
    try:
        return loop.run_until_complete(main())
    finally:
        loop.end()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def cancel_all(first: asyncio.Task[Any]) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in sorted(others, key=lambda task: task is not first):
        task.cancel()


class TestCancellation:
    def test_shared_task_may_be_cancelled(self) -> None:
        """A call may cancel a task that another one started, as a pool does with connections."""

        async def cancel(shared: Shared) -> None:
            shared.cancel()
            await settle()

        assert beside_another_call(cancel).cancelled()

    def test_cancelling_everything_spares_other_calls(self) -> None:
        """A call that cancels all tasks cancels none that another call has started."""

        async def cancel(shared: Shared) -> None:
            try:
                cancel_all(shared)
            finally:
                await settle()

        assert beside_another_call(cancel).result() == "done"

    def test_own_task_ends_with_what_it_waits_for(self) -> None:
        """A call that cancels a task of its own, and then all, is not left waiting for it."""

        async def cancel(shared: Shared) -> None:
            async def wait() -> str:
                return await shared

            own = asyncio.create_task(wait())
            await settle()
            with suppress(RuntimeError):
                cancel_all(own)
            async with asyncio.timeout(10):
                await asyncio.wait([own])
            assert own.cancelled()

        assert beside_another_call(cancel).cancelled()
