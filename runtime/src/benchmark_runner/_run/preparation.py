"""The preparation of a command: its plan and grader, and the files to change before it starts."""

import os
import socket
from dataclasses import dataclass, replace

from pydantic import JsonValue

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._progress.events import InvocationStarted
from benchmark_runner._run.flags import operational_settings
from benchmark_runner._run.graded_by import (
    CommandGrader,
    GradedBy,
    ask_who_grades,
    check_same_grader,
    grades_itself,
)
from benchmark_runner._run.inventory import Inventory
from benchmark_runner._run.plan import Plan, Planner, Reason
from benchmark_runner._run.question import Question
from benchmark_runner._run.score import (
    contradiction,
    current_score,
    is_asked_as_set,
)
from benchmark_runner._run.service_settings import LOCAL, ServiceSettings
from benchmark_runner._run.session import Session
from benchmark_runner._run.time_limit import time_limit
from benchmark_runner._stats.survival import Bin
from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version
from benchmark_runner.base.tasks import run_id_of_repeat
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.client.call import is_key_part
from benchmark_runner.client.preflight import check_service
from benchmark_runner.errors import RunIdentityError
from benchmark_runner.schemas import ScoreResult


@dataclass(frozen=True, slots=True)
class Preparation:
    """The steps between the plan of a command and its first task."""

    session: Session
    service: ServiceSettings
    plan: Plan
    inventory: Inventory

    async def find_grader(self) -> CommandGrader:
        """Check the service and ask who grades, as far as there is anything to do.

        Raises:
            ServiceError: the service can't be used.
            RunIdentityError: the run has grades of another grader.
        """
        session, local = self.session, self.service.local
        runner, request = session.runner, session.request
        if request.skip_eval:
            return CommandGrader(GradedBy(None, runner.EVALUATION_API, None), local)
        score = None
        if self._is_unchanged and not request.force:
            score = await run_in_thread(self._standing_score)
        version = None
        last_id = run_id_of_repeat(session.config.run_id, session.config.repeats)
        if self.plan:
            version = await check_service(
                runner.service,
                self._asked_about,
                runner.dataset_name,
                runner.EVALUATION_API,
                own_evaluate=grades_itself(runner),
                listed=session.source.kind == "service",
                uploads_for=last_id if runner.PAYLOAD_TYPE == "artifact" else None,
            )
        # Where nothing is left to do, it is not worth a request.
        ask = local or score is None
        grader = await ask_who_grades(runner, local=local, ask=ask, version=version)
        asked_by = score.score_api if score is not None else None
        is_scored_only = request.command == "score" or asked_by == runner.EVALUATION_API
        by = grader.by
        if is_scored_only and not self.plan:  # a score may be asked for by either API
            by = replace(by, evaluation_api=None)
        self._check_same_grader(by)
        return CommandGrader(grader.by, grader.local or bool(score and score.local), score)

    def freeze(self, grader: CommandGrader) -> RunConfig | None:
        """Move what is to be done again to ``attempts/``, and write ``run_config.json``.

        Attempts are moved before: after a kill in between, what was moved is still owed. What is
        only evaluated again is recorded there first: its old evaluation must not count any more.
        The score goes before the grades that it is of. Returns the config that was written;
        ``None`` if there was nothing to write.
        """
        session, request = self.session, self.session.request
        if not self._is_score_valid(grader):
            session.artifacts.remove_final_score()
        # A changed task is moved even if others were chosen: once its new content is frozen,
        # nothing shows any more that its generation is of the old one.
        for task_id, repeat in dict.fromkeys([*session.redo, *self.plan.on_purpose]):
            session.artifacts.of_repeat(repeat).keep_attempt(task_id)
        regrade = dict.fromkeys(session.config.regrade)  # one that was interrupted
        if _regrade_reason(session, self.service) is not None:
            planned = (key.task_id for key in self.plan.evaluate)
            regrade |= dict.fromkeys(planned if request.regrade else session.config.tasks)
        begins = request.command == "run" and not session.resumed
        if not (begins or self.plan or request.accept_code_change or not session.is_frozen()):
            return None
        facts: dict[str, JsonValue] = {
            "service_url": grader.by.service_url,
            "evaluation_api": grader.by.evaluation_api,
            "service_version": grader.by.service_version,
            "dataset_version": grader.by.dataset_version or session.runner.dataset_version,
            "local": grader.local,
            "operational": operational_settings(request.command, request, self.service),
        }
        return session.freeze(request.command, facts, regrade=[*regrade])

    def started(self) -> InvocationStarted:
        """Return the first event of the command."""
        session, request, inventory = self.session, self.session.request, self.inventory
        scores, spend = inventory.scores, inventory.spend
        return InvocationStarted(
            command=request.command,
            pid=os.getpid(),
            host=socket.gethostname(),
            version=installed_version(RUNTIME_DISTRIBUTION),
            model=session.config.model,
            problem=session.source.kind == "problem",
            skip_eval=request.skip_eval,
            parallelism=request.parallelism,
            eval_parallelism=self.service.eval_parallelism,
            total=len(session.chosen) * session.config.repeats,
            repeats=session.config.repeats,
            asks=request.asks,
            done=self.plan.done,
            to_generate=len(self.plan.generate),
            to_evaluate=len(self.plan.evaluate),
            timed_out=inventory.timed_out,
            scored=scores.count,
            without_score=inventory.without_score,
            mean=scores.mean if scores.count else None,
            # Over tasks and their repeats it would be too small.
            stderr=scores.stderr if session.config.repeats == 1 else None,
            cost=spend.dollars,
            cost_unknown=spend.unknown,
            input_tokens=spend.tokens.get("input", 0),
            output_tokens=spend.tokens.get("output", 0),
            max_cost=request.max_cost,
            timeout=time_limit(session, self.plan),
            finished=tuple(map(_jobs, spend.history.bins())),
        )

    @property
    def _asked_about(self) -> str:
        """The task that the service is asked about: if there is one, a task that it can't take."""
        tasks = [key.task_id for key in self.plan.generate or self.plan.evaluate]
        if self.session.runner.PAYLOAD_TYPE == "artifact":
            return next((each for each in tasks if not is_key_part(each)), tasks[0])
        return tasks[0]

    @property
    def _is_unchanged(self) -> bool:
        return not self.inventory.plan and not self.session.changes

    def _standing_score(self) -> ScoreResult | None:
        """Return the score on disk if the command need not ask for another one."""
        session = self.session
        score = current_score(session.artifacts, self.inventory.evals_hash)
        if score is None or not is_asked_as_set(score, session.runner):
            return None
        return None if self._contradicts(score) else score

    def _contradicts(self, score: ScoreResult) -> bool:
        summaries, runner = self.inventory.summaries, self.session.runner
        return bool(summaries and contradiction(score, runner, summaries[0]))

    def _check_same_grader(self, by: GradedBy) -> None:
        try:
            check_same_grader(self.session.artifacts.run_id, self.plan.graded, by)
        except RunIdentityError as error:
            if self.session.changes:  # until they are accepted, evaluate refuses them
                first = "First accept the tasks with run --accept-changed-tasks --skip-eval."
                error.hint = f"{first} {error.hint}"
            raise

    def _is_score_valid(self, grader: CommandGrader) -> bool:
        """Return True if ``final_score.json`` stays true."""
        session, request = self.session, self.session.request
        if request.command != "score":
            return self._is_unchanged and (grader.score is not None or request.skip_eval)
        if self._is_unchanged:  # the command writes another one, or none
            score = session.artifacts.load_final_score()
            return score is None or not self._contradicts(score)
        evals_hash = self.inventory.evals_hash
        return current_score(session.artifacts, evals_hash, complete=False) is not None


def _jobs(finished: Bin) -> tuple[int, int, float, float, float]:
    """Return generations of about one duration for an event, with short numbers."""
    sums = (finished.seconds, finished.dollars, finished.squares)
    seconds, dollars, squares = (float(f"{each:.6g}") for each in sums)
    return finished.count, finished.unknown, seconds, dollars, squares


def make_planner(session: Session, service: ServiceSettings) -> Planner:
    """Return a planner with the settings of a command."""
    return Planner(
        skip_eval=session.request.skip_eval,
        regrade=_regrade_reason(session, service),
        retry_timeouts=session.request.retry_timeouts,
        redo=session.redo,
    )


def plan_of_command(session: Session, plan: Plan, question: Question | None = None) -> Plan:
    """Return the part of a run's plan that a command carries out, in its order.

    A command that asks the run's ``question`` generates nothing once that is settled.
    """
    if session.is_part:
        plan = plan.only(session.chosen)
    if session.request.command != "run":
        plan = plan.without(plan.generate)
    if session.request.command == "score":
        plan = plan.without(plan.evaluate)
    if session.request.asks and question is not None:
        if question.unusable is not None:
            raise question.unusable
        if question.side is not None:
            return plan.without(plan.generate)
        plan.generate.sort(key=question.place)
    else:
        plan.generate.sort(key=lambda key: key.repeat)  # the first repeat of all tasks comes first
    return plan


def _regrade_reason(session: Session, service: ServiceSettings) -> Reason | None:
    """Return the reason to evaluate again what has a grade; ``None`` to keep grades."""
    if session.request.regrade:
        return Reason.REGRADE
    # The version of the embedded service is that of its whole dataset.
    is_local = service.local and session.config.service_url == LOCAL
    changes = session.changes and session.source.kind != "problem"
    return Reason.OTHER_REFERENCES if is_local and changes else None
