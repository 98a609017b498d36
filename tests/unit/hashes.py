"""The hash of the evals on disk, as a score that sums them notes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner._run.summary import CurrentEvals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark_runner.artifacts.run_folder import RunArtifacts


def hash_of_evals(artifacts: RunArtifacts, task_ids: Sequence[str]) -> str:
    evals = CurrentEvals(artifacts, task_ids)
    evals.read()
    return evals.files_hash
