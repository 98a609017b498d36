from __future__ import annotations

import asyncio
from typing import Any

from benchmark_runner._concurrency.deadline import call_within
from benchmark_runner._concurrency.run_loop import RunLoop


async def nothing() -> None:
    pass


class TestCreateTask:
    def test_authors_factory_is_for_the_authors_tasks(self) -> None:
        """A task factory that an author's code sets starts no task of the framework."""
        made: list[str | None] = []

        def factory(
            loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
        ) -> asyncio.Task[Any]:
            task = asyncio.Task(coroutine, loop=loop, **options)
            made.append(task.get_name())
            return task

        async def author() -> None:
            asyncio.get_running_loop().set_task_factory(factory)
            await asyncio.create_task(nothing(), name="the author's")

        async def main() -> None:
            await call_within(author, author, None)
            await asyncio.create_task(nothing(), name="the framework's")

        loop = RunLoop(lambda _author, _text: None)
        try:
            loop.run_until_complete(main())
        finally:
            loop.end()
        assert len(made) == 1
