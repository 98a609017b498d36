"""A run on disk, read without the code under test."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


class Folder:
    """A run on disk as it is now, read without the code under test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = contents(path)
        self.config = self.read("run_config.json")
        self.score = self.read("final_score.json")
        self.tasks: list[str] = self.config["tasks"] if self.config else []
        # By a regrade that was interrupted: their evals count no more, put away or not.
        self.withdrawn: list[str] = self.config["regrade"] if self.config else []

    def read(self, name: str) -> dict[str, Any] | None:
        """A file's content, if it is there and whole."""
        try:
            return json.loads(self.files.get(self.path / name) or b"")
        except ValueError:
            return None

    def generation(self, task_id: str) -> dict[str, Any] | None:
        return self.read(f"{task_id}/generation.json")

    def generated(self, task_id: str) -> str | None:
        """How a task's generation ended."""
        generation = self.generation(task_id)
        return generation["status"] if generation else None

    def grade(self, task_id: str) -> dict[str, Any] | None:
        """The eval of a task, if it counts."""
        result = None if task_id in self.withdrawn else self.read(f"{task_id}/eval.json")
        graded = self.files.get(self.path / task_id / "generation.json")
        if result is None or graded is None:
            return None
        counts = result["status"] in ("evaluated", "did_not_complete")
        same = result["generation_hash"] == hashlib.sha256(graded).hexdigest()
        return result if counts and same else None

    def is_done(self, task_id: str, *, graded: bool = True) -> bool:
        if self.generated(task_id) in (None, "error"):
            return False
        return not graded or self.grade(task_id) is not None

    def graders(self, task_ids: Iterable[str]) -> set[tuple[str, str | None]]:
        """Who made the grades of these tasks, by what is recorded."""
        grades = [grade for task_id in task_ids if (grade := self.grade(task_id))]
        return {
            (grade["service_version"], grade["evaluator_version"])
            for grade in grades
            if grade["status"] == "evaluated"
        }

    def attempts(self, task_id: str) -> list[int]:
        """The numbers of earlier attempts."""
        kept = self.path / task_id / "attempts"
        names = {path.name for path in self.files if path.parent == kept}
        return sorted(int(name) for name in names if name.isdecimal())

    def has_present_attempt(self, task_id: str) -> bool:
        parts = ("generation.json", "agent_logs", "attempts/.moving")
        return any(self.path / task_id / part in self.files for part in parts)

    def cost(self, tasks: Sequence[str]) -> float:
        """What is recorded of these tasks."""
        recorded = [
            self.read(str(path.relative_to(self.path))) or {}
            for path in self.files
            if path.name == "generation.json" and path.relative_to(self.path).parts[0] in tasks
        ]
        return math.fsum(generation.get("cost") or 0.0 for generation in recorded)

    def evals_hash(self) -> str:
        digest = hashlib.sha256()
        for task_id in self.tasks:
            withdrawn = task_id in self.withdrawn
            result = None if withdrawn else self.files.get(self.path / task_id / "eval.json")
            digest.update(task_id.encode() + (b"-" if result is None else result))
        return digest.hexdigest()

    def has_standing_score(self) -> bool:
        """Whether there is a complete score, of what is there."""
        score = self.score
        return bool(score and score["complete"] and score["evals_hash"] == self.evals_hash())

    def temporary_files(self) -> Counter[str]:
        """By name: what a kill left in a log folder moves with it."""
        return Counter(path.name for path in self.files if path.suffix == ".tmp")


def contents(folder: Path) -> dict[Path, bytes | None]:
    """All files and folders but locks, which only tell who has been there."""
    paths = [path for path in folder.rglob("*") if not path.name.endswith("lock")]
    return {path: None if path.is_dir() else path.read_bytes() for path in paths}
