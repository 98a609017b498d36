"""A benchmark whose agent notes what it is called with."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import BaseModel, SecretStr

from benchmark_runner import (
    BenchmarkRunner,
    GenerationResult,
    LLMConfig,
    Task,
    current_generation,
    make_cli,
)

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner._run.defaults import CliSettings


class Options(BaseModel):
    """The options of the author."""

    word: str = "none"
    key: SecretStr = SecretStr("")


class NotingRunner(BenchmarkRunner):
    """A runner that notes its calls, and answers with the question."""

    NAME = "my-bench"
    OPTIONS_MODEL = Options
    notes: ClassVar[list[str]] = []
    hanging: ClassVar[asyncio.Event] = asyncio.Event()

    async def start(self) -> None:
        self.notes.append("start")

    async def stop(self) -> None:
        await asyncio.sleep(0.05)
        self.notes.append("stop")

    async def generate(
        self,
        task: Task,
        model: str,
        llm_config: LLMConfig | None = None,
        log_dir: Path | None = None,
    ) -> GenerationResult:
        now = current_generation()
        self.notes.append(f"{task.id} {now.repeat} {now.attempt} {model}")
        if task.id == "hangs":
            self.hanging.set()
            await asyncio.sleep(100)
        return GenerationResult(answer=task.question)


def grade(task: dict[str, Any], response: str) -> float:
    """Evaluate an answer."""
    if task["id"] == "unfair":
        raise RuntimeError("no judge is there")
    return float(response == task["answer"])


TASKS = [
    {"id": task_id, "question": "yes", "answer": "yes"} for task_id in ("easy", "hangs", "unfair")
]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliSettings:
    """The settings of its command line; runs are in a folder of the test."""
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path / "results"))
    for name in ("SERVICE_URL", "CUSTOM_ENDPOINT", "CUSTOM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(NotingRunner, "notes", [])
    monkeypatch.setattr(NotingRunner, "hanging", asyncio.Event())
    dataset = tmp_path / "tasks.json"
    dataset.write_text(json.dumps(TASKS))
    cli: Any = make_cli(
        NotingRunner,
        grader=grade,
        default_dataset_file=str(dataset),
        default_model="a-model",
        default_service_url="local",
    )
    found: CliSettings = cli.settings
    return found
