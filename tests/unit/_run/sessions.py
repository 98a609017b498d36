"""A run that is opened in a test, and the runners that open it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, SecretStr

from benchmark_runner._run.open import open_existing_run, open_run
from benchmark_runner._run.request import RunRequest
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.local import local_client
from benchmark_runner.local.app import LocalService
from benchmark_runner.local.datasets import LocalDatasets
from tests.fakes import FakeRunner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmark_runner._run.session import Session
    from benchmark_runner._run.task_source import TaskSource
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.client.service_client import BenchmarkServiceClient

CANARY = "canary-51d2"


ROWS: list[dict[str, object]] = [
    {"id": "b", "question": "second letter?", "answer": CANARY, "category": "letters"},
    {"id": "a", "question": "first letter?", "answer": CANARY, "timeout": 5},
    {"id": "c", "question": "third letter?", "answer": CANARY},
]


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    depth: int = 1
    token: SecretStr | None = None


class SampleRunner(FakeRunner):
    NAME = "sample"
    OPTIONS_MODEL = Options


class Spelled(BaseModel):
    ratio: float = 1.0
    flag: bool = False
    depth: int = 1


class Spelling(SampleRunner):
    OPTIONS_MODEL = Spelled


class WithKey(BaseModel):
    token: SecretStr
    depth: int = 1
    width: int = 7


class Keyed(SampleRunner):
    OPTIONS_MODEL = WithKey


class Bench:
    """Opens runs of one dataset file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "letters.json"
        self.results = folder / "results"
        self.runner_class: type[BenchmarkRunner] = SampleRunner
        self.service_url = "local"
        self.connected: list[TaskSource] = []
        self.write(ROWS)

    def write(self, rows: Sequence[Mapping[str, object]]) -> None:
        self.file.write_text(json.dumps({"dataset_name": "letters", "tests": rows}))

    async def connect(self, runner: BenchmarkRunner, source: TaskSource) -> BenchmarkServiceClient:
        self.connected.append(source)
        hidden = runner.EVALUATOR_FIELDS
        datasets = LocalDatasets(self.file.parent, evaluator_fields=hidden)
        return local_client(LocalService("sample", datasets, lambda _task, _response: 1.0))

    async def open(self, run_id: str = "r1", **request: Any) -> Session:
        sampling = request.pop("sampling", {})
        filled: dict[str, Any] = {"default_model": "default-model", "default_file": self.file}
        asked = RunRequest(**sampling, **{**filled, **request})
        runner = self.runner_class(self.service_url)
        try:
            return await open_run(runner, RunArtifacts(self.results, run_id), asked, self.connect)
        finally:
            await runner.aclose()

    async def start(self, run_id: str = "r1", **request: Any) -> Session:
        session = await self.open(run_id, **request)
        session.freeze("run", {})
        return session

    async def open_graded(self, *, needs_file: bool = True, **request: Any) -> Session:
        filled: dict[str, Any] = {"default_file": self.file}
        asked = RunRequest(**{**filled, **request})
        return await open_existing_run(
            self.runner_class("local"),
            RunArtifacts(self.results, "r1"),
            asked,
            self.connect,
            needs_file=needs_file,
        )
