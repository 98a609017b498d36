"""A service that misbehaves, and a project that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.misbehaving.service import MisbehavingService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import RunnerProject


@pytest.fixture
def service() -> Iterator[MisbehavingService]:
    with MisbehavingService() as service:
        yield service


@pytest.fixture(params=["legacy", "v1"])
def benchmark(request: pytest.FixtureRequest, project: RunnerProject) -> RunnerProject:
    """The project, grading by one and by the other API."""
    project.set_in_class(f"EVALUATION_API = {request.param!r}")
    return project
