"""Where a call waits when its time is over."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._concurrency.deadline import DeadlineExceeded, call_within
from benchmark_runner._concurrency.loop_watch import LoopWatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmark_runner._concurrency.stacks import Wait

pytestmark = pytest.mark.anyio


async def ask_the_model() -> None:
    await retry()


async def retry() -> None:
    await asyncio.Event().wait()


async def ask_in_a_loop() -> None:
    await asyncio.gather(ask_the_model(), retry())


async def ask_in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(ask_the_model())


async def wait_of(function: Callable[[], Awaitable[None] | None]) -> Wait:
    """Return what a call waits for that has no time left."""
    with LoopWatch(lambda _stall: None), pytest.raises(DeadlineExceeded) as caught:
        await call_within(function, function, 0.05)
    return caught.value.wait


@pytest.mark.parametrize("function", [ask_the_model, ask_in_a_loop])
async def test_place_is_where_the_call_waits(function: Callable[[], Awaitable[None]]) -> None:
    """The place is the innermost one of the author's, through all that is awaited."""
    wait = await wait_of(function)
    assert wait.place.startswith("retry() (test_stacks.py, line ")
    assert wait.place.endswith("): wait")
    assert function.__name__ in wait.stack
    assert "await asyncio.Event().wait()" in wait.stack


async def test_tasks_that_the_call_started_are_told() -> None:
    """The stacks of the tasks that a call has started are beside its own."""
    wait = await wait_of(ask_in_a_group)
    assert wait.place.startswith("ask_in_a_group() (test_stacks.py, line ")
    assert wait.stack.count("waits here, the innermost call last:") == 2
    assert "in retry\n" in wait.stack


async def test_plain_function_has_the_stack_of_its_thread() -> None:
    """The place of a plain function is that in its thread."""
    release = threading.Event()

    def block() -> None:
        release.wait(30)

    wait = await wait_of(block)
    release.set()
    assert wait.place.startswith("block() (test_stacks.py, line ")
    assert "release.wait(30)" in wait.stack
