"""The tokens, cost and turns of a generation that its author did not state: its trajectories."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._spend import Spend, known_amount, known_count
from benchmark_runner.schemas import (
    Failure,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
    TokenUsage,
)

if TYPE_CHECKING:
    from benchmark_runner.artifacts.run_folder import RunArtifacts


def with_figures(generation: GenerationResult, log_dir: Path) -> GenerationResult:
    """Return the generation with what its author did not state, from what is in its log folder.

    Each of ``usage``, ``cost`` and ``total_turns`` is taken by itself.
    """
    missing = {
        "usage": generation.usage in (None, TokenUsage()),
        "cost": generation.cost is None,
        "total_turns": generation.total_turns is None,
    }
    if not any(missing.values()) or (figures := _read_figures(log_dir)) is None:
        return generation
    found = ("usage", "cost", "total_turns")
    update = {name: figures[name] for name in found if missing[name] and figures[name] is not None}
    return generation.model_copy(update=update)


def interrupted_generation(task_id: str, log_dir: Path) -> GenerationResult | None:
    """Return what is known of an attempt that was killed; ``None`` without a trajectory."""
    figures = _read_figures(log_dir)
    if figures is None:
        return None
    return GenerationResult(
        task_id=task_id,
        status=GenerationStatus.ERROR,
        error="Interrupted: the attempt was stopped before it was done",
        failure=Failure(phase=Phase.GENERATE, kind=FailureKind.CANCELLED, retryable=True),
    ).model_copy(update=figures)


def count_interrupted(artifacts: RunArtifacts) -> None:
    """Count killed attempts in all that is read of a run, and keep what they cost with them."""
    artifacts.read_interrupted = interrupted_generation


def _read_figures(log_dir: Path) -> dict[str, object] | None:
    """Return fields of a generation by name; ``None`` without a trajectory that can be read."""
    if _is_empty(log_dir):
        return None
    try:
        return _sums_in(log_dir)
    except Exception:  # noqa: BLE001 (whatever an agent wrote there must not cost its answer)
        return None


def _is_empty(log_dir: Path) -> bool:
    """Return True without anything in a folder of logs, which is the case for most agents."""
    try:
        if os.path.islink(log_dir):  # noqa: PTH114 (asked for each task)
            return True
        with os.scandir(log_dir) as entries:
            return next(entries, None) is None
    except OSError:
        return True


def _sums_in(log_dir: Path) -> dict[str, object] | None:
    from benchmark_runner.trajectory import digest, read_trajectories, time_of

    spend = Spend()
    starts: list[datetime] = []
    turns = found = 0
    for _, trajectory in read_trajectories(log_dir):  # one at a time: each may be large
        sums = digest(trajectory)
        found += 1
        turns += sums.turns
        spend.add(sums.cost, **dict(sums.usage))
        starts += [time for step in trajectory.own_steps if (time := time_of(step)) is not None]
    if not found:
        return None
    usage = {name: known_count(count) for name, count in spend.tokens.items()}
    return {
        "usage": TokenUsage(**usage) if any(each is not None for each in usage.values()) else None,
        "cost": known_amount(spend.dollars) if spend.unknown < found else None,
        "total_turns": known_count(turns) or None,
        "started_at": min(starts, default=None),
    }
