"""The steps of working on a run: open, plan, ask who grades, carry out, score."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._progress.events import ScoringStarted
from benchmark_runner._progress.listeners import Listeners
from benchmark_runner._run.baseline import Baseline
from benchmark_runner._run.caps import Caps
from benchmark_runner._run.engine import Engine
from benchmark_runner._run.failure_kinds import attributed_to
from benchmark_runner._run.flags import operational_settings
from benchmark_runner._run.generate import note_interruption
from benchmark_runner._run.graded_by import GradedBy, ask_who_grades, check_same_grader, grader_now
from benchmark_runner._run.open import open_existing_run, open_run
from benchmark_runner._run.plan import Plan, Planner, Reason
from benchmark_runner._run.scan import scan_all
from benchmark_runner._run.score import has_forced_score, make_score, standing_score
from benchmark_runner._run.settings import beginning, ending
from benchmark_runner._run.summary import RunSummary, summarise
from benchmark_runner.client.preflight import check_service
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.errors import (
    ArtifactError,
    BenchmarkRunnerError,
    RunIdentityError,
    RunLockedError,
    ServiceError,
)
from benchmark_runner.schemas import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner._run.session import Session
    from benchmark_runner._run.task_source import Connect
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.schemas import ScoreResult

#: Seconds that the connections to the service get to be closed in order.
_CLOSE_WITHIN = 3.0


@dataclass(slots=True)
class Outcome:
    """How a run stands when a command ends.

    Attributes:
        session: The run.
        config: What the run is, as its ``run_config.json`` says now.
        chosen: How the chosen tasks stand.
        overall: How all of its tasks stand.
        score: The score, if the run has one that sums what is on disk.
        standing: Whether that score was there before.
        stopped_by: What made it stop before everything was done.
        blocked: Tasks whose code kept everything else waiting.
        local: Whether an embedded service grades, in this process or on a port.
    """

    session: Session
    config: RunConfig
    chosen: RunSummary
    overall: RunSummary
    score: ScoreResult | None = None
    standing: bool = False
    stopped_by: BenchmarkRunnerError | None = None
    blocked: list[str] = field(default_factory=list[str])
    local: bool = False


@dataclass(frozen=True, slots=True)
class _Grading:
    """Who grades this time, and the score that stands already."""

    by: GradedBy
    local: bool
    standing: ScoreResult | None = None


class Workflow:
    """Carries out one command on one run.

    Args:
        runner: The author's runner.
        artifacts: The files of the run.
        request: What a person asked for.
        service: How to reach the service.
        connect: Makes the client for a runner and its tasks.

    Attributes:
        session: The run, once it is open; an interrupted command still says how it stands.
        listeners: What shows and notes how it goes.
    """

    def __init__(
        self,
        runner: BenchmarkRunner,
        artifacts: RunArtifacts,
        request: RunRequest,
        service: ServiceSettings,
        connect: Connect,
    ) -> None:
        self._runner = runner
        self._request = request
        self._service = service
        self._connect = connect
        self._caps = Caps(request.max_cost, request.max_errors)
        self._blocked: list[str] = []
        self._frozen: RunConfig | None = None
        self.artifacts = artifacts
        self.session: Session | None = None
        self.listeners = Listeners(artifacts)

    async def carry_out(self, announce: Callable[[Session, Plan, bool], None]) -> Outcome:
        """Do what the command is for.

        Args:
            announce: Is told of the run, of what is left to do, and of whether an embedded
                service grades, before any of it is done.

        Raises:
            BenchmarkRunnerError: it can't be done; the class says why.
        """
        with ExitStack() as locks:
            try:
                before = self.artifacts.config_hash()
                with attributed_to(Phase.LOAD):
                    session = await self._open()
                if self.artifacts.set_aside:  # so early, that can only be the config
                    before = None
                locks.enter_context(self._locked(session))
                if session.source.kind != "problem":
                    self._check_untouched(before)
                locks.enter_context(self.listeners)  # ended before the run is let go of
                chosen = session.chosen if session.is_part else None
                baseline = Baseline(session.runner, self._planner(session), chosen)
                grading, stopped_by = await self._do_what_is_owed(session, baseline, announce)
                with attributed_to(Phase.SCORE):  # by the author's task_score()
                    # Where nothing was done the run stands as it did; it was locked meanwhile.
                    known = None if self._request.problem is not None else baseline.summary
                    outcome = await run_in_thread(self.take_stock, session, known)
                outcome.stopped_by, outcome.local = stopped_by, grading.local
                await self._score(outcome, grading)
                self.listeners.set_outcome(ending(outcome))
            except asyncio.CancelledError:
                await run_in_thread(self.note_interruption)
                raise
            else:
                return outcome
            finally:
                await self._close()

    async def _do_what_is_owed(
        self, session: Session, baseline: Baseline, announce: Callable[[Session, Plan, bool], None]
    ) -> tuple[_Grading, BenchmarkRunnerError | None]:
        """Plan, and carry the plan out; of many tasks it is large, and gone before they are scored.

        Returns:
            Who grades, and what made it stop before everything was done.
        """
        await run_in_thread(scan_all, self.artifacts, session.config.tasks, baseline)
        plan = self._part_of(session, baseline.plan)
        unchanged = not baseline.plan and not session.changes
        with attributed_to(Phase.EVALUATE):
            grading = await self._prepare_grading(session, plan, baseline, unchanged=unchanged)
        self.session = session
        await run_in_thread(self._begin, session, plan, grading, baseline, unchanged)
        announce(session, plan, grading.local)
        with attributed_to(Phase.EVALUATE):
            return grading, await self._work(session, plan, grading, baseline)

    async def plan_only(self) -> tuple[Session, Plan, GradedBy | None]:
        """Find out what ``carry_out()`` would do, without changing anything.

        Returns:
            The run, the plan, and who would grade, as far as that can be told.

        Raises:
            BenchmarkRunnerError: it could not be done; the class says why.
        """
        try:
            with attributed_to(Phase.LOAD):
                session = await self._open()
            planner = self._planner(session)
            await run_in_thread(scan_all, self.artifacts, session.config.tasks, planner)
            plan = self._part_of(session, planner.plan)
            if self._request.skip_eval or not self._runner.service_url:
                return session, plan, None
            if session.source.kind != "service":
                session.runner.service = await self._connect(session.runner, session.source)
            once = RetryPolicy(attempts=1)
            by, _ = await ask_who_grades(session.runner, local=self._service.local, retry=once)
            return session, plan, by
        finally:
            await self._close()

    async def _close(self) -> None:
        with suppress(TimeoutError):  # a connection that does not end is left to the system
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self._runner.aclose()

    def take_stock(self, session: Session, overall: RunSummary | None = None) -> Outcome:
        """Read how the run stands.

        Args:
            session: The run.
            overall: How it stands, where that is known already.
        """
        if overall is None:
            overall = summarise(session.runner, self.artifacts, session.config.tasks)
        chosen = overall
        if session.is_part:
            chosen = summarise(session.runner, self.artifacts, session.chosen)
        blocked = [*dict.fromkeys(self._blocked)]
        config = self._frozen or session.config
        return Outcome(session, config, chosen, overall, blocked=blocked, local=self._service.local)

    def note_interruption(self) -> None:
        """Say in the one generation of ``--problem`` that it was interrupted.

        An orchestrator reads nothing else. In other runs the task is owed, and nothing written.
        """
        if self.session is None or self._request.problem is None:
            return
        (task_id,) = self.session.chosen
        task = self.session.runner.registered_task(task_id)
        with suppress(ArtifactError):  # it is out of time anyway
            note_interruption(self.artifacts, task_id, task.question, self.session.config.model)

    async def _open(self) -> Session:
        arguments = (self._runner, self.artifacts, self._request, self._connect)
        if self._request.command == "run":
            return await open_run(*arguments)
        return await open_existing_run(*arguments, needs_file=self._service.local)

    def _planner(self, session: Session) -> Planner:
        return Planner(
            skip_eval=self._request.skip_eval,
            regrade=self._regrade(session),
            retry_timeouts=self._request.retry_timeouts,
            redo=session.redo,
        )

    def _part_of(self, session: Session, plan: Plan) -> Plan:
        """Return the part of a plan that this command carries out."""
        request = self._request
        if session.is_part:
            plan = plan.only(session.chosen)
        if request.command != "run":
            plan = plan.without(plan.generate)
        if request.command == "score":
            plan = plan.without(plan.evaluate)
        return plan

    def _regrade(self, session: Session) -> Reason | None:
        """Why all that has a grade is to be graded again, if so."""
        if self._request.regrade:
            return Reason.REGRADE
        # The version of the embedded service is that of its whole dataset.
        local = self._service.local and session.config.service_url == "local"
        changes = session.changes and session.source.kind != "problem"
        return Reason.OTHER_REFERENCES if local and changes else None

    async def _prepare_grading(
        self, session: Session, plan: Plan, baseline: Baseline, *, unchanged: bool
    ) -> _Grading:
        """Connect, and find out who grades and whether there is anything for them to do."""
        runner, request = session.runner, self._request
        if request.skip_eval:
            return _Grading(GradedBy(None, runner.EVALUATION_API, None), self._service.local)
        if session.source.kind != "service":
            runner.service = await self._connect(runner, session.source)
        client, standing = runner.service, None
        if unchanged and not request.force:
            standing = await run_in_thread(standing_score, self.artifacts, baseline.evals_hash)
        if plan:
            await check_service(
                client, session.chosen[0], runner.dataset_name, runner.EVALUATION_API
            )
        if self._service.local or standing is None:
            by, served = await ask_who_grades(runner, local=self._service.local)
        else:  # nothing is to be done: not worth a call
            by, served = grader_now(runner, local=self._service.local), False
        try:
            check_same_grader(self.artifacts.run_id, plan.graded, by)
        except RunIdentityError as error:
            if session.changes:  # until they are accepted, evaluate refuses them
                first = "First accept the tasks with run --accept-changed-tasks --skip-eval."
                error.hint = f"{first} {error.hint}"
            raise
        # A served embedded service is no more official than one in this process.
        local = self._service.local or served or bool(standing and standing.local)
        return _Grading(by, local, standing)

    def _begin(
        self, session: Session, plan: Plan, grading: _Grading, baseline: Baseline, unchanged: bool
    ) -> None:
        """Put away what is to be done again, and then freeze what the run is.

        In this order: after a kill in between, what was put away is owed all the same. The score
        goes first, so that none is left of grades that are gone.
        """
        request = self._request
        if not self._score_stands(grading, baseline, unchanged):
            self.artifacts.remove_final_score()
        # A task that has changed is put away although others were chosen: once the new
        # content is frozen, nothing tells any more that the generation is of the old one.
        for task_id in dict.fromkeys([*session.redo, *plan.on_purpose]):
            self.artifacts.keep_attempt(task_id)
        if self._regrade(session):
            for task_id in plan.evaluate if request.regrade else session.config.tasks:
                self.artifacts.keep_eval(task_id)
        begins = request.command == "run" and not session.resumed
        if begins or plan or request.accept_code_change or not session.is_frozen():
            by = grading.by
            facts: dict[str, JsonValue] = {
                "service_url": by.service_url,
                "evaluation_api": by.evaluation_api,
                "service_version": by.service_version,
                "local": grading.local,
                "operational": operational_settings(request.command, request, self._service),
            }
            self._frozen = session.freeze(request.command, facts)
        if plan and request.max_cost is not None:
            self._caps.spend = baseline.spend

    def _score_stands(self, grading: _Grading, baseline: Baseline, unchanged: bool) -> bool:
        """Whether what ``final_score.json`` says is still true."""
        request = self._request
        if request.command == "score":  # makes it anew, or nothing
            return unchanged or has_forced_score(self.artifacts, baseline.evals_hash)
        return unchanged and (grading.standing is not None or request.skip_eval)

    def _locked(self, session: Session) -> ExitStack:
        """Hold the run while it is worked on; ``--problem`` runs hold their task only."""
        locks = ExitStack()
        task_id = session.chosen[0] if self._request.problem is not None else None
        locks.enter_context(self.artifacts.locked(task_id))
        return locks

    def _check_untouched(self, before: str | None) -> None:
        """Refuse to go on if the run was started, or changed, before the lock was held."""
        if self.artifacts.config_hash() != before:
            raise RunLockedError(
                f"run {self.artifacts.run_id!r} was changed by another process just now",
                hint="Give the same command again.",
            )

    async def _work(
        self, session: Session, plan: Plan, grading: _Grading, baseline: Baseline
    ) -> BenchmarkRunnerError | None:
        request = self._request
        if not plan:
            return None
        started = beginning(session, plan, request, self._service, baseline)
        await self.listeners.begin(started, quiet=request.quiet)
        if not request.skip_eval:
            session.runner.service.on_retry = self.listeners.tell_of_retry
        engine = Engine(
            session.runner,
            self.artifacts,
            request,
            self._service,
            self.listeners.tell,
            model=session.config.model,
            llm_config=session.llm_config,
            graded_by=grading.by,
            local=grading.local,
            caps=self._caps,
        )
        self._blocked = engine.blocked
        return await engine.carry_out(plan)

    async def _score(self, outcome: Outcome, grading: _Grading) -> None:
        request = self._request
        wanted = outcome.overall.complete or request.force
        if grading.standing is not None:
            outcome.score, outcome.standing = grading.standing, True
        elif wanted and not request.skip_eval and outcome.stopped_by is None:
            self.listeners.tell(ScoringStarted())
            try:
                with attributed_to(Phase.SCORE):
                    outcome.score = await self._make_score(outcome, grading)
            except (RunIdentityError, ServiceError) as error:
                outcome.stopped_by = error

    async def _make_score(self, outcome: Outcome, grading: _Grading) -> ScoreResult:
        session = outcome.session
        check_same_grader(self.artifacts.run_id, outcome.overall.graded)
        return await make_score(
            session.runner,
            self.artifacts,
            session.config.tasks,
            outcome.overall,
            service_url=grading.by.service_url,
            local=grading.local,
            deadline=self._service.eval_deadline,
        )
