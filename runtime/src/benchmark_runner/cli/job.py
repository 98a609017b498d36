"""One command on one run: open what it needs, carry it out, print how it ended, exit."""

from __future__ import annotations

import os
import secrets
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import NoReturn, TypeVar

import typer

from benchmark_runner._concurrency.child_processes import children_left
from benchmark_runner._concurrency.gc_threshold import raise_gc_threshold
from benchmark_runner._run.benchmark import Benchmark, open_benchmark
from benchmark_runner._run.connection import connect_to_service
from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.outcome import Outcome
from benchmark_runner._run.plan import Plan
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner._run.session import Session
from benchmark_runner._run.stray_errors import StrayErrors
from benchmark_runner._run.until import until_arguments
from benchmark_runner._run.workflow import Workflow
from benchmark_runner._versions import Code
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.cli.console import (
    mask_secrets,
    note,
    print_error,
    print_failure,
    print_json,
    report_failure,
    say,
)
from benchmark_runner.cli.exit_codes import SETTLED_NO, exit_code
from benchmark_runner.cli.output.run import (
    as_json,
    end_lines,
    failure_text,
    plain_key_warning,
    start_lines,
)
from benchmark_runner.cli.resume_command import NextCommands, part_arguments
from benchmark_runner.cli.shortage import require_threads
from benchmark_runner.cli.signals import Interrupted, run_interruptible
from benchmark_runner.cli.validation import check_flags, named_tasks
from benchmark_runner.errors import BenchmarkRunnerError, RunPausedError

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Job:
    """A command with all that it needs; ``part`` are the arguments that choose its tasks."""

    benchmark: Benchmark
    request: RunRequest
    service: ServiceSettings
    artifacts: RunArtifacts
    part: Sequence[str] = ()

    def spell_out(self, error: BenchmarkRunnerError) -> BenchmarkRunnerError:
        """Name the command that is the way out of ``error``, as it is typed."""
        if error.way_out:
            command, *arguments = error.way_out
            run_id, url = self.artifacts.run_id, self.service.url
            typed = self.commands.on_run(command, run_id, url, *arguments)
            error.hint = f"{(error.hint or '').rstrip('.')}: {typed}"
            error.way_out = ()
        return error

    def resume_command(self, outcome: Outcome) -> str:
        """Return the command that resumes the run, for the same tasks until they are done."""
        of_problem = outcome.config.task_source == "problem"
        unfinished = of_problem or exit_code(outcome, self.request) != 0
        part = self.part if unfinished else ()
        stopped_by = outcome.stopped_by
        more = stopped_by.resume_with if isinstance(stopped_by, RunPausedError) else ()
        verdict, complete = outcome.verdict, outcome.overall.complete
        if self.request.asks and verdict is not None and not (verdict.side or complete):
            more = (*more, *until_arguments(verdict.until))
        return self.commands.resume(outcome.config, *more, part=part, last=self.request.command)

    @property
    def commands(self) -> NextCommands:
        """The commands that are printed for the run."""
        return NextCommands(self.benchmark, self.artifacts.results_dir)


def carry_out(settings: CliSettings, request: RunRequest, service: ServiceSettings) -> NoReturn:
    """Carry out the command, and end it with its exit code."""
    require_threads()
    job = open_job(settings, request, service)
    runner = job.benchmark.runner(job.service.url, job.service.eval_parallelism)
    connect = partial(connect_to_service, job.service, job.benchmark)
    workflow = Workflow(runner, job.artifacts, job.request, job.service, connect)
    reporter = _Reporter(job, workflow)
    if request.dry_run:
        _show_plan(job, runner, workflow, reporter)
    outcome = _interruptible(job, workflow.carry_out(reporter.announce), reporter)
    reporter.ended(outcome)
    raise typer.Exit(exit_code(outcome, job.request))


def open_job(settings: CliSettings, request: RunRequest, service: ServiceSettings) -> Job:
    """Open what the command needs, which is not the run yet."""
    part = part_arguments(request)
    request = replace(request, task_ids=named_tasks(request.task_ids, request.task_file))
    check_flags(request, service)
    benchmark = open_benchmark(settings, use_env_file=request.problem is None)
    service = replace(service, url=benchmark.service_url(service.url)).for_api(
        benchmark.runner_class.EVALUATION_API
    )
    if request.command == "run":
        request = replace(
            request,
            default_model=settings.default_model,
            custom_endpoint=request.custom_endpoint or os.environ.get("CUSTOM_ENDPOINT"),
            custom_api_key=request.custom_api_key or os.environ.get("CUSTOM_API_KEY"),
            code=Code.of(benchmark.project.root),
        )
    request = replace(request, default_file=benchmark.default_dataset_file)
    artifacts = RunArtifacts(
        benchmark.results_dir(request.results_dir),
        _new_run_id() if request.run_id is None else request.run_id,
        mask_secrets(service.url, request.llm_config, service.headers),
        durable=not request.no_durable,
        read_only=request.dry_run,
    )
    return Job(benchmark, request, service, artifacts, part)


def _new_run_id() -> str:
    """Make up a run id that sorts by time and is not that of a run started in the same second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _show_plan(
    job: Job, runner: BenchmarkRunner, workflow: Workflow, reporter: _Reporter
) -> NoReturn:
    # What reads runs takes longer to import than most commands need.
    from benchmark_runner.cli.inspection import Inspection
    from benchmark_runner.cli.output.dry_run import plan_as_json, plan_lines
    from benchmark_runner.cli.output.plan_forecast import make_forecast

    run_id, files = job.request.from_run, job.artifacts
    inspection = Inspection(job.benchmark, runner, files.results_dir, files.redactor)
    view = None if run_id is None else inspection.open(run_id)
    session, plan, grader, spend = _interruptible(job, workflow.plan_only(), reporter)
    groups = plan.grouped(grader)
    made = None if view is None else make_forecast(session, plan, spend, view)
    if job.request.json:
        print_json(job.request.command, plan_as_json(session, groups, made))
    else:
        say(*plan_lines(session, groups, made))
    raise typer.Exit(0)


def _interruptible(job: Job, work: Coroutine[None, None, ResultT], reporter: _Reporter) -> ResultT:
    try:
        with raise_gc_threshold():
            return run_interruptible(
                work,
                threads=job.request.parallelism,
                on_overrun=reporter.interrupted,
                on_stray=StrayErrors(job.artifacts, note).add,
            )
    except Interrupted as signal:
        reporter.interrupted(signal)
        raise typer.Exit(signal.exit_code) from None
    except BenchmarkRunnerError as error:
        raise job.spell_out(error) from None


class _Reporter:
    """The output of a job; its end is printed once, by whichever thread is first."""

    def __init__(self, job: Job, workflow: Workflow) -> None:
        self._job = job
        self._workflow = workflow
        self._turn = Lock()

    def announce(self, session: Session, plan: Plan, local: bool) -> None:
        """Print what is about to be done."""
        if warning := plain_key_warning(session):
            note(warning)
        if not (self._job.request.json or self._job.request.quiet):
            say(*start_lines(session, plan, self._job.request, local=local))

    def ended(self, outcome: Outcome) -> None:
        """Print the state of the run at the end."""
        if self._turn.acquire(blocking=False):
            self._tell(outcome, None)

    def interrupted(self, signal: Interrupted) -> None:
        """Print the state of the run after a signal; in any thread, also while the loop blocks."""
        if not self._turn.acquire(blocking=False):
            return
        job, workflow = self._job, self._workflow
        if workflow.session is None:
            message = f"stopped by {signal} before anything was done"
            print_failure(
                job.request.command, "Interrupted", message, None, as_json=job.request.json
            )
            return
        workflow.listeners.end()
        workflow.note_interruption()
        try:
            outcome = workflow.take_stock(workflow.session)
        except BenchmarkRunnerError as error:  # the signal decides the exit code all the same
            print_error(job.request.command, error, as_json=job.request.json)
            return
        self._tell(outcome, signal)

    def _tell(self, outcome: Outcome, signal: Interrupted | None) -> None:
        request = self._job.request
        try:
            self._print(outcome, signal)
        finally:  # of the failures that are printed, the one that counts
            if signal:
                report_failure(f"Interrupted: stopped by {signal}")
            elif exit_code(outcome, request) not in {0, SETTLED_NO}:
                report_failure(failure_text(outcome, request))

    def _print(self, outcome: Outcome, signal: Interrupted | None) -> None:
        job = self._job
        children = children_left()
        resume_command = job.resume_command(outcome)
        if outcome.stopped_by is not None:
            job.spell_out(outcome.stopped_by)
        if (refused := self._workflow.listeners.refused_by) is not None:
            note(f"The log of events is incomplete: {refused.message}")
        if job.request.json:
            content = as_json(outcome, job.request, resume_command, children)
            if signal:
                message = f"stopped by {signal}; what was finished is kept"
                content["error"] = {
                    "type": "Interrupted",
                    "message": message,
                    "hint": resume_command,
                }
            print_json(job.request.command, content)
            return
        if signal:
            note(f"Stopped by {signal}. What was finished is kept.")
        say(*end_lines(outcome, job.request, resume_command, children))
        if job.service.headers:
            note(
                "The resume command has no --header, whose values are secret: give it again, or set"
            )
            note("SERVICE_HEADERS.")
        if outcome.stopped_by is not None:
            print_error(job.request.command, outcome.stopped_by, as_json=False)
