"""The grader of an evaluation; one score can't mix the grades of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner._text import plural, some_ids
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.client.preflight import fetch_version
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.errors import RunIdentityError
from benchmark_runner.schemas import EvalResult, ScoreResult, TaskRepeat, VersionResponse


@dataclass(frozen=True, slots=True)
class GradedBy:
    """The identity of a grader; ``None`` where something is unknown.

    ``service_url`` is without user info, and ``local`` for the embedded service.
    ``evaluator_version`` is sent with each grade. ``dataset_version`` is that of the dataset at
    the service, which holds the references.
    """

    service_url: str | None
    evaluation_api: str | None
    service_version: str | None
    evaluator_version: str | None = None
    dataset_version: str | None = None

    @classmethod
    def of(cls, result: EvalResult) -> GradedBy:
        """Return the grader of an evaluation."""
        return cls(
            result.service_url,
            result.evaluation_api,
            result.service_version,
            result.evaluator_version,
            result.dataset_version,
        )

    def differs_from(self, other: GradedBy) -> bool:
        """Return True if the two are known to be different."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return any(now and then and now != then for now, then in pairs)

    def __str__(self) -> str:
        named = self.evaluator_version or self.service_version
        facts = [
            f"{self.evaluation_api} API" if self.evaluation_api else "",
            f"version {named}" if named else "",
            f"dataset version {self.dataset_version}" if self.dataset_version else "",
        ]
        known = ", ".join(filter(None, facts))
        return f"{self.service_url} ({known})" if known else f"{self.service_url}"


@dataclass(frozen=True, slots=True)
class CommandGrader:
    """The grader of a command.

    ``local`` is true of an embedded service, in this process or on a port; ``score`` is the one
    on disk, if it is up to date and need not be made again.
    """

    by: GradedBy
    local: bool
    score: ScoreResult | None = None


def grades_itself(runner: BenchmarkRunner) -> bool:
    """Return True if an author's ``evaluate()`` may grade elsewhere than the service."""
    return type(runner).evaluate is not BenchmarkRunner.evaluate


async def ask_who_grades(
    runner: BenchmarkRunner,
    *,
    local: bool,
    ask: bool = True,
    version: VersionResponse | None = None,
    retry: RetryPolicy | None = None,
) -> CommandGrader:
    """Return the grader of a command, after asking the service for its version.

    ``local`` is true of the embedded service in this process. Without ``ask``, the ``version`` is
    what is known of it.
    """
    url = LOCAL if local else runner.service.base_url
    if version is None and not ask:
        return CommandGrader(GradedBy(url, runner.EVALUATION_API, None), local)
    version = version or await versions_now(runner, retry=retry)
    # A served embedded service is no more official than one in this process.
    is_local = local or version.eval_mode == "local"
    by = GradedBy(
        url,
        runner.EVALUATION_API,
        version.service_version,
        dataset_version=_dataset_version(runner, version, is_local=is_local),
    )
    return CommandGrader(by, is_local)


async def versions_now(
    runner: BenchmarkRunner, *, retry: RetryPolicy | None = None
) -> VersionResponse:
    """Return the versions of the service and of the run's dataset, as far as they are known."""
    found = await fetch_version(runner.service, runner.dataset_name, retry=retry)
    found = found or VersionResponse()
    if (pinned := runner.service.pinned) is not None:  # which is not asked about
        found.dataset_version = pinned.name
    return found


def _dataset_version(
    runner: BenchmarkRunner, version: VersionResponse, *, is_local: bool
) -> str | None:
    if (pinned := runner.service.pinned) is not None:
        return pinned.name
    # That of an embedded service is a hash of tasks, which are in its own version, too.
    return None if is_local else version.dataset_version or runner.dataset_version


def check_same_grader(
    run_id: str, graded: Mapping[GradedBy, Sequence[TaskRepeat]], now: GradedBy | None = None
) -> None:
    """Refuse to mix the grades of one grader with those of another.

    ``graded`` has what has a grade, and ``now`` is the grader of the rest; without it, only
    the grades on disk are compared.

    Raises:
        RunIdentityError: the graders are known to be different.
    """
    for before, keys in graded.items():
        for other in graded if now is None else (now,):
            if other.differs_from(before):
                task_ids = [*dict.fromkeys(key.task_id for key in keys)]
                raise _mixed_graders(run_id, task_ids, before, other)


def _mixed_graders(
    run_id: str, task_ids: Sequence[str], before: GradedBy, now: GradedBy
) -> RunIdentityError:
    begin = f"run {run_id!r} has {plural(len(task_ids), 'task')} ({some_ids(task_ids)})"
    versions = before.dataset_version, now.dataset_version
    apis = {before.evaluation_api, now.evaluation_api} - {None}
    if before.service_url != now.service_url or len(apis) > 1:
        message = f"{begin} evaluated by {before}, not by {now}"
    elif all(versions) and versions[0] != versions[1]:
        message = f"{begin} evaluated with dataset version {versions[0]}, not {versions[1]}"
    else:
        message = f"{begin} evaluated before the grader or its references changed"
    error = RunIdentityError(
        f"{message}; one score can't mix them",
        hint="Evaluate all of them again with evaluate --regrade.",
    )
    error.way_out = ("evaluate", "--regrade")
    return error
