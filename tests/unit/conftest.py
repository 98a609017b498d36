"""Fixtures for the unit tests of several rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts.run_folder import RunArtifacts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    """A run's folder, which is not there yet."""
    return RunArtifacts(tmp_path / "results", "run-1")
