"""The workflow of a command on a run: open, plan, prepare, generate and evaluate, score."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._progress.events import InvocationStarted, ScoringStarted
from benchmark_runner._progress.listeners import Listeners
from benchmark_runner._run.caps import Caps
from benchmark_runner._run.connection import close_connections
from benchmark_runner._run.engine import Engine
from benchmark_runner._run.failure_kinds import attributed_to
from benchmark_runner._run.generate import note_interruption
from benchmark_runner._run.graded_by import (
    CommandGrader,
    GradedBy,
    ask_who_grades,
    check_same_grader,
)
from benchmark_runner._run.inventory import Inventory
from benchmark_runner._run.open import open_existing_run, open_run
from benchmark_runner._run.outcome import Outcome
from benchmark_runner._run.preparation import Preparation, make_planner, plan_of_command
from benchmark_runner._run.question import Question
from benchmark_runner._run.run_service import RunService
from benchmark_runner._run.score import make_score
from benchmark_runner._run.session import refuse_change_by_others
from benchmark_runner._run.summary import RunSummary, Summaries
from benchmark_runner._run.trajectory_figures import count_interrupted
from benchmark_runner._run.until import check_baseline_grader
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.errors import (
    ArtifactError,
    BenchmarkRunnerError,
    RunIdentityError,
    ServiceError,
)
from benchmark_runner.schemas import Phase, TaskRepeat

if TYPE_CHECKING:
    from benchmark_runner._run.plan import Plan
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner._run.session import Session
    from benchmark_runner._run.task_source import Connect
    from benchmark_runner._spend import Spend
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.checkpoint import RunConfig


class Workflow:
    """Carries out one command on one run.

    ``session`` is the run once it is open, also for the outcome of a command that is interrupted.
    ``listeners`` are the display and the log of events.
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
        self._service_of_run = RunService(connect)
        self._caps = Caps(request.max_cost, request.max_errors)
        self._blocked: list[TaskRepeat] = []
        self._masked: list[TaskRepeat] = []
        self._warnings: list[str] = []
        self._frozen: RunConfig | None = None
        self._question: Question | None = None
        self.artifacts = artifacts
        count_interrupted(artifacts)
        self.session: Session | None = None
        self.listeners = Listeners(artifacts)

    async def carry_out(self, announce: Callable[[Session, Plan, bool], None]) -> Outcome:
        """Carry out the command.

        Before anything is done, ``announce`` is called with the run, the plan, and whether an
        embedded service evaluates.

        Raises:
            BenchmarkRunnerError: it can't be done; the class tells the reason.
        """
        with ExitStack() as locks:
            try:
                before = self.artifacts.config_hash()
                with attributed_to(Phase.LOAD):
                    session = await self._open()
                if self.artifacts.set_aside:  # so early, that can only be the config
                    before = None
                # Of a run of --problem, others may run other tasks meanwhile.
                task_id = session.chosen[0] if self._request.problem is not None else None
                locks.enter_context(self.artifacts.locked(task_id))
                if session.source.kind != "problem":
                    refuse_change_by_others(self.artifacts, before)
                locks.enter_context(self.listeners)  # ends before the lock is released
                return await self._carry_out(session, announce)
            except asyncio.CancelledError:
                await run_in_thread(self.note_interruption)
                raise
            finally:
                await close_connections(self._runner)

    async def plan_only(self) -> tuple[Session, Plan, GradedBy | None, Spend]:
        """Plan the command without changing anything.

        Returns the run, the plan, the grader, if it is known, and what the run has cost.

        Raises:
            BenchmarkRunnerError: it could not be done; the class tells the reason.
        """
        try:
            with attributed_to(Phase.LOAD):
                session = await self._open()
            plan, inventory = await self._take_inventory(session)
            if self._request.skip_eval or not self._runner.service_url:
                return session, plan, None, inventory.spend
            await self._service_of_run.open(session, has_grades=bool(plan.graded))
            once = RetryPolicy(attempts=1)
            grader = await ask_who_grades(session.runner, local=self._service.local, retry=once)
            return session, plan, grader.by, inventory.spend
        finally:
            await close_connections(self._runner)

    def take_stock(
        self, session: Session, summaries: tuple[RunSummary, RunSummary] | None = None
    ) -> Outcome:
        """Return the state of the run.

        The summaries of all and of the chosen tasks are read from disk if there are none.
        """
        if summaries is None:
            reader = Summaries(session.runner, session.chosen if session.is_part else None)
            self._scan(session, reader)
            summaries = reader.result()
        overall, chosen = summaries
        question = self._question
        overall.is_sample = question is None or overall.complete
        chosen.is_sample = overall.is_sample
        return Outcome(
            session,
            self._frozen or session.config,
            chosen,
            overall,
            blocked=[*dict.fromkeys(self._blocked)],
            masked=[*self._masked],
            warnings=[*self._warnings],
            local=self._service.local,
            verdict=None if question is None else question.verdict(),
        )

    def note_interruption(self) -> None:
        """Save an error as the generation of ``--problem`` when it is interrupted.

        An orchestrator reads nothing else. In other runs, the task is still owed.
        """
        if self.session is None or self._request.problem is None:
            return
        (task_id,) = self.session.chosen
        task = self.session.runner.registered_task(task_id)
        with suppress(ArtifactError):  # the process is about to end
            note_interruption(self.artifacts, task, self.session.config.model)

    async def _take_inventory(self, session: Session) -> tuple[Plan, Inventory]:
        """Read the run; return the part of its plan that the command carries out, and the rest."""
        chosen = session.chosen if session.is_part else None
        until = session.config.until
        self._question = question = None if until is None else Question(session.config, until)
        planner = make_planner(session, self._service)
        inventory = Inventory(session.runner, planner, chosen, question)
        await run_in_thread(self._scan, session, inventory)
        return plan_of_command(session, inventory.plan, question), inventory

    def _scan(self, session: Session, observer: Inventory | Summaries) -> None:
        """Show the files of each repeat of each task to the observer, one at a time."""
        for task_id, repeat in session.config.task_repeats():
            observer.add(TaskFiles(self.artifacts, task_id, repeat))

    async def _open(self) -> Session:
        arguments = (self._runner, self.artifacts, self._request, self._connect)
        if self._request.command == "run":
            return await open_run(*arguments)
        return await open_existing_run(*arguments, needs_file=self._service.local)

    async def _carry_out(
        self, session: Session, announce: Callable[[Session, Plan, bool], None]
    ) -> Outcome:
        self._runner.pin_run(self.artifacts)
        self._runner.input_source = self._service_of_run.inputs(session)
        plan, grader, started, summaries = await self._prepare(session)
        announce(session, plan, grader.local)
        with attributed_to(Phase.EVALUATE):
            stopped_by = await self._run_engine(session, plan, grader, started)
        del plan  # of many tasks it is large
        with attributed_to(Phase.SCORE):  # by the author's task_score()
            outcome = await run_in_thread(self.take_stock, session, summaries)
        outcome.stopped_by, outcome.local = stopped_by, grader.local
        await self._score(outcome, grader)
        self.listeners.outcome = outcome.event()
        return outcome

    async def _prepare(
        self, session: Session
    ) -> tuple[Plan, CommandGrader, InvocationStarted, tuple[RunSummary, RunSummary] | None]:
        """Plan the command, find its grader and freeze the run.

        Returns the plan, the grader, the first event, and the summaries if nothing is left to do.
        """
        request, service = self._request, self._service
        plan, inventory = await self._take_inventory(session)
        preparation = Preparation(session, service, plan, inventory)
        with attributed_to(Phase.EVALUATE):
            if not request.skip_eval:
                await self._service_of_run.open(session, has_grades=bool(plan.graded))
            grader = await preparation.find_grader()
            await run_in_thread(check_baseline_grader, session, grader.by)
        self.session = session
        self._frozen = await run_in_thread(preparation.freeze, grader)
        self._caps.spend = inventory.spend
        # Other processes may add to a run of --problem meanwhile, as only a task is locked.
        summaries = inventory.summaries if request.problem is None else None
        return plan, grader, preparation.started(), summaries

    async def _run_engine(
        self, session: Session, plan: Plan, grader: CommandGrader, started: InvocationStarted
    ) -> BenchmarkRunnerError | None:
        if not plan:
            return None
        await self.listeners.begin(started, quiet=self._request.quiet)
        if not self._request.skip_eval:
            session.runner.service.calls.on_retry = self.listeners.tell_of_retry
        tell, question = self.listeners.tell, self._question
        engine = Engine(session, self._service, grader, tell, self._caps, question)
        self._blocked, self._masked = engine.blocked, engine.masked
        self._warnings = engine.warnings
        try:
            stopped_by = await engine.carry_out(plan)
            return await engine.check_grader() or stopped_by
        finally:  # the run's folder may have been removed meanwhile
            await run_in_thread(session.restore_config, self._frozen)

    async def _score(self, outcome: Outcome, grader: CommandGrader) -> None:
        overall, session = outcome.overall, outcome.session
        is_wanted = overall.complete or self._request.force
        if grader.score is not None:
            outcome.score, outcome.standing = grader.score, True
        elif is_wanted and not self._request.skip_eval and outcome.stopped_by is None:
            self.listeners.tell(ScoringStarted())
            try:
                with attributed_to(Phase.SCORE):
                    check_same_grader(self.artifacts.run_id, overall.graded)
                    deadline = self._service.request_deadline
                    outcome.score = await make_score(session, overall, grader, deadline)
            except (RunIdentityError, ServiceError) as error:
                outcome.stopped_by = error
