from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts.run_folder import RunArtifacts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    made = RunArtifacts(tmp_path / "results", "r1")
    made.run_dir.mkdir(parents=True)
    return made
