"""A run of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes import EngineRun

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> EngineRun:
    return EngineRun(tmp_path)
