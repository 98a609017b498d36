"""The inputs of tasks, fetched with the client of the run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from benchmark_runner.client.service_client import BenchmarkServiceClient

__all__ = ["InputSource"]


@dataclass(frozen=True, slots=True)
class InputSource:
    """The service of a run, for code of the author in any event loop.

    Attributes:
        connect: Returns the client of the run, connected when it is needed first.
        loop: The event loop of the run; ``None`` for any.
    """

    connect: Callable[[], Awaitable[BenchmarkServiceClient]]
    loop: asyncio.AbstractEventLoop | None = None

    async def fetch(self, dataset: str | None, task_id: str, folder: Path) -> list[Path]:
        """Fetch the inputs of a task, as :func:`benchmark_runner.client.inputs.fetch_inputs`."""
        fetched = self._fetch(dataset, task_id, folder)
        if self.loop is None or self.loop is asyncio.get_running_loop():
            return await fetched
        # A plain def runs in a thread, and may have a loop of its own.
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(fetched, self.loop))

    async def _fetch(self, dataset: str | None, task_id: str, folder: Path) -> list[Path]:
        from benchmark_runner.client.inputs import fetch_inputs

        client = await self.connect()
        return await fetch_inputs(client.calls, dataset, task_id, folder)
