"""A project whose answers are files, and a service that takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.artifact_service import ArtifactService
    from tests.cli.conftest import RunnerProject

AGENT = """\
import os
import socket
from pathlib import Path

from benchmark_runner import BenchmarkRunner, GenerationResult

ROOT = Path(__file__).parents[1]


class SampleRunner(BenchmarkRunner):
    NAME = "sample"
    PAYLOAD_TYPE = "artifact"
    EVALUATION_API = "v1"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        with (ROOT / "calls.txt").open("a") as calls:
            calls.write(f"{task.id}\\n")
        file = log_dir / "fix.patch"
        file.write_text(f"patch of {task.question}\\n")
        return GenerationResult(artifact=file)
"""


@pytest.fixture
def patches(project: RunnerProject, artifact_service: ArtifactService) -> RunnerProject:
    """A project whose agent answers each task with a patch, which the service grades."""
    project.write_agent(AGENT)
    project.write_cli(default_service_url=artifact_service.url, grader=None)
    return project
