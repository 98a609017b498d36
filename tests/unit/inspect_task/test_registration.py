"""The registration of a benchmark, without Inspect."""

from __future__ import annotations

import pytest
import typer

from benchmark_runner import make_cli
from benchmark_runner.errors import RunnerDefinitionError, UsageError
from benchmark_runner.inspect_task import register_task

NAME = "my_bench_runner/my_bench"


def test_command_line_of_another_kind_is_refused() -> None:
    """A command line that make_cli() did not return has no settings, and is refused."""
    with pytest.raises(RunnerDefinitionError, match="not made by make_cli"):
        register_task(NAME, typer.Typer())


def test_missing_inspect_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Inspect, an error names the command that installs it."""
    monkeypatch.setattr("benchmark_runner._extras.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="not installed: inspect_ai") as missing:
        register_task(NAME, make_cli("runner.benchmark:MyBenchRunner"))
    assert missing.value.hint is not None
    assert "inspect" in missing.value.hint
