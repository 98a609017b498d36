"""Have the evals of a run summed up, and keep the score with what it was made from."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmark_runner.summary import current_evals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark_runner.artifacts import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.schemas import ScoreResult
    from benchmark_runner.summary import RunSummary


def standing_score(artifacts: RunArtifacts, task_ids: Sequence[str]) -> ScoreResult | None:
    """Return the score on disk if it still sums the evals on disk."""
    score = artifacts.load_final_score()
    if score is None or not score.complete:
        return None
    return score if score.evals_hash in (None, artifacts.evals_hash(task_ids)) else None


async def make_score(
    runner: BenchmarkRunner,
    artifacts: RunArtifacts,
    task_ids: Sequence[str],
    summary: RunSummary,
    *,
    local: bool,
) -> ScoreResult:
    """Score the frozen task list and write ``final_score.json``.

    Args:
        runner: The author's runner, the frozen tasks registered and its client set.
        artifacts: The files of the run.
        task_ids: The frozen task list.
        summary: How those tasks stand.
        local: Whether the embedded service scores.

    Raises:
        ServiceError: the service can't score them.
    """
    evals = await asyncio.to_thread(current_evals, artifacts, task_ids)
    scored = await runner.score(evals)
    score = scored.model_copy(
        update={
            "complete": summary.complete,
            "local": local,
            "service_url": runner.service_url,
            "mean": summary.mean,
            "stderr": summary.stderr,
            "counts": summary.counts,
            "evals_hash": await asyncio.to_thread(artifacts.evals_hash, task_ids),
        }
    )
    await asyncio.to_thread(artifacts.save_final_score, score)
    return score
