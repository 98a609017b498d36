"""The generation and the eval of one repeat of a task, each file read once."""

import hashlib
import json
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import UnusableArtifactError
from benchmark_runner.schemas import Artifact, EvalResult, EvalStatus, GenerationResult, TaskRepeat

__all__ = ["TaskFiles"]


class TaskFiles:
    """The generation and the eval of one repeat of a task, as on disk when this was created.

    They are parsed on first use; only then is a file that can't be read set aside.
    """

    def __init__(self, artifacts: RunArtifacts, task_id: str, repeat: int = 1) -> None:
        self.key = TaskRepeat(task_id, repeat)
        self._artifacts = artifacts = artifacts.of_repeat(repeat)
        self._generation, self._eval = artifacts.read_results(task_id)
        if task_id in artifacts.eval_rules.withdrawn:
            self._eval = None
        self._had_eval = self._eval is not None

    @property
    def task_id(self) -> str:
        """The id of the task."""
        return self.key.task_id

    @cached_property
    def generation(self) -> GenerationResult | None:
        """The generation; ``None`` if there is none that can be read."""
        return self._artifacts.parse_generation(self.task_id, self._generation)

    @property
    def artifact(self) -> Artifact | None:
        """The record of the file that is the answer; ``None`` if the answer is no file."""
        found = self.generation.artifact if self.generation is not None else None
        return found if isinstance(found, Artifact) else None

    @property
    def artifact_path(self) -> Path | None:
        """The place of that file, where there is one."""
        if self.artifact is None:
            return None
        with suppress(UnusableArtifactError):  # somebody has changed the name in generation.json
            path = self._artifacts.submission(self.task_id).path(self.artifact.filename)
            is_link = path.is_symlink() or path.parent.is_symlink()
            return path if path.is_file() and not is_link else None
        return None

    @property
    def is_unreadable(self) -> bool:
        """True if the generation can't be read."""
        return self._generation is not None and self.generation is None

    def is_current(self, evaluation: EvalResult) -> bool:
        """Return True if an eval is of the generation on disk."""
        if evaluation.generation_hash is None:
            return not self._artifacts.eval_rules.need_hash
        return evaluation.generation_hash == self._generation_hash

    @cached_property
    def _generation_hash(self) -> str | None:
        return None if self._generation is None else hashlib.sha256(self._generation).hexdigest()

    @cached_property
    def evaluation(self) -> EvalResult | None:
        """The eval; ``None`` if there is none that can be read."""
        found = self._artifacts.parse_eval(self.task_id, self._eval)
        if found is None:
            self._eval = None
        return found

    @property
    def has_unreadable_eval(self) -> bool:
        """True if the eval can't be read."""
        return self._had_eval and self.evaluation is None

    @property
    def result_text(self) -> str | None:
        """The grader's result as JSON text; ``None`` without one."""
        found = self.evaluation
        if found is None or (found.result is None and found.status is not EvalStatus.EVALUATED):
            return None
        return json.dumps(found.result_json(), ensure_ascii=False)

    @property
    def eval_content(self) -> bytes | None:
        """The content of ``eval.json``; ``None`` without one that can be read."""
        return self._eval

    @cached_property
    def earlier_generations(self) -> list[GenerationResult]:
        """The generations of earlier attempts that can be read.

        Without a generation, the current attempt is one of them, if its logs tell of it.
        """
        unfinished = self.generation is None
        return self._artifacts.earlier_generations(self.task_id, unfinished=unfinished)

    @property
    def generations(self) -> list[GenerationResult]:
        """The generations of all attempts that can be read, the current one last."""
        current = [] if self.generation is None else [self.generation]
        return [*self.earlier_generations, *current]
