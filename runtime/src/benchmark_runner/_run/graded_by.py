"""The grader of an evaluation; one score can't mix the grades of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark_runner._text import some_ids
from benchmark_runner.client.preflight import fetch_version
from benchmark_runner.errors import RunIdentityError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.client.retry import RetryPolicy
    from benchmark_runner.schemas import EvalResult


@dataclass(frozen=True, slots=True)
class GradedBy:
    """The identity of a grader.

    Attributes:
        service_url: URL of the service, without user info; ``local`` for the embedded one.
        evaluation_api: ``legacy`` or ``v1``.
        service_version: Version of the service; ``None`` if unknown.
        evaluator_version: Version of its grader, sent with each grade; ``None`` if unknown.
    """

    service_url: str | None
    evaluation_api: str | None
    service_version: str | None
    evaluator_version: str | None = None

    @classmethod
    def of(cls, result: EvalResult) -> GradedBy:
        """Return the grader of an evaluation."""
        return cls(
            result.service_url,
            result.evaluation_api,
            result.service_version,
            result.evaluator_version,
        )

    def differs_from(self, other: GradedBy) -> bool:
        """Return True if the two are known to be different."""
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


def grader_now(
    runner: BenchmarkRunner, *, local: bool, service_version: str | None = None
) -> GradedBy:
    """Return the grader of this command, without asking the service for its version.

    Args:
        runner: The author's runner, its client set.
        local: True if the embedded service evaluates in this process.
        service_version: Version of the service, if known.
    """
    url = "local" if local else runner.service.base_url
    return GradedBy(url, runner.EVALUATION_API, service_version)


async def ask_who_grades(
    runner: BenchmarkRunner, *, local: bool, retry: RetryPolicy | None = None
) -> tuple[GradedBy, bool]:
    """Ask the service for its version.

    Args:
        runner: The author's runner, its client set.
        local: True if the embedded service evaluates in this process.
        retry: How often to ask.

    Returns:
        The grader, and whether it is an embedded service on a port.
    """
    version = await fetch_version(runner.service, runner.dataset_name, retry=retry)
    named = version.service_version if version else None
    served = version is not None and version.eval_mode == "local"
    return grader_now(runner, local=local, service_version=named), served


def check_same_grader(
    run_id: str, graded: Mapping[GradedBy, Sequence[str]], now: GradedBy | None = None
) -> None:
    """Refuse to mix the grades of one grader with those of another.

    Args:
        run_id: The run.
        graded: Tasks with a grade, by grader.
        now: The grader of the rest; ``None`` to compare only the grades on disk.

    Raises:
        RunIdentityError: the graders are known to be different.
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
        message = f"{tasks} were evaluated before the grader or its references changed"
    else:
        message = f"{tasks} were evaluated by {before}, not by {now}"
    error = RunIdentityError(
        f"{message}; one score can't mix them",
        hint="Evaluate all of them again with evaluate --regrade.",
    )
    error.way_out = ("evaluate", "--regrade")
    return error
