"""The plan of a command: the tasks to generate and to evaluate, and the reason for each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.schemas import EvalStatus, GenerationStatus


class Reason(StrEnum):
    """The reason to skip, evaluate or generate a task, as people read it."""

    GRADED = "evaluated"
    DID_NOT_COMPLETE = "ran out of time or turns, which is an outcome"
    GENERATED = "generated, and not to be evaluated"

    NOT_GRADED = "not evaluated yet"
    GRADING_FAILED = "the evaluation failed"
    OTHER_GENERATION = "the evaluation is that of another generation"
    OF_NO_GENERATION = "the evaluation does not say which generation it is of"
    REGRADE = "asked for with --regrade"
    OTHER_REFERENCES = "the local service changed with its tasks"
    OTHER_GRADER = "evaluated by another grader; evaluate --regrade repeats that"

    NOT_GENERATED = "not generated yet"
    UNREADABLE = "the generation could not be read"
    GENERATION_FAILED = "the generation failed"
    CHANGED = "the task has changed"
    RETRY_TIMEOUTS = "asked for with --retry-timeouts"
    RERUN = "asked for with --rerun"


#: Reasons to generate a task again although its generation is usable.
_ON_PURPOSE = frozenset({Reason.CHANGED, Reason.RETRY_TIMEOUTS, Reason.RERUN})
_OUT_OF_TIME = (GenerationStatus.MAX_TIME, GenerationStatus.MAX_TURNS)


@dataclass(slots=True)
class Plan:
    """The tasks that are left to do, from the files on disk.

    In ``graded`` are the tasks with a grade, by grader; in ``why`` all, by the reason to do or
    skip them.
    """

    generate: list[str] = field(default_factory=list[str])
    evaluate: list[str] = field(default_factory=list[str])
    graded: dict[GradedBy, list[str]] = field(default_factory=dict[GradedBy, list[str]])
    why: dict[Reason, list[str]] = field(default_factory=dict[Reason, list[str]])

    def __bool__(self) -> bool:
        return bool(self.generate or self.evaluate)

    @property
    def done(self) -> int:
        """The number of tasks that need nothing."""
        return sum(map(len, self.why.values())) - len(self.generate) - len(self.evaluate)

    @property
    def on_purpose(self) -> list[str]:
        """The tasks to generate again although their generation is usable."""
        groups = (task_ids for why, task_ids in self.why.items() if why in _ON_PURPOSE)
        return [*chain.from_iterable(groups)]

    def only(self, chosen: Collection[str]) -> Plan:
        """Return the plan for the chosen tasks; ``graded`` still covers all."""
        return self.without(set(chain.from_iterable(self.why.values())).difference(chosen))

    def without(self, task_ids: Collection[str]) -> Plan:
        """Return the plan without these tasks; ``graded`` still covers all."""
        left_out = set(task_ids)

        def rest(of: Iterable[str]) -> list[str]:
            return [task_id for task_id in of if task_id not in left_out]

        why = {why: left for why, task_ids in self.why.items() if (left := rest(task_ids))}
        return Plan(rest(self.generate), rest(self.evaluate), self.graded, why)

    def grouped(self, now: GradedBy | None = None) -> dict[str, dict[Reason, list[str]]]:
        """Return the tasks by action (``reuse``, ``regrade``, ``rerun``) and reason.

        Grades of a grader other than the one ``now`` can't be reused.
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


@dataclass(slots=True, kw_only=True)
class Planner:
    """Finds out what each task still needs.

    ``regrade`` is the reason to evaluate again what has a grade, if there is one; ``redo`` has
    those to generate tasks again although their generation is usable.
    """

    skip_eval: bool = False
    regrade: Reason | None = None
    retry_timeouts: bool = False
    redo: Mapping[str, Reason] = field(default_factory=dict[str, Reason])
    plan: Plan = field(default_factory=Plan, init=False)

    def add(self, task: TaskFiles) -> Reason:
        """Plan one task, and return the reason to do or skip it."""
        if reason := self._reason_to_generate(task):
            self.plan.generate.append(task.task_id)
        else:
            reason = Reason.GENERATED if self.skip_eval else self._plan_eval(task)
        self.plan.why.setdefault(reason, []).append(task.task_id)
        return reason

    def _reason_to_generate(self, task: TaskFiles) -> Reason | None:
        generation = task.generation
        if generation is None:
            return Reason.UNREADABLE if task.is_unreadable else Reason.NOT_GENERATED
        if redo := self.redo.get(task.task_id):
            return redo
        if generation.status is GenerationStatus.ERROR:
            return Reason.GENERATION_FAILED
        if self.retry_timeouts and generation.status in _OUT_OF_TIME:
            return Reason.RETRY_TIMEOUTS
        return None

    def _plan_eval(self, task: TaskFiles) -> Reason:
        result = task.evaluation
        owed = reason_to_evaluate(task) or self.regrade
        if owed is not None or result is None:
            self.plan.evaluate.append(task.task_id)
            return owed or Reason.NOT_GRADED
        if result.status is not EvalStatus.EVALUATED:
            return Reason.DID_NOT_COMPLETE
        self.plan.graded.setdefault(GradedBy.of(result), []).append(task.task_id)
        return Reason.GRADED


def reason_to_evaluate(task: TaskFiles) -> Reason | None:
    """Return the reason to evaluate: no eval, an error, or another generation; else ``None``."""
    result = task.evaluation
    if result is None:
        return Reason.NOT_GRADED
    if result.status in (EvalStatus.ERROR, EvalStatus.GENERATION_ERROR):
        return Reason.GRADING_FAILED
    if task.is_current(result):
        return None
    is_named = result.generation_hash is not None
    return Reason.OTHER_GENERATION if is_named else Reason.OF_NO_GENERATION
