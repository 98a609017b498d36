"""What of a run is left to do, from what is on disk, and who has graded the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark_runner.errors import RunIdentityError, some_ids
from benchmark_runner.schemas import EvalStatus, GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from benchmark_runner.artifacts import RunArtifacts
    from benchmark_runner.schemas import EvalResult


@dataclass(frozen=True, slots=True)
class GradedBy:
    """Who grades: evals of one grader are not to be mixed with another's.

    Attributes:
        service_url: The service, without user info; ``local`` for the embedded one.
        evaluation_api: ``legacy`` or ``v1``.
        service_version: What the service says of itself; ``None`` where that is not known.
        evaluator_version: What it says of its grader with each grade; likewise.
    """

    service_url: str | None
    evaluation_api: str | None
    service_version: str | None
    evaluator_version: str | None = None

    @classmethod
    def of(cls, result: EvalResult) -> GradedBy:
        """Who made this grade."""
        return cls(
            result.service_url,
            result.evaluation_api,
            result.service_version,
            result.evaluator_version,
        )

    def differs_from(self, other: GradedBy) -> bool:
        """Whether the two are known to be different."""
        pairs = (
            (self.service_url, other.service_url),
            (self.evaluation_api, other.evaluation_api),
            (self.service_version, other.service_version),
            (self.evaluator_version, other.evaluator_version),
        )
        return any(now and then and now != then for now, then in pairs)

    def __str__(self) -> str:
        named = self.evaluator_version or self.service_version
        version = f", version {named}" if named else ""
        return f"{self.service_url} ({self.evaluation_api} API{version})"


@dataclass(slots=True)
class Plan:
    """What is left to do, from what is on disk.

    Attributes:
        generate: Tasks without a usable generation.
        evaluate: Tasks with a generation whose eval is missing or has to be redone.
        done: How many tasks need nothing.
        graded: The tasks that have a grade, by who graded them.
    """

    generate: list[str] = field(default_factory=list[str])
    evaluate: list[str] = field(default_factory=list[str])
    done: int = 0
    graded: dict[GradedBy, list[str]] = field(default_factory=dict[GradedBy, list[str]])

    def __bool__(self) -> bool:
        return bool(self.generate or self.evaluate)

    def only(self, chosen: Collection[str]) -> Plan:
        """The part of the plan that is about the chosen tasks; who graded stays about all."""
        generate = [task_id for task_id in self.generate if task_id in chosen]
        evaluate = [task_id for task_id in self.evaluate if task_id in chosen]
        done = len(chosen) - len(generate) - len(evaluate)
        return Plan(generate, evaluate, done, self.graded)


def make_plan(
    artifacts: RunArtifacts,
    task_ids: Iterable[str],
    *,
    skip_eval: bool = False,
    regrade: bool = False,
) -> Plan:
    """Find out what tasks still need.

    Args:
        artifacts: The files of the run.
        task_ids: The tasks to look at.
        skip_eval: Whether generations are all that is wanted.
        regrade: Whether grades that are there are to be made again.
    """
    plan = Plan()
    for task_id in task_ids:
        generation, content_hash = artifacts.load_generation_and_hash(task_id)
        if generation is None or generation.status is GenerationStatus.ERROR:
            plan.generate.append(task_id)
            continue
        if skip_eval:
            plan.done += 1
            continue
        result = artifacts.load_eval(task_id)
        if regrade or result is None or is_eval_owed(result, content_hash):
            plan.evaluate.append(task_id)
            continue
        plan.done += 1
        if result.status is EvalStatus.EVALUATED:
            plan.graded.setdefault(GradedBy.of(result), []).append(task_id)
    return plan


def is_eval_owed(result: EvalResult, generation_hash: str | None) -> bool:
    """Whether an eval has to be made again: it failed, or graded another generation."""
    if result.status in (EvalStatus.ERROR, EvalStatus.GENERATION_ERROR):
        return True
    return result.generation_hash not in (None, generation_hash)


def check_same_grader(
    run_id: str, graded: Mapping[GradedBy, Sequence[str]], now: GradedBy | None = None
) -> None:
    """Refuse to mix the grades of one grader with those of another.

    Args:
        run_id: The run.
        graded: The tasks that have a grade, by who graded them.
        now: Who would grade the rest; ``None`` compares what is there.

    Raises:
        RunIdentityError: grades are known to come from different graders.
    """
    known = list(graded)
    against = [now] if now is not None else known
    for before in known:
        for other in against:
            if other.differs_from(before):
                raise _mixed_graders(run_id, graded[before], before, other)


def _mixed_graders(
    run_id: str, task_ids: Sequence[str], before: GradedBy, now: GradedBy
) -> RunIdentityError:
    tasks = f"{len(task_ids)} task(s) of run {run_id!r} ({some_ids(task_ids)})"
    if (before.service_url, before.evaluation_api) == (now.service_url, now.evaluation_api):
        message = f"{tasks} were graded before the grader or its references changed"
    else:
        message = f"{tasks} were graded by {before}, not by {now}"
    again = f"evaluate --run-id {run_id} --regrade --service-url {now.service_url}"
    return RunIdentityError(
        f"{message}; one score can't mix them", hint=f"Grade all of them again with: {again}"
    )
