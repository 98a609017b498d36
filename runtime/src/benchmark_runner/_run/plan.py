"""The plan of a command: the tasks to generate and to evaluate, and the reason for each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.schemas import EvalStatus, GenerationStatus, TaskRepeat


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
    """The repeats of tasks that are left to do, from the files on disk.

    In ``graded`` are those with a grade, by grader; in ``why`` all, by the reason to do or skip
    them.
    """

    generate: list[TaskRepeat] = field(default_factory=list[TaskRepeat])
    evaluate: list[TaskRepeat] = field(default_factory=list[TaskRepeat])
    graded: dict[GradedBy, list[TaskRepeat]] = field(
        default_factory=dict[GradedBy, list[TaskRepeat]]
    )
    why: dict[Reason, list[TaskRepeat]] = field(default_factory=dict[Reason, list[TaskRepeat]])

    def __bool__(self) -> bool:
        return bool(self.generate or self.evaluate)

    @property
    def done(self) -> int:
        """The number of repeats that need nothing."""
        return sum(map(len, self.why.values())) - len(self.generate) - len(self.evaluate)

    @property
    def on_purpose(self) -> list[TaskRepeat]:
        """Those to generate again although their generation is usable."""
        groups = (keys for why, keys in self.why.items() if why in _ON_PURPOSE)
        return [*chain.from_iterable(groups)]

    def only(self, chosen: Collection[str]) -> Plan:
        """Return the plan for the chosen tasks; ``graded`` still covers all."""
        wanted = frozenset(chosen)
        others = (
            key for key in chain.from_iterable(self.why.values()) if key.task_id not in wanted
        )
        return self.without({*others})

    def without(self, keys: Collection[TaskRepeat]) -> Plan:
        """Return the plan without these repeats; ``graded`` still covers all."""
        left_out = frozenset(keys)

        def rest(of: Iterable[TaskRepeat]) -> list[TaskRepeat]:
            return [key for key in of if key not in left_out]

        why = {why: left for why, keys in self.why.items() if (left := rest(keys))}
        return Plan(rest(self.generate), rest(self.evaluate), self.graded, why)

    def grouped(self, now: GradedBy | None = None) -> dict[str, dict[Reason, list[TaskRepeat]]]:
        """Return the repeats by action (``reuse``, ``regrade``, ``rerun``) and reason.

        Grades of a grader other than the one ``now`` can't be reused.
        """
        groups: dict[str, dict[Reason, list[TaskRepeat]]] = {
            "reuse": {},
            "regrade": {},
            "rerun": {},
        }
        becomes = dict.fromkeys(self.evaluate, "regrade") | dict.fromkeys(self.generate, "rerun")
        others = [by for by in self.graded if now is not None and now.differs_from(by)]
        stale = {key for by in others for key in self.graded[by]}
        for why, keys in self.why.items():
            for key in keys:
                action = becomes.get(key, "reuse")
                if action == "reuse" and key in stale:
                    groups["regrade"].setdefault(Reason.OTHER_GRADER, []).append(key)
                else:
                    groups[action].setdefault(why, []).append(key)
        return groups


@dataclass(slots=True, kw_only=True)
class Planner:
    """Finds out what each repeat of each task still needs.

    ``regrade`` is the reason to evaluate again what has a grade, if there is one; ``redo`` has
    those to generate repeats again although their generation is usable.
    """

    skip_eval: bool = False
    regrade: Reason | None = None
    retry_timeouts: bool = False
    redo: Mapping[TaskRepeat, Reason] = field(default_factory=dict[TaskRepeat, Reason])
    plan: Plan = field(default_factory=Plan, init=False)

    def add(self, task: TaskFiles) -> Reason:
        """Plan one repeat of a task, and return the reason to do or skip it."""
        if reason := self._reason_to_generate(task):
            self.plan.generate.append(task.key)
        else:
            reason = Reason.GENERATED if self.skip_eval else self._plan_eval(task)
        self.plan.why.setdefault(reason, []).append(task.key)
        return reason

    def _reason_to_generate(self, task: TaskFiles) -> Reason | None:
        generation = task.generation
        if generation is None:
            return Reason.UNREADABLE if task.is_unreadable else Reason.NOT_GENERATED
        if redo := self.redo.get(task.key):
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
            self.plan.evaluate.append(task.key)
            return owed or Reason.NOT_GRADED
        if result.status is not EvalStatus.EVALUATED:
            return Reason.DID_NOT_COMPLETE
        self.plan.graded.setdefault(GradedBy.of(result), []).append(task.key)
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
