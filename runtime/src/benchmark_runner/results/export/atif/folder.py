"""A run as a folder of trajectories in the ATIF format, each with its grade in its metadata.

.. code-block:: text

    <folder>/
        run.json                   the run: its settings and its score
        index.jsonl                a line for each trajectory: its path, and what is known of it
        trajectories/
            <task>.json            the current attempt at the first repeat of a task
            <task>.media/          images and sounds that it names
            attempts/N/            the same for earlier attempts
            repeats/N/             the same for the repeats 2, 3, …
            parts/N/               the same for further trajectories of an attempt
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue
from pydantic_core import to_json

from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner.artifacts.atomic_file import open_atomically
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results.export.atif.export_folder import ABOUT, ExportFolder, open_folder
from benchmark_runner.results.export.atif.media import Media
from benchmark_runner.results.export.atif.trajectory import (
    attempt_facts,
    made_trajectory,
    whole_trajectory,
)
from benchmark_runner.results.export.attempts import Attempt, attempts_of
from benchmark_runner.results.json_facts import config_facts
from benchmark_runner.results.reduced_score import ReducedScore
from benchmark_runner.results.run_view import RunScan, RunView
from benchmark_runner.results.task_repeats import TaskRepeats, by_task
from benchmark_runner.trajectory import Trajectory, dump_trajectory
from benchmark_runner.trajectory.atif import ATIF_VERSION

__all__ = ["write_trajectories"]

_INDEX, _TRAJECTORIES = "index.jsonl", "trajectories"
#: Facts that may be long, and so are in the trajectory alone.
_LONG = frozenset({"answer", "result", "metadata"})
_OF_RUN = (
    "sampling", "options", "generation_version", "runner_commit", "runner_dirty", "runner_version",
    "runtime_version", "python_version", "payload_schema", "payload_type", "created_at",
    "imported",
)  # fmt: skip


def write_trajectories(view: RunView, folder: Path, reduction: Reduction = MEAN) -> int:
    """Write a trajectory for each attempt at each repeat of each task, and return their number.

    Args:
        view: The run.
        folder: A folder that is new, empty, or that of an earlier export of the same run, which
            is replaced.
        reduction: The way in which the scores of its repeats become that of a task.

    Raises:
        UsageError: it holds something else.
        ArtifactError: the disk refuses.
    """
    owner: dict[str, JsonValue] = {
        "format": "atif",
        "benchmark": view.runner.NAME,
        "run_id": view.run_id,
    }
    scan, reduced, count = view.scan(), ReducedScore(reduction), 0
    with open_folder(folder, owner) as content:
        clean = view.artifacts.redactor.clean_json
        with open_atomically(content.root / _INDEX) as index:
            for task, files in by_task(scan.with_files(), reduction):
                reduced.add(task)
                for line in _write_task(view, task, files, content):
                    index.write(clean(to_json(line, inf_nan_mode="null")).rstrip() + b"\n")
                    count += 1
        about = {**owner, "schema": 1, "atif": ATIF_VERSION, "trajectories": count}
        facts = to_json({**about, **_run_facts(view, scan, reduced)}, indent=2, inf_nan_mode="null")
        content.write(content.root / ABOUT, clean(facts, indent=2))
    return count


def _write_task(
    view: RunView, task: TaskRepeats, files: list[TaskFiles], content: ExportFolder
) -> Iterator[dict[str, JsonValue]]:
    score = task.score
    for row, each in zip(task.rows, files, strict=True):
        for attempt in attempts_of(view.artifacts, each):
            facts = attempt_facts(view, attempt, row, each)
            if attempt.is_current and score is not None:
                facts["task_score"] = score
            yield from _write_attempt(view, attempt, facts, content)


def _write_attempt(
    view: RunView, attempt: Attempt, facts: dict[str, JsonValue], content: ExportFolder
) -> Iterator[dict[str, JsonValue]]:
    """Write the trajectories of an attempt, and yield the line of each in the index."""
    found = attempt.read()
    folder, name = content.root / _TRAJECTORIES / _place(attempt), attempt.key.task_id
    if not found:
        facts["recorded"] = False
        made = made_trajectory(attempt.generation, facts, found.unread)
        yield _write(view, made, folder / f"{name}.json", content, facts)
    for number, (path, trajectory) in enumerate(found.read, start=1):
        own: dict[str, JsonValue] = {
            **facts,
            "recorded": True,
            "file": path.relative_to(view.artifacts.run_dir).as_posix(),
        }
        if len(found.read) > 1:
            own |= {"part": number, "parts": len(found.read)}
        place = folder if number == 1 else folder / "parts" / str(number)
        recorded = attempt.generation.log_dir if attempt.generation else None
        copies = place / f"{name}.media"
        media = Media(attempt.logs, recorded, content, copies, view.artifacts.redactor)
        media.place(trajectory)
        whole = whole_trajectory(trajectory, attempt, own)
        yield _write(view, whole, place / f"{name}.json", content, own)


def _write(
    view: RunView,
    trajectory: Trajectory,
    path: Path,
    content: ExportFolder,
    facts: dict[str, JsonValue],
) -> dict[str, JsonValue]:
    data = dump_trajectory(trajectory).encode()
    content.write(path, view.artifacts.redactor.clean_json(data))
    short = {name: value for name, value in facts.items() if name not in _LONG}
    place = path.relative_to(content.root).as_posix()
    return {"path": place, **short, "steps": len(trajectory.steps)}


def _place(attempt: Attempt) -> str:
    """Return the folder for the attempts of this number at the repeats of this number."""
    repeat = attempt.key.repeat
    parts = ([] if repeat == 1 else ["repeats", str(repeat)]) + (
        [] if attempt.is_current else ["attempts", str(attempt.number)]
    )
    return "/".join(parts)


def _run_facts(view: RunView, scan: RunScan, reduced: ReducedScore) -> dict[str, object]:
    config, summary, score = view.config, scan.summary, scan.score
    reduced.is_sample = summary.is_sample
    return {
        **config_facts(config),
        **{name: getattr(config, name) for name in _OF_RUN},
        "local": view.local,
        "complete": summary.complete,
        "counts": summary.counts.model_dump(),
        "reduce": str(reduced.reduction),
        "mean": reduced.mean,
        "stderr": reduced.stderr,
        "final_score": score.final_score if score else None,
    }
