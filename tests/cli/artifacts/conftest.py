"""A project whose answers are files, and a service that takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.artifact_service import ArtifactService

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

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


@pytest.fixture(scope="session")
def artifact_service(serve_app: Callable[[ASGIApp], str]) -> ArtifactService:
    service = ArtifactService()
    service.url, service.storage_url = serve_app(service.service()), serve_app(service.storage())
    return service


@pytest.fixture
def service(artifact_service: ArtifactService) -> ArtifactService:
    """The service, as if it was new."""
    fresh = ArtifactService(url=artifact_service.url, storage_url=artifact_service.storage_url)
    vars(artifact_service).update(vars(fresh))
    return artifact_service


@pytest.fixture
def patches(project: RunnerProject, service: ArtifactService) -> RunnerProject:
    """A project whose agent answers each task with a patch, which the service grades."""
    project.write_agent(AGENT)
    project.write_cli(default_service_url=service.url, grader=None)
    return project
