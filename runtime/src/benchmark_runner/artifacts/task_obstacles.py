"""Obstacles in the folder of a task: what an agent has put in the place of our files there."""

from pathlib import Path

from benchmark_runner.artifacts.attempts import EVAL_STATE, MOVING_FOLDER
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.artifacts.submission import SUBMISSION_FOLDER

__all__ = ["RESULT_FILES", "clear_way"]

#: The files with the results of a task.
RESULT_FILES = ("generation.json", "eval.json")
_FILES = tuple(file for name in (*RESULT_FILES, EVAL_STATE) for file in (name, f".{name}.tmp"))
_FOLDERS = (
    "agent_logs",
    "attempts",
    f"attempts/{MOVING_FOLDER}",
    "attempts/evals",
    SUBMISSION_FOLDER,
)


def clear_way(storage: Storage, task_dir: Path, below: str = "") -> list[Path]:
    """Set aside what is no file or folder of ours, and make accessible what is one.

    ``below`` leads to the folder of a repeat, such as ``/repeats/2``.

    Returns:
        The new paths of what was set aside.

    Raises:
        ArtifactError: the disk refuses.
    """
    for part in ("", *below.split("/")[1:]):
        task_dir /= part
        if aside := storage.make_usable(task_dir, folder=True):
            return [aside]
    found = [storage.make_usable(task_dir / name, folder=True) for name in _FOLDERS]
    files = [*_FILES, *(f"{SUBMISSION_FOLDER}/{name}" for name in _submitted(storage, task_dir))]
    found += [storage.make_usable(task_dir / name, folder=False) for name in files]
    return [path for path in found if path is not None]


def _submitted(storage: Storage, task_dir: Path) -> list[str]:
    return storage.names(task_dir / SUBMISSION_FOLDER)
