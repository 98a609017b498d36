"""What of a run is left to do and why, from what is on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner.artifacts.task_files import read_tasks
from benchmark_runner.schemas import EvalStatus, GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.schemas import EvalResult


class Why(StrEnum):
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
_ON_PURPOSE = frozenset({Why.CHANGED, Why.RETRY_TIMEOUTS, Why.RERUN})
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
    why: dict[Why, list[str]] = field(default_factory=dict[Why, list[str]])

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

    def grouped(self, now: GradedBy | None = None) -> dict[str, dict[Why, list[str]]]:
        """The tasks by what becomes of them (``reuse``, ``regrade``, ``rerun``) and why.

        Args:
            now: Who would grade: what somebody else has graded can't be reused.
        """
        groups: dict[str, dict[Why, list[str]]] = {"reuse": {}, "regrade": {}, "rerun": {}}
        becomes = dict.fromkeys(self.evaluate, "regrade") | dict.fromkeys(self.generate, "rerun")
        others = [by for by in self.graded if now is not None and now.differs_from(by)]
        stale = {task_id for by in others for task_id in self.graded[by]}
        for why, task_ids in self.why.items():
            for task_id in task_ids:
                action = becomes.get(task_id, "reuse")
                if action == "reuse" and task_id in stale:
                    groups["regrade"].setdefault(Why.OTHER_GRADER, []).append(task_id)
                else:
                    groups[action].setdefault(why, []).append(task_id)
        return groups

    def note(self, task_id: str, why: Why) -> None:
        """Say why one more task is to be done, or left alone."""
        self.why.setdefault(why, []).append(task_id)


def make_plan(
    artifacts: RunArtifacts,
    task_ids: Iterable[str],
    *,
    skip_eval: bool = False,
    regrade: Why | None = None,
    retry_timeouts: bool = False,
    redo: Mapping[str, Why] | None = None,
    also: Callable[[TaskFiles, Plan], None] | None = None,
) -> Plan:
    """Find out what tasks still need.

    Args:
        artifacts: The files of the run.
        task_ids: The tasks to look at.
        skip_eval: Whether generations are all that is wanted.
        regrade: Why grades that are there are to be made again, if they are.
        retry_timeouts: Whether what ran out of time or turns is to be generated again.
        redo: Tasks that are to be generated again, whatever there is, and why.
        also: Is shown each task once it is planned, so that nothing is read twice.
    """
    plan, redo = Plan(), redo or {}
    for task in read_tasks(artifacts, task_ids):
        plan_task(
            plan,
            task,
            skip_eval=skip_eval,
            regrade=regrade,
            retry_timeouts=retry_timeouts,
            redo=redo.get(task.task_id),
        )
        if also is not None:
            also(task, plan)
    return plan


def plan_task(
    plan: Plan,
    task: TaskFiles,
    *,
    skip_eval: bool = False,
    regrade: Why | None = None,
    retry_timeouts: bool = False,
    redo: Why | None = None,
) -> None:
    """Add to ``plan`` what one task still needs; see :func:`make_plan`.

    Args:
        plan: The plan of the tasks before it.
        task: The task.
        skip_eval: Whether a generation is all that is wanted.
        regrade: Why a grade that is there is to be made again, if it is.
        retry_timeouts: Whether it is to be generated again if it ran out of time or turns.
        redo: Why it is to be generated again, whatever there is, if it is.
    """
    task_id, generation = task.task_id, task.generation
    again: Why | None = None
    if generation is None:
        again = Why.UNREADABLE if task.is_unreadable else Why.NOT_GENERATED
    elif redo is not None:
        again = redo
    elif generation.status is GenerationStatus.ERROR:
        again = Why.GENERATION_FAILED
    elif retry_timeouts and generation.status in _OUT_OF_TIME:
        again = Why.RETRY_TIMEOUTS
    if again is not None:
        plan.generate.append(task_id)
        plan.note(task_id, again)
    elif skip_eval:
        plan.note(task_id, Why.GENERATED)
    else:
        _plan_eval(plan, task_id, task.result, task.generation_hash, regrade=regrade)


def _plan_eval(
    plan: Plan,
    task_id: str,
    result: EvalResult | None,
    generation_hash: str | None,
    *,
    regrade: Why | None,
) -> None:
    why = Why.NOT_GRADED if result is None else why_eval_is_owed(result, generation_hash) or regrade
    if why is not None or result is None:
        plan.evaluate.append(task_id)
        plan.note(task_id, why or Why.NOT_GRADED)
        return
    if result.status is EvalStatus.EVALUATED:
        plan.note(task_id, Why.GRADED)
        plan.graded.setdefault(GradedBy.of(result), []).append(task_id)
    else:
        plan.note(task_id, Why.DID_NOT_COMPLETE)


def why_eval_is_owed(result: EvalResult, generation_hash: str | None) -> Why | None:
    """Why an eval has to be made again: it failed, or graded another generation."""
    if result.status in (EvalStatus.ERROR, EvalStatus.GENERATION_ERROR):
        return Why.GRADING_FAILED
    if result.generation_hash not in (None, generation_hash):
        return Why.OTHER_GENERATION
    return None
