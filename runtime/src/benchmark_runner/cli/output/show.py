"""The output of ``show``: one task with all its texts, as text and as JSON."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmark_runner._run.summary import Summariser
from benchmark_runner._spend import known_amount, known_cost
from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner._text import duration, in_one_line
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.cli.console import brief_error
from benchmark_runner.cli.output.trajectory_choice import section_lines
from benchmark_runner.cli.output.trajectory_digest import digest_as_json
from benchmark_runner.cli.resume_command import NextCommands
from benchmark_runner.cli.shell import short_path
from benchmark_runner.results.json_facts import task_facts
from benchmark_runner.results.phrases import (
    artifact_text,
    cost_text,
    failure_text,
    legend,
    pretty_json,
    task_score_text,
    token_text,
    tokens_of,
)
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.service_figures import weighted_score
from benchmark_runner.results.task_repeats import TaskRepeats
from benchmark_runner.results.task_row import TaskRow, make_row, row_as_json
from benchmark_runner.results.trajectories import TaskTrajectories, read_task_trajectories
from benchmark_runner.schemas import GenerationResult, Phase

_MAX_FILES = 20
_OF_A_REPEAT = ("repeat", "state", "score", "error", "cost", "generation_seconds", "attempts")
_IN_PHASE = {Phase.GENERATE: " in generation", Phase.EVALUATE: " in evaluation"}


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """One repeat of a task of a run.

    Attributes:
        view: The run.
        repeats: All repeats of the task.
        task: The files of this one.
        row: Its row.
        trajectories: The trajectories of its current attempt.
        files: The files in its folder, those of earlier attempts included.
    """

    view: RunView
    repeats: TaskRepeats
    task: TaskFiles
    row: TaskRow
    trajectories: TaskTrajectories
    files: list[Path]

    @property
    def folder(self) -> Path:
        """The folder of this repeat."""
        return self.view.artifacts.of_repeat(self.row.repeat).task_dir(self.row.task_id)


def read_task(
    view: RunView, task_id: str, repeat: int = 1, reduction: Reduction = MEAN
) -> TaskDetails:
    """Read one repeat of a task, whose score is that of all its repeats by a reduction.

    Raises:
        UsageError: the run has no such task, or not so many repeats.
    """
    chosen, summariser = view.task_files(task_id, repeat), Summariser(view.runner)
    rows: list[TaskRow] = []
    for number in range(1, view.config.repeats + 1):
        task = chosen if number == repeat else view.task_files(task_id, number)
        rows.append(make_row(task, summariser.add(task)))
    folder = view.artifacts.of_repeat(repeat).task_dir(task_id)
    below = _files_below(folder, folder / "repeats" if len(rows) > 1 else None)
    return TaskDetails(
        view,
        TaskRepeats((*rows,), reduction),
        chosen,
        rows[repeat - 1],
        read_task_trajectories(view.artifacts, chosen.key),
        sorted(below),
    )


def task_lines(details: TaskDetails, commands: NextCommands) -> Iterator[str]:
    """Yield the facts of a task in lines, then its texts as they are."""
    row, generation = details.row, details.task.generation
    yield from _head_lines(details)
    for name, value in _facts(details).items():
        if value:
            yield f"  {name:8} {value}"
    if row.error:
        yield ""
        yield f"Error{_IN_PHASE[row.phase] if row.phase else ''}"
        yield brief_error(row.error)
        if row.hint:
            yield row.hint
    texts = {
        "Question": generation.question if generation else None,
        "Answer": generation.data if generation else None,
        "Result": pretty_json(details.task.result_text),
    }
    if details.task.artifact and not texts["Answer"]:
        del texts["Answer"]  # it is the file
    for name, text in texts.items():
        yield ""
        if text:
            yield f"{name}\n{text}"
        else:
            yield f"{name}: {'empty' if text is not None else 'none'}"
    yield ""
    yield from section_lines(details.view, details.task.key, details.trajectories, commands)
    yield ""
    yield "Files"
    for path in details.files[:_MAX_FILES]:
        yield f"  {in_one_line(short_path(path))}"
    if (hidden := len(details.files) - _MAX_FILES) > 0:
        yield f"  … and {hidden} more in {short_path(details.folder)}"


def _head_lines(details: TaskDetails) -> Iterator[str]:
    row, repeats = details.row, details.repeats
    score = "" if row.score is None else f", counts {row.score:.4g}"
    stale = "; its evaluation is that of another generation" if row.stale_eval else ""
    outcome = f"{row.state}{score}{stale}"
    of_run = f"Task {row.task_id} of run {details.view.run_id}"
    if len(repeats.rows) == 1:
        yield f"{of_run}: {outcome}"
    else:
        yield f"{of_run}: {repeats.outcomes_text}"
        yield f"  score    {task_score_text(repeats) or 'none yet'}"
        yield f"  repeats  {repeats.strip} ({legend([repeats])})"
        yield f"Repeat {row.repeat}: {outcome}"


def as_json(details: TaskDetails) -> dict[str, object]:
    """Return the task for ``--json``."""
    generation, result = details.task.generation, details.task.evaluation
    return {
        "run_id": details.view.run_id,
        "results_dir": str(details.view.artifacts.results_dir),
        **row_as_json(details.row),
        **task_facts(details.repeats),
        "repeats": [
            {name: row_as_json(row)[name] for name in _OF_A_REPEAT} for row in details.repeats.rows
        ],
        "question": generation.question if generation else None,
        "answer": generation.data if generation else None,
        "artifact": _artifact_as_json(details.task),
        "trajectory": digest_as_json(details.trajectories) if details.trajectories else None,
        "grade": json.loads(details.task.result_text) if details.task.result_text else None,
        "weighted_score": weighted_score(result),
        "grading_errors": result.errors if result else [],
        "metadata": generation.metadata if generation else {},
        "stop_reason": generation.stop_reason if generation else None,
        "generation_version": generation.generation_version if generation else None,
        "runner_commit": generation.runner_commit if generation else None,
        "earlier_attempts": [
            {
                "attempt": number,
                "status": earlier.status,
                "error": earlier.error,
                "answer": earlier.data,
                "cost": known_cost(earlier),
                "seconds": known_amount(earlier.duration),
            }
            for number, earlier in _earlier(details)
        ],
        "files": [str(path) for path in details.files],
    }


def _artifact_as_json(task: TaskFiles) -> dict[str, object] | None:
    if task.artifact is None:
        return None
    path = task.artifact_path
    return {**task.artifact.model_dump(), "path": None if path is None else str(path)}


def _files_below(folder: Path, left_out: Path | None) -> Iterator[Path]:
    """Yield the files in a folder but for one, whatever else an agent has put there."""
    if folder.is_symlink():
        return
    folders = [folder]  # os.walk() calls itself for each folder within a folder
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if (below := Path(entry.path)) != left_out:
                        folders.append(below)
                # What begins with a dot is ours: locks, and what is being written.
                elif not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)


def _facts(details: TaskDetails) -> dict[str, str]:
    row = details.row
    seconds = {"generating": row.generation_seconds, "evaluating": row.grading_seconds}
    facts = {
        "model": in_one_line(row.model or ""),
        "answer": "imported, made elsewhere" if row.imported else "",
        "turns": "" if row.total_turns is None else str(row.total_turns),
        "tokens": token_text(tokens_of(row)),
        "cost": cost_text(row),
        "took": ", ".join(f"{duration(n)} {what}" for what, n in seconds.items() if n is not None),
        "started": f"{row.started_at:%Y-%m-%d %H:%M:%S %Z}" if row.started_at else "",
        "ended": f"{row.ended_at:%Y-%m-%d %H:%M:%S %Z}" if row.ended_at else "",
        "evals": f"by {in_one_line(str(row.graded_by))}" if row.graded_by else "",
        "failure": failure_text(row.kind, row.retryable),
    }
    if (weighted := weighted_score(details.task.evaluation)) is not None:
        facts["weighted"] = f"{weighted:.4g}"
    if (artifact := details.task.artifact) is not None:
        missing = "" if details.task.artifact_path else ", the file is missing"
        facts["artifact"] = f"{in_one_line(artifact_text(artifact))}{missing}"
        facts["sha256"] = in_one_line(artifact.sha256)
    for number, earlier in _earlier(details):
        facts[f"attempt {number}"] = _outcome(earlier)
    return facts


def _earlier(details: TaskDetails) -> Iterator[tuple[int, GenerationResult]]:
    for place, earlier in enumerate(details.task.earlier_generations, start=1):
        yield earlier.attempts or place, earlier


def _outcome(earlier: GenerationResult) -> str:
    seconds = known_amount(earlier.duration)
    took = "" if seconds is None else f" after {duration(seconds)}"
    error = f": {in_one_line(earlier.error)}" if earlier.error else ""
    return f"{earlier.status.replace('_', ' ')}{took}{error}"
