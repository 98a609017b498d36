"""The steps of working on a run: open, plan, ask who grades, carry out, score."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmark_runner.display import Tally, make_display
from benchmark_runner.engine import Engine, EngineSettings
from benchmark_runner.errors import (
    BenchmarkRunnerError,
    RunIdentityError,
    RunLockedError,
    ServiceError,
)
from benchmark_runner.events import RetryScheduled
from benchmark_runner.final_score import make_score, standing_score
from benchmark_runner.planning import GradedBy, Plan, check_same_grader, make_plan
from benchmark_runner.preflight import check_service, fetch_version
from benchmark_runner.session import open_graded_run, open_run
from benchmark_runner.summary import RunSummary, summarise
from benchmark_runner.threads import beside_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark_runner.artifacts import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.display import Display
    from benchmark_runner.retries import RetryNotice
    from benchmark_runner.schemas import ScoreResult
    from benchmark_runner.session import Connect, RunRequest, Session

Command = Literal["run", "evaluate", "score"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSettings:
    """How a command works on its run.

    Attributes:
        command: Which command it is.
        local: Whether the embedded service grades in this process.
        parallelism: The most generations at a time.
        timeout: Seconds a generation may take where its task does not say.
        eval_parallelism: The most gradings at a time.
        eval_deadline: Seconds after which a grading, or the scoring, is given up.
        skip_eval: Whether to leave the generations ungraded.
        regrade: Whether to grade again what has a grade.
        force: Whether to score again, and also where the run is incomplete.
        quiet: Whether to show no progress.
    """

    command: Command
    local: bool
    eval_parallelism: int
    eval_deadline: float
    parallelism: int = 1
    timeout: float | None = None
    skip_eval: bool = False
    regrade: bool = False
    force: bool = False
    quiet: bool = False


@dataclass(slots=True)
class Outcome:
    """How a run stands when a command ends.

    Attributes:
        session: The run.
        chosen: How the chosen tasks stand.
        overall: How all of its tasks stand.
        score: The score, if the run has one that sums what is on disk.
        standing: Whether that score was there before.
        stopped_by: What made further grading, or scoring, pointless.
        local: Whether an embedded service grades, in this process or on a port.
    """

    session: Session
    chosen: RunSummary
    overall: RunSummary
    score: ScoreResult | None = None
    standing: bool = False
    stopped_by: BenchmarkRunnerError | None = None
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
        settings: How to work.
        connect: Makes the client for a runner and its tasks.

    Attributes:
        session: The run, once it is open; an interrupted command still says how it stands.
    """

    def __init__(
        self,
        runner: BenchmarkRunner,
        artifacts: RunArtifacts,
        request: RunRequest,
        settings: WorkSettings,
        connect: Connect,
    ) -> None:
        self._runner = runner
        self._request = request
        self._settings = settings
        self._connect = connect
        self.artifacts = artifacts
        self.session: Session | None = None

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
                before = self.artifacts.config_content()
                session = await self._open()
                locks.enter_context(self._locked(session))
                if session.source.kind != "problem":
                    self._check_untouched(before)
                plan, unchanged = await beside_loop(self._plan, session)
                grading = await self._prepare_grading(session, plan, unchanged=unchanged)
                self.session = session
                if self._settings.command == "run":
                    await beside_loop(session.freeze)
                announce(session, plan, grading.local)
                if not unchanged:
                    self.artifacts.remove_final_score()
                stopped_by = await self._work(session, plan, grading)
                outcome = await beside_loop(self.take_stock, session)
                outcome.stopped_by, outcome.local = stopped_by, grading.local
                await self._score(outcome, grading)
                return outcome
            finally:
                await self._runner.aclose()

    def take_stock(self, session: Session) -> Outcome:
        """Read how the run stands."""
        overall = summarise(session.runner, self.artifacts, session.config.tasks)
        chosen = overall
        if len(session.chosen) < len(session.config.tasks):
            chosen = summarise(session.runner, self.artifacts, session.chosen)
        return Outcome(session, chosen, overall, local=self._settings.local)

    async def _open(self) -> Session:
        arguments = (self._runner, self.artifacts, self._request, self._connect)
        if self._settings.command == "run":
            return await open_run(*arguments)
        return await open_graded_run(*arguments, needs_file=self._settings.local)

    def _plan(self, session: Session) -> tuple[Plan, bool]:
        """What this command has to do, and whether a score on disk may still stand."""
        settings = self._settings
        whole = make_plan(
            self.artifacts,
            session.config.tasks,
            skip_eval=settings.skip_eval,
            regrade=settings.regrade,
        )
        plan = whole.only(set(session.chosen))
        if settings.command != "run":
            plan.generate.clear()
        if settings.command == "score":
            plan.evaluate.clear()
        return plan, not whole

    async def _prepare_grading(self, session: Session, plan: Plan, *, unchanged: bool) -> _Grading:
        """Connect, and find out who grades and whether there is anything for them to do."""
        runner, settings = session.runner, self._settings
        if settings.skip_eval:
            return _Grading(GradedBy(None, runner.EVALUATION_API, None), settings.local)
        if session.source.kind != "service":
            runner.service = await self._connect(runner, session.source)
        client, standing = runner.service, None
        if unchanged and not settings.force:
            standing = await beside_loop(standing_score, self.artifacts, session.config.tasks)
        if plan:
            await check_service(
                client, session.chosen[0], runner.dataset_name, runner.EVALUATION_API
            )
        version = None
        if settings.local or standing is None:
            version = await fetch_version(client, runner.dataset_name)
        by = GradedBy(
            "local" if settings.local else client.base_url,
            runner.EVALUATION_API,
            version.service_version if version else None,
        )
        check_same_grader(self.artifacts.run_id, plan.graded, by)
        # A served embedded service is no more official than one in this process.
        served = version is not None and version.eval_mode == "local"
        local = settings.local or served or bool(standing and standing.local)
        return _Grading(by, local, standing)

    def _locked(self, session: Session) -> ExitStack:
        """Hold the run while it is worked on; ``--problem`` runs hold their task only."""
        locks = ExitStack()
        if self._settings.command != "score":
            task_id = session.chosen[0] if self._request.problem is not None else None
            locks.enter_context(self.artifacts.locked(task_id))
        return locks

    def _check_untouched(self, before: bytes | None) -> None:
        """Refuse to go on if the run was started, or changed, before the lock was held."""
        if self.artifacts.config_content() != before:
            raise RunLockedError(
                f"run {self.artifacts.run_id!r} was changed by another process just now",
                hint="Give the same command again.",
            )

    async def _work(
        self, session: Session, plan: Plan, grading: _Grading
    ) -> BenchmarkRunnerError | None:
        settings = self._settings
        if not plan:
            return None
        tally = Tally(total=len(session.chosen), done=plan.done, skip_eval=settings.skip_eval)
        with make_display(tally, quiet=settings.quiet) as display:
            if not settings.skip_eval:
                session.runner.service.on_retry = _retries_into(display)
            engine = Engine(
                session.runner,
                self.artifacts,
                EngineSettings(
                    model=session.config.model,
                    llm_config=session.llm_config,
                    parallelism=settings.parallelism,
                    eval_parallelism=settings.eval_parallelism,
                    timeout=settings.timeout,
                    eval_deadline=settings.eval_deadline,
                    skip_eval=settings.skip_eval,
                    graded_by=grading.by,
                    local=grading.local,
                ),
                display.show,
            )
            ticking = asyncio.create_task(display.keep_alive())
            try:
                return await engine.carry_out(plan)
            finally:
                ticking.cancel()

    async def _score(self, outcome: Outcome, grading: _Grading) -> None:
        settings, session = self._settings, outcome.session
        wanted = outcome.overall.complete or settings.force
        if grading.standing is not None:
            outcome.score, outcome.standing = grading.standing, True
        elif wanted and not settings.skip_eval and outcome.stopped_by is None:
            try:
                check_same_grader(self.artifacts.run_id, outcome.overall.graded)
                outcome.score = await make_score(
                    session.runner,
                    self.artifacts,
                    session.config.tasks,
                    outcome.overall,
                    service_url=grading.by.service_url,
                    local=grading.local,
                    deadline=settings.eval_deadline,
                )
            except (RunIdentityError, ServiceError) as error:
                outcome.stopped_by = error


def _retries_into(display: Display) -> Callable[[RetryNotice], None]:
    def on_retry(notice: RetryNotice) -> None:
        display.show(RetryScheduled(notice.reason, notice.wait))

    return on_retry
