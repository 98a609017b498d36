"""The preparation of a command: its plan and grader, and the files to change before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._run.flags import operational_settings
from benchmark_runner._run.graded_by import GradedBy, ask_who_grades, check_same_grader, grader_now
from benchmark_runner._run.plan import Planner, Reason
from benchmark_runner._run.score import current_score, has_forced_score
from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner.client.preflight import check_service
from benchmark_runner.errors import RunIdentityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from benchmark_runner._run.baseline import Baseline
    from benchmark_runner._run.plan import Plan
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner._run.session import Session
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.schemas import ScoreResult


@dataclass(frozen=True, slots=True)
class CommandGrader:
    """The grader of a command.

    Attributes:
        by: Its identity.
        local: True if it is an embedded service, in this process or on a port.
        score: The score on disk, if it is up to date and need not be made again.
    """

    by: GradedBy
    local: bool
    score: ScoreResult | None = None


class Preparation:
    """The steps between the plan of a command and its first task.

    Args:
        session: The run.
        request: The request of the command.
        service: The settings of the service.
        plan: The plan of the command.
        baseline: The state of the run before.
    """

    def __init__(
        self,
        session: Session,
        request: RunRequest,
        service: ServiceSettings,
        plan: Plan,
        baseline: Baseline,
    ) -> None:
        self._session = session
        self._artifacts = session.artifacts
        self._request = request
        self._service = service
        self._plan = plan
        self._evals_hash = baseline.evals_hash
        self._is_unchanged = not baseline.plan and not session.changes

    async def find_grader(self) -> CommandGrader:
        """Check the service and ask who grades, as far as there is anything to do.

        Raises:
            ServiceError: the service can't be used.
            RunIdentityError: the run has grades of another grader.
        """
        runner, request, local = self._session.runner, self._request, self._service.local
        if request.skip_eval:
            return CommandGrader(GradedBy(None, runner.EVALUATION_API, None), local)
        score = None
        if self._is_unchanged and not request.force:
            score = await run_in_thread(current_score, self._artifacts, self._evals_hash)
        if self._plan:
            await check_service(
                runner.service,
                self._session.chosen[0],
                runner.dataset_name,
                runner.EVALUATION_API,
            )
        if local or score is None:
            by, served = await ask_who_grades(runner, local=local)
        else:  # nothing is left to do: not worth a request
            by, served = grader_now(runner, local=local), False
        self._check_same_grader(by)
        # A served embedded service is no more official than one in this process.
        return CommandGrader(by, local or served or bool(score and score.local), score)

    def freeze(self, grader: CommandGrader) -> RunConfig | None:
        """Move what is to be done again to ``attempts/``, and then write ``run_config.json``.

        In this order: after a kill in between, what was moved is still owed. The score goes
        first, so that there is never a score of grades that are gone.

        Returns:
            The config that was written; ``None`` if there was nothing to write.
        """
        session, request = self._session, self._request
        if not self._is_score_valid(grader):
            self._artifacts.remove_final_score()
        # A changed task is moved even if others were chosen: once its new content is frozen,
        # nothing shows any more that its generation is of the old one.
        for task_id in dict.fromkeys([*session.redo, *self._plan.on_purpose]):
            self._artifacts.keep_attempt(task_id)
        for task_id in self._evals_to_redo():
            self._artifacts.keep_eval(task_id)
        begins = request.command == "run" and not session.resumed
        if not (begins or self._plan or request.accept_code_change or not session.is_frozen()):
            return None
        facts: dict[str, JsonValue] = {
            "service_url": grader.by.service_url,
            "evaluation_api": grader.by.evaluation_api,
            "service_version": grader.by.service_version,
            "local": grader.local,
            "operational": operational_settings(request.command, request, self._service),
        }
        return session.freeze(request.command, facts)

    def _check_same_grader(self, by: GradedBy) -> None:
        try:
            check_same_grader(self._artifacts.run_id, self._plan.graded, by)
        except RunIdentityError as error:
            if self._session.changes:  # until they are accepted, evaluate refuses them
                first = "First accept the tasks with run --accept-changed-tasks --skip-eval."
                error.hint = f"{first} {error.hint}"
            raise

    def _is_score_valid(self, grader: CommandGrader) -> bool:
        """Return True if ``final_score.json`` stays true."""
        if self._request.command == "score":  # which writes another one, or none
            return self._is_unchanged or has_forced_score(self._artifacts, self._evals_hash)
        return self._is_unchanged and (grader.score is not None or self._request.skip_eval)

    def _evals_to_redo(self) -> Sequence[str]:
        if _regrade_reason(self._session, self._request, self._service) is None:
            return ()
        return self._plan.evaluate if self._request.regrade else self._session.config.tasks


def make_planner(session: Session, request: RunRequest, service: ServiceSettings) -> Planner:
    """Return a planner with the settings of a command."""
    return Planner(
        skip_eval=request.skip_eval,
        regrade=_regrade_reason(session, request, service),
        retry_timeouts=request.retry_timeouts,
        redo=session.redo,
    )


def plan_of_command(session: Session, request: RunRequest, plan: Plan) -> Plan:
    """Return the part of a run's plan that a command carries out."""
    if session.is_part:
        plan = plan.only(session.chosen)
    if request.command != "run":
        plan = plan.without(plan.generate)
    if request.command == "score":
        plan = plan.without(plan.evaluate)
    return plan


def _regrade_reason(
    session: Session, request: RunRequest, service: ServiceSettings
) -> Reason | None:
    """Return the reason to evaluate again what has a grade; ``None`` to keep grades."""
    if request.regrade:
        return Reason.REGRADE
    # The version of the embedded service is that of its whole dataset.
    is_local = service.local and session.config.service_url == LOCAL
    changes = session.changes and session.source.kind != "problem"
    return Reason.OTHER_REFERENCES if is_local and changes else None
