"""The connection of a run to its service, pinned to the run's version of the dataset."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from benchmark_runner._run.dataset_version import (
    choose_version,
    pin_to_recorded,
    record_version,
)
from benchmark_runner.base.inputs import InputSource

if TYPE_CHECKING:
    from benchmark_runner._run.session import Session
    from benchmark_runner._run.task_source import Connect
    from benchmark_runner.client.service_client import BenchmarkServiceClient


@dataclass(slots=True)
class RunService:
    """The service of a run. One that lists the run's tasks is connected when the run is opened."""

    connect: Connect
    _is_open: bool = False
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self, session: Session, *, has_grades: bool) -> None:
        """Connect to the service that evaluates, and pin it to the version of the run.

        A run that has no version is given one as long as it has no grade; a plan needs none.
        """
        if session.source.kind == "service":
            return
        runner, config, request = session.runner, session.config, session.request
        runner.service = await self.connect(runner, session.source)
        self._is_open = True
        selector = request.dataset_version
        is_settled = has_grades or config.dataset_version_id is not None
        if is_settled or session.source.kind == "problem":
            await pin_to_recorded(runner.service, config, selector)
        elif selector is not None or not request.dry_run:
            dataset = runner.dataset_name
            if (version := await choose_version(runner.service, dataset, selector)) is not None:
                record_version(config, version, selector)

    def inputs(self, session: Session) -> InputSource:
        """Return the source of the inputs of tasks, for agents of this run."""
        return InputSource(partial(self._client, session), asyncio.get_running_loop())

    async def _client(self, session: Session) -> BenchmarkServiceClient:
        async with self._opening:  # with --skip-eval, only an agent may need the service
            if session.source.kind != "service" and not self._is_open:
                session.runner.service = await self.connect(session.runner, session.source)
                await pin_to_recorded(session.runner.service, session.config, None)
                self._is_open = True
        return session.runner.service
