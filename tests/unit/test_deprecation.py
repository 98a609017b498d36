from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import benchmark_runner
from benchmark_runner import _deprecation
from benchmark_runner._deprecation import Renamed

#: Where the runtime under test is, for processes that the tests start.
RUNTIME = Path(benchmark_runner.__file__).parents[1]

MESSAGE = (
    "benchmark_runner.TaskResult is now benchmark_runner.GenerationResult; "
    "version 3 removes the old name"
)

PROGRAM = f"""\
import sys

sys.path.insert(0, {str(RUNTIME)!r})

from benchmark_runner import _deprecation

_deprecation.RENAMED["TaskResult"] = _deprecation.Renamed("GenerationResult", "3")
"""


@pytest.fixture
def renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """``GenerationResult`` was called ``TaskResult`` once."""
    monkeypatch.setitem(_deprecation.RENAMED, "TaskResult", Renamed("GenerationResult", "3"))


def warned(folder: Path, lines: str) -> list[str]:
    """What an author's program prints to standard error, with Python's own settings."""
    script = folder / "authors.py"
    script.write_text(PROGRAM + dedent(lines))
    done = subprocess.run(
        [sys.executable, "-I", script], capture_output=True, text=True, check=True
    )
    return done.stderr.splitlines()


@pytest.mark.usefixtures("renamed")
class TestAnOldName:
    def test_old_name_is_the_new_one(self) -> None:
        """The old name returns the new object, with a warning."""
        with pytest.deprecated_call(match=MESSAGE):
            assert benchmark_runner.TaskResult is benchmark_runner.GenerationResult

    def test_each_use_warns(self) -> None:
        """Each use of the old name warns, not only the first."""
        for _ in range(2):
            with pytest.deprecated_call(match=MESSAGE):
                exec("from benchmark_runner import TaskResult")

    def test_old_name_is_not_listed(self) -> None:
        """The old name is neither in dir() nor in __all__."""
        assert "TaskResult" not in dir(benchmark_runner)
        assert "TaskResult" not in benchmark_runner.__all__

    def test_the_new_name_does_not_warn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The new name gives no warning."""
        monkeypatch.delitem(vars(benchmark_runner), "GenerationResult", raising=False)
        # Warnings are errors in these tests.
        assert benchmark_runner.GenerationResult.__name__ == "GenerationResult"

    @pytest.mark.parametrize(
        "line",
        [
            "from benchmark_runner import TaskResult",
            "import benchmark_runner; benchmark_runner.TaskResult",
        ],
    )
    def test_warning_points_at_the_authors_line(self, tmp_path: Path, line: str) -> None:
        """The warning is shown once, at the line of the author's code."""
        number = PROGRAM.count("\n") + 1
        first, *rest = warned(tmp_path, line)
        assert first == f"{tmp_path}/authors.py:{number}: DeprecationWarning: {MESSAGE}"
        assert rest == [f"  {line}"]


def test_unknown_name_is_an_attribute_error() -> None:
    """An unknown name is an AttributeError that names it."""
    with pytest.raises(AttributeError, match="has no attribute 'TaskResult'"):
        _ = benchmark_runner.TaskResult
