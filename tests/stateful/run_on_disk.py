"""A run on disk, read without the code under test, and what its results are worth."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


def units_of(tasks: Iterable[str], repeats: int) -> list[str]:
    """The repeats of tasks, each by the name of its folder in that of the run."""
    return [
        task_id if repeat == 1 else f"{task_id}/repeats/{repeat}"
        for task_id in tasks
        for repeat in range(1, repeats + 1)
    ]


def unit_of(task_id: str, repeat: int) -> str:
    return units_of([task_id], repeat)[-1]


def task_of(unit: str) -> str:
    return unit.partition("/")[0]


class Folder:
    """A run on disk as it is now, read without the code under test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = contents(path)
        self.config = self.read("run_config.json")
        self.score = self.read("final_score.json")
        self.tasks: list[str] = self.config["tasks"] if self.config else []
        self.repeats: int = self.config["repeats"] if self.config else 1
        # By a regrade that was interrupted: their evals count no more, put away or not.
        self.withdrawn: list[str] = self.config["regrade"] if self.config else []

    def read(self, name: str) -> dict[str, Any] | None:
        """A file's content, if it is there and whole."""
        try:
            return json.loads(self.files.get(self.path / name) or b"")
        except ValueError:
            return None

    @property
    def units(self) -> list[str]:
        return units_of(self.tasks, self.repeats)

    def generation(self, unit: str) -> dict[str, Any] | None:
        return self.read(f"{unit}/generation.json")

    def generated(self, unit: str) -> str | None:
        """How the generation of a repeat ended."""
        generation = self.generation(unit)
        return generation["status"] if generation else None

    def grade(self, unit: str) -> dict[str, Any] | None:
        """The eval of a repeat, if it counts."""
        result = None if task_of(unit) in self.withdrawn else self.read(f"{unit}/eval.json")
        graded = self.files.get(self.path / unit / "generation.json")
        if result is None or graded is None:
            return None
        counts = result["status"] in ("evaluated", "did_not_complete")
        same = result["generation_hash"] == hashlib.sha256(graded).hexdigest()
        return result if counts and same else None

    def is_done(self, unit: str, *, graded: bool = True) -> bool:
        if self.generated(unit) in (None, "error"):
            return False
        return not graded or self.grade(unit) is not None

    def graders(self, units: Iterable[str]) -> set[tuple[str, str | None]]:
        """Who made the grades of these repeats, by what is recorded."""
        grades = [grade for unit in units if (grade := self.grade(unit))]
        return {
            (grade["service_version"], grade["evaluator_version"])
            for grade in grades
            if grade["status"] == "evaluated"
        }

    def attempts(self, unit: str) -> list[int]:
        """The numbers of earlier attempts."""
        kept = self.path / unit / "attempts"
        names = {path.name for path in self.files if path.parent == kept}
        return sorted(int(name) for name in names if name.isdecimal())

    def has_present_attempt(self, unit: str) -> bool:
        parts = ("generation.json", "agent_logs", "attempts/.moving")
        return any(self.path / unit / part in self.files for part in parts)

    def cost(self, tasks: Sequence[str]) -> float:
        """What is recorded of these tasks."""
        recorded = [
            self.read(str(path.relative_to(self.path))) or {}
            for path in self.files
            if path.name == "generation.json" and path.relative_to(self.path).parts[0] in tasks
        ]
        return math.fsum(generation.get("cost") or 0.0 for generation in recorded)

    def evals_hash(self) -> str:
        hashes = [self._evals_hash_of(repeat) for repeat in range(1, self.repeats + 1)]
        return (
            hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
        )

    def _evals_hash_of(self, repeat: int) -> str:
        digest = hashlib.sha256()
        for task_id in self.tasks:
            path = self.path / unit_of(task_id, repeat) / "eval.json"
            result = None if task_id in self.withdrawn else self.files.get(path)
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


def number_of(unit: str) -> int:
    return int(task_of(unit).removeprefix("t"))


def worth(answer: str) -> float:
    """The grade of an answer."""
    return (int("".join(filter(str.isdigit, answer))) * 37 % 101) / 100


def summed_up(evals: Mapping[str, Mapping[str, Any] | None]) -> float:
    """The score of a run; what has no grade counts 0."""
    counted = [
        each["result"]["pass_percentage"]
        for each in evals.values()
        if each is not None and each["status"] == "evaluated"
    ]
    return math.fsum(counted) / len(evals)
