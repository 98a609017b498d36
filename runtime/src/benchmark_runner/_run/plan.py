"""What of a run is left to do and why, from what is on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner.schemas import EvalStatus, GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.schemas import EvalResult


class Reason(StrEnum):
    """Why a task is left alone, graded or generated, in the words that a person reads."""

    GRADED = "graded"
    DID_NOT_COMPLETE = "ran out of time or turns, which is an outcome"
    GENERATED = "generated, and not to be graded"

    NOT_GRADED = "not graded yet"
    GRADING_FAILED = "the grading failed"
    OTHER_GENERATION = "the grade is that of another generation"
    REGRADE = "asked for with --regrade"
    OTHER_REFERENCES = "the local service changed with its tasks"
    OTHER_GRADER = "graded by another grader; evaluate --regrade grades them again"

    NOT_GENERATED = "not generated yet"
    UNREADABLE = "the generation could not be read"
    GENERATION_FAILED = "the generation failed"
    CHANGED = "the task has changed"
    RETRY_TIMEOUTS = "asked for with --retry-timeouts"
    RERUN = "asked for with --rerun"


#: Generations that stand, and are done again only because somebody says so.
_ON_PURPOSE = frozenset({Reason.CHANGED, Reason.RETRY_TIMEOUTS, Reason.RERUN})
_OUT_OF_TIME = (GenerationStatus.MAX_TIME, GenerationStatus.MAX_TURNS)


@dataclass(slots=True)
class Plan:
    """What is left to do, from what is on disk.

    Attributes:
        generate: Tasks without a usable generation.
        evaluate: Tasks with a generation whose eval is missing or has to be redone.
        graded: The tasks that have a grade, by who graded them.
        why: The tasks, by why each is to be done, or left alone.
    """

    generate: list[str] = field(default_factory=list[str])
    evaluate: list[str] = field(default_factory=list[str])
    graded: dict[GradedBy, list[str]] = field(default_factory=dict[GradedBy, list[str]])
    why: dict[Reason, list[str]] = field(default_factory=dict[Reason, list[str]])

    def __bool__(self) -> bool:
        return bool(self.generate or self.evaluate)

    @property
    def done(self) -> int:
        """How many tasks need nothing."""
        return sum(map(len, self.why.values())) - len(self.generate) - len(self.evaluate)

    @property
    def on_purpose(self) -> list[str]:
        """Tasks whose generation stands, and is to be done again all the same."""
        groups = (task_ids for why, task_ids in self.why.items() if why in _ON_PURPOSE)
        return [*chain.from_iterable(groups)]

    def only(self, chosen: Collection[str]) -> Plan:
        """The part of the plan that is about the chosen tasks; who graded stays about all."""
        return self.without(set(chain.from_iterable(self.why.values())).difference(chosen))

    def without(self, task_ids: Collection[str]) -> Plan:
        """The plan without these tasks, which are not to be done now; who graded stays."""
        left_out = set(task_ids)

        def rest(of: Iterable[str]) -> list[str]:
            return [task_id for task_id in of if task_id not in left_out]

        why = {why: left for why, task_ids in self.why.items() if (left := rest(task_ids))}
        return Plan(rest(self.generate), rest(self.evaluate), self.graded, why)

    def grouped(self, now: GradedBy | None = None) -> dict[str, dict[Reason, list[str]]]:
        """The tasks by what becomes of them (``reuse``, ``regrade``, ``rerun``) and why.

        Args:
            now: Who would grade: what somebody else has graded can't be reused.
        """
        groups: dict[str, dict[Reason, list[str]]] = {"reuse": {}, "regrade": {}, "rerun": {}}
        becomes = dict.fromkeys(self.evaluate, "regrade") | dict.fromkeys(self.generate, "rerun")
        others = [by for by in self.graded if now is not None and now.differs_from(by)]
        stale = {task_id for by in others for task_id in self.graded[by]}
        for why, task_ids in self.why.items():
            for task_id in task_ids:
                action = becomes.get(task_id, "reuse")
                if action == "reuse" and task_id in stale:
                    groups["regrade"].setdefault(Reason.OTHER_GRADER, []).append(task_id)
                else:
                    groups[action].setdefault(why, []).append(task_id)
        return groups


class Planner:
    """Finds out what each task still needs.

    Args:
        skip_eval: Whether generations are all that is wanted.
        regrade: The reason to evaluate again what has a grade, if there is one.
        retry_timeouts: Whether to generate again what ran out of time or turns.
        redo: The reasons to generate tasks again although their generation is usable.

    Attributes:
        plan: The plan of the tasks so far.
    """

    def __init__(
        self,
        *,
        skip_eval: bool = False,
        regrade: Reason | None = None,
        retry_timeouts: bool = False,
        redo: Mapping[str, Reason] | None = None,
    ) -> None:
        self.plan = Plan()
        self._skip_eval = skip_eval
        self._regrade = regrade
        self._retry_timeouts = retry_timeouts
        self._redo = redo or {}

    def add(self, task: TaskFiles) -> Reason:
        """Plan one task, and return the reason why it is done, or left alone."""
        reason = self._why_generate(task)
        if reason is not None:
            self.plan.generate.append(task.task_id)
        elif self._skip_eval:
            reason = Reason.GENERATED
        else:
            reason = self._plan_eval(task)
        self.plan.why.setdefault(reason, []).append(task.task_id)
        return reason

    def _why_generate(self, task: TaskFiles) -> Reason | None:
        generation = task.generation
        if generation is None:
            return Reason.UNREADABLE if task.is_unreadable else Reason.NOT_GENERATED
        if redo := self._redo.get(task.task_id):
            return redo
        if generation.status is GenerationStatus.ERROR:
            return Reason.GENERATION_FAILED
        if self._retry_timeouts and generation.status in _OUT_OF_TIME:
            return Reason.RETRY_TIMEOUTS
        return None

    def _plan_eval(self, task: TaskFiles) -> Reason:
        result = task.result
        if result is None:
            owed = Reason.NOT_GRADED
        else:
            owed = why_eval_is_owed(result, task.generation_hash) or self._regrade
        if owed is not None or result is None:
            self.plan.evaluate.append(task.task_id)
            return owed or Reason.NOT_GRADED
        if result.status is not EvalStatus.EVALUATED:
            return Reason.DID_NOT_COMPLETE
        self.plan.graded.setdefault(GradedBy.of(result), []).append(task.task_id)
        return Reason.GRADED


def why_eval_is_owed(result: EvalResult, generation_hash: str | None) -> Reason | None:
    """Return the reason to evaluate again: it failed, or graded another generation."""
    if result.status in (EvalStatus.ERROR, EvalStatus.GENERATION_ERROR):
        return Reason.GRADING_FAILED
    if result.generation_hash not in (None, generation_hash):
        return Reason.OTHER_GENERATION
    return None
