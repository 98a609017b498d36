"""What is on disk of one task, each file read once, for all that want to know of it."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING

from benchmark_runner.schemas import EvalStatus

if TYPE_CHECKING:
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.schemas import EvalResult, GenerationResult


class TaskFiles:
    """The generation and the eval of one task as they are now.

    They are parsed when they are first asked for: what can't be read is set aside only then.

    Args:
        artifacts: The files of the run.
        task_id: The task.
    """

    def __init__(self, artifacts: RunArtifacts, task_id: str) -> None:
        self.task_id = task_id
        self._artifacts = artifacts
        self._generation, self._eval = artifacts.read_results(task_id)
        self._had_eval = self._eval is not None

    @cached_property
    def generation(self) -> GenerationResult | None:
        """The generation; ``None`` if there is none that can be read."""
        return self._artifacts.parse_generation(self.task_id, self._generation)

    @property
    def is_unreadable(self) -> bool:
        """Whether there was a generation that can't be read."""
        return self._generation is not None and self.generation is None

    @cached_property
    def generation_hash(self) -> str | None:
        """SHA-256 of the generation's file; ``None`` if there is none that can be read."""
        if self._generation is None or self.generation is None:
            return None
        return hashlib.sha256(self._generation).hexdigest()

    def is_graded_by(self, result: EvalResult) -> bool:
        """Whether it is the generation on disk that this eval is of."""
        if result.generation_hash is None:
            return True
        found = self._generation
        return found is not None and hashlib.sha256(found).hexdigest() == result.generation_hash

    @cached_property
    def result(self) -> EvalResult | None:
        """The eval; ``None`` if there is none that can be read."""
        found = self._artifacts.parse_eval(self.task_id, self._eval)
        if found is None:
            self._eval = None
        return found

    @property
    def has_unreadable_eval(self) -> bool:
        """Whether there was an eval that can't be read."""
        return self._had_eval and self.result is None

    @property
    def grade(self) -> str | None:
        """What the grader said, as JSON text; ``None`` where none said anything."""
        result = self.result
        if result is None or (result.result is None and result.status is not EvalStatus.EVALUATED):
            return None
        return json.dumps(result.result_json(), ensure_ascii=False)

    @property
    def eval_content(self) -> bytes | None:
        """``eval.json`` as it is on disk now; ``None`` without one."""
        return self._eval

    @cached_property
    def earlier_generations(self) -> list[GenerationResult]:
        """The generations of earlier attempts, as far as they can be read."""
        return self._artifacts.earlier_generations(self.task_id)
