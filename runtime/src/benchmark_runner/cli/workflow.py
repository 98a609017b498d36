"""What ``run``, ``evaluate`` and ``score`` have in common: the steps of working on a run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmark_runner.artifacts import RunArtifacts
from benchmark_runner.checkpoint import GradedBy, Plan, check_same_grader, make_plan
from benchmark_runner.display import Tally, make_display
from benchmark_runner.engine import Engine, EngineSettings
from benchmark_runner.errors import ServiceError
from benchmark_runner.events import RetryScheduled
from benchmark_runner.final_score import make_score, standing_score
from benchmark_runner.preflight import check_service, fetch_version
from benchmark_runner.session import open_graded_run, open_run
from benchmark_runner.summary import RunSummary, summarise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.cli.benchmark import Benchmark, ServiceSettings
    from benchmark_runner.client import BenchmarkServiceClient
    from benchmark_runner.events import Listener
    from benchmark_runner.redaction import Redactor
    from benchmark_runner.retries import RetryNotice
    from benchmark_runner.schemas import ScoreResult
    from benchmark_runner.session import RunRequest, Session
    from benchmark_runner.sources import TaskSource

Command = Literal["run", "evaluate", "score"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSettings:
    """How a command works on its run.

    Attributes:
        command: Which command it is.
        parallelism: The most generations at a time.
        timeout: Seconds a generation may take where its task does not say.
        skip_eval: Whether to leave the generations ungraded.
        regrade: Whether to grade again what has a grade.
        force: Whether to score again, and also where the run is incomplete.
        quiet: Whether to show no progress.
    """

    command: Command
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
    """

    session: Session
    chosen: RunSummary
    overall: RunSummary
    score: ScoreResult | None = None
    standing: bool = False
    stopped_by: ServiceError | None = None


class Workflow:
    """Carries out one command on one run.

    Args:
        benchmark: The author's benchmark.
        request: What a person asked for.
        service: How to talk to the service.
        settings: How to work.
        results_dir: Where runs are kept.
        run_id: Which run.
        redactor: Masks secrets in everything that is written.

    Attributes:
        session: The run, once it is open; an interrupted command still says how it stands.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        request: RunRequest,
        service: ServiceSettings,
        settings: WorkSettings,
        results_dir: Path,
        run_id: str,
        redactor: Redactor,
    ) -> None:
        self._benchmark = benchmark
        self._request = request
        self._service = service
        self._settings = settings
        self.artifacts = RunArtifacts(results_dir, run_id, redactor)
        self.session: Session | None = None

    async def carry_out(self, announce: Callable[[Session, Plan], None]) -> Outcome:
        """Do what the command is for.

        Args:
            announce: Is told of the run and of what is left to do, before any of it is done.

        Raises:
            BenchmarkRunnerError: it can't be done; the class says why.
        """
        runner = self._benchmark.runner(self._service.url, self._service.eval_parallelism)
        try:
            session = self.session = await self._open(runner)
            plan, unchanged = await asyncio.to_thread(self._plan, session)
            graded_by, standing = await self._prepare_grading(session, plan, unchanged=unchanged)
            announce(session, plan)
            if plan:
                self.artifacts.remove_final_score()
            if self._settings.command == "run":
                session.freeze()
            stopped_by = await self._work(session, plan, graded_by)
            outcome = await asyncio.to_thread(self.take_stock, session)
            outcome.stopped_by = stopped_by
            await self._score(outcome, standing, graded_by)
            return outcome
        finally:
            await runner.aclose()

    def take_stock(self, session: Session) -> Outcome:
        """Read how the run stands."""
        overall = summarise(session.runner, self.artifacts, session.config.tasks)
        if len(session.chosen) == len(session.config.tasks):
            return Outcome(session, overall, overall)
        return Outcome(session, summarise(session.runner, self.artifacts, session.chosen), overall)

    async def _open(self, runner: BenchmarkRunner) -> Session:
        if self._settings.command == "run":
            return await open_run(runner, self.artifacts, self._request, self._connect)
        return await open_graded_run(
            runner, self.artifacts, self._request, needs_file=self._service.local
        )

    def _connect(self, runner: BenchmarkRunner, source: TaskSource) -> BenchmarkServiceClient:
        return self._service.connect(self._benchmark, runner, source)

    def _plan(self, session: Session) -> tuple[Plan, bool]:
        """What this command has to do, and whether a score on disk may still stand."""
        plan = make_plan(
            self.artifacts,
            session.chosen,
            skip_eval=self._settings.skip_eval,
            regrade=self._settings.regrade,
        )
        unchanged = not plan
        if self._settings.command != "run":
            plan.generate.clear()
        if self._settings.command == "score":
            plan.evaluate.clear()
        return plan, unchanged

    async def _prepare_grading(
        self, session: Session, plan: Plan, *, unchanged: bool
    ) -> tuple[GradedBy, ScoreResult | None]:
        """Connect, and find out who grades and whether there is anything for them to do."""
        runner = session.runner
        if self._settings.skip_eval:
            return GradedBy(None, runner.EVALUATION_API, None), None
        if session.source.kind != "service" or self._settings.command != "run":
            runner.service = self._connect(runner, session.source)
        client = runner.service
        standing = None
        if unchanged and not self._settings.force:
            standing = await asyncio.to_thread(standing_score, self.artifacts, session.config.tasks)
        version = None
        if plan:
            await check_service(
                client, session.chosen[0], runner.dataset_name, runner.EVALUATION_API
            )
        if self._service.local or standing is None:
            version = await fetch_version(client, runner.dataset_name)
        graded_by = GradedBy(
            "local" if self._service.local else client.base_url,
            runner.EVALUATION_API,
            version.service_version if version else None,
        )
        check_same_grader(self.artifacts.run_id, plan, graded_by)
        return graded_by, standing

    async def _work(self, session: Session, plan: Plan, graded_by: GradedBy) -> ServiceError | None:
        if not plan:
            return None
        service = self._service
        tally = Tally(total=len(session.chosen), done=plan.done, skip_eval=self._settings.skip_eval)
        with make_display(tally, quiet=self._settings.quiet) as display:
            if not self._settings.skip_eval:
                session.runner.service.on_retry = _retries_into(display.show)
            engine = Engine(
                session.runner,
                self.artifacts,
                EngineSettings(
                    model=session.config.model,
                    llm_config=session.llm_config,
                    parallelism=self._settings.parallelism,
                    eval_parallelism=service.eval_parallelism,
                    timeout=self._settings.timeout,
                    # A try that starts just before the retries' time is up runs to its end.
                    eval_deadline=service.retry.total_time + 2 * service.eval_timeout,
                    skip_eval=self._settings.skip_eval,
                    graded_by=graded_by,
                    local=service.local,
                ),
                display.show,
            )
            return await engine.carry_out(plan)

    async def _score(
        self, outcome: Outcome, standing: ScoreResult | None, graded_by: GradedBy
    ) -> None:
        settings, session = self._settings, outcome.session
        wanted = outcome.overall.complete or settings.force
        if standing is not None:
            outcome.score, outcome.standing = standing, True
        elif wanted and not settings.skip_eval and outcome.stopped_by is None:
            try:
                outcome.score = await make_score(
                    session.runner,
                    self.artifacts,
                    session.config.tasks,
                    outcome.overall,
                    service_url=graded_by.service_url,
                    local=self._service.local,
                )
            except ServiceError as error:
                outcome.stopped_by = error


def _retries_into(listener: Listener) -> Callable[[RetryNotice], None]:
    def on_retry(notice: RetryNotice) -> None:
        listener(RetryScheduled(notice.reason, notice.wait))

    return on_retry
