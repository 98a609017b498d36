"""The evaluation of a response by the author's grader, masked for clients elsewhere."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from benchmark_runner._redaction import Redactor
from benchmark_runner.local.datasets import LocalDataset, fingerprint
from benchmark_runner.local.grader import (
    Grader,
    TaskScore,
    describe_failure,
    grade,
    source_hash,
    takes_state,
)
from benchmark_runner.local.grader_steps import OnStep, ignore_step

__all__ = ["EvaluationError", "Evaluator"]


class EvaluationError(Exception):
    """An error of the grader; its text tells it, masked."""


@dataclass(frozen=True)
class Evaluator:
    """An author's grader, with what is to be known about it.

    Attributes:
        grader: The grader.
        task_score: Returns the task score of a result, which must have one; ``None`` leaves that
            to the runner.
        redactor: Masks secrets in results and errors.
        payload_type: The type of the responses: ``text`` or ``artifact``.
    """

    grader: Grader
    task_score: TaskScore | None
    redactor: Redactor = field(default_factory=Redactor)
    payload_type: str = "text"

    async def evaluate(
        self,
        row: dict[str, JsonValue],
        response: str | Path,
        *,
        state: JsonValue = None,
        on_step: OnStep = ignore_step,
    ) -> JsonValue:
        """Return the grader's result for a response, or for going on from a state.

        Raises:
            EvaluationError: the grader failed.
        """
        try:
            more = {"state": state} if self._takes_state else {}
            result = await grade(
                self.grader, row, response, self.task_score, more=more, on_step=on_step
            )
        except Exception as error:  # noqa: BLE001 (the author's code)
            failure = describe_failure(self.grader, error)
            raise EvaluationError(self.redactor.clean_text(failure)) from None
        return cast("JsonValue", self.redactor.clean_value(result))

    def version(self, dataset: LocalDataset) -> str:
        """Return the version of the grader and of the references that it compares with."""
        return fingerprint([self._source, dataset.reference_version])

    @cached_property
    def _takes_state(self) -> bool:
        return takes_state(self.grader)

    @cached_property
    def _source(self) -> str:
        return source_hash(self.grader)
