"""Two runs to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.results.compare.two_runs import TwoRuns

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def runs(tmp_path: Path) -> TwoRuns:
    return TwoRuns(tmp_path)
