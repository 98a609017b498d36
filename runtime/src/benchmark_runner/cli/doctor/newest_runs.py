"""The newest runs on disk, from which checks learn what grades look like."""

from collections.abc import Iterator
from pathlib import Path

from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import ArtifactError, RunIdentityError, UsageError
from benchmark_runner.results.run_view import RunView, modified_at, open_view, run_ids

__all__ = ["newest_runs"]

_MOST = 5


def newest_runs(results_dir: Path, runner: BenchmarkRunner) -> Iterator[RunView]:
    """Yield the runs that were changed last, as far as they can be read."""
    try:
        ids = run_ids(results_dir)
    except ArtifactError:
        return
    newest = sorted(ids, key=lambda run_id: modified_at(results_dir / run_id), reverse=True)
    for run_id in newest[:_MOST]:
        try:
            view = open_view(results_dir, run_id, runner)
        except (ArtifactError, RunIdentityError, UsageError):
            continue
        yield view
