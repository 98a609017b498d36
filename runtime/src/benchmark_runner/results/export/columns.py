"""The columns of a run as a table, with the type of their values: one list for all formats."""

from collections.abc import Iterator

from benchmark_runner._spend import known_count
from benchmark_runner._stats.reduction import Reduction
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.task_repeats import by_task
from benchmark_runner.results.task_row import COLUMNS as COLUMNS_OF_TASKS
from benchmark_runner.results.task_row import Cell, Kind, row_values

__all__ = ["COLUMNS", "columns_of", "rows_of"]

_BEFORE_TEXTS: dict[str, Kind] = {"run_id": str, **COLUMNS_OF_TASKS, "task_score": float}
_OF_ARTIFACTS: dict[str, Kind] = {
    "artifact_filename": str,
    "artifact_size": int,
    "artifact_sha256": str,
    "artifact": str,
}
_TEXTS: dict[str, Kind] = {"question": str, "answer": str, "grade": str}
#: In the order in which they are written. What a later version adds comes before the texts.
COLUMNS: dict[str, Kind] = {**_BEFORE_TEXTS, **_TEXTS}
#: Of a run whose answers are files.
_COLUMNS_WITH_ARTIFACTS: dict[str, Kind] = {**_BEFORE_TEXTS, **_OF_ARTIFACTS, **_TEXTS}


def columns_of(view: RunView) -> dict[str, Kind]:
    """Return the columns of a run, in their order."""
    return _COLUMNS_WITH_ARTIFACTS if _has_artifacts(view) else COLUMNS


def rows_of(view: RunView, reduction: Reduction) -> Iterator[dict[str, Cell]]:
    """Yield a row for each repeat of each task, by column; only one task is in memory.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
        UsageError: the reduction counts passes, and a score is neither 0 nor 1.
    """
    has_artifacts = _has_artifacts(view)
    for task, files in by_task(view.scan().with_files(), reduction):
        score = task.score
        for row, each in zip(task.rows, files, strict=True):
            generation = each.generation
            yield {
                "run_id": view.run_id,
                **row_values(row),
                "task_score": score,
                **(_artifact_values(each) if has_artifacts else {}),
                "question": generation.question if generation else None,
                "answer": generation.data if generation else None,
                "grade": each.result_text,
            }


def _has_artifacts(view: RunView) -> bool:
    return view.config.payload_type == "artifact"


def _artifact_values(task: TaskFiles) -> dict[str, Cell]:
    artifact = task.artifact
    if artifact is None:
        return dict.fromkeys(_OF_ARTIFACTS)
    path = task.artifact_path
    place = None if path is None else str(path)
    values = (artifact.filename, known_count(artifact.size), artifact.sha256, place)
    return dict(zip(_OF_ARTIFACTS, values, strict=True))
