"""Carry out a workflow for a command: announce it, do it, report it, set the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import typer

from benchmark_runner._concurrency.gc_threshold import rare_collections
from benchmark_runner._redaction import Redactor
from benchmark_runner._run.workflow import Workflow
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.checkpoint import field_words
from benchmark_runner.cli.console import (
    mask_with,
    note,
    print_error,
    print_failure,
    print_json,
    say,
)
from benchmark_runner.cli.flags import known_secrets, where_arguments
from benchmark_runner.cli.output.dry_run import plan_as_json, plan_in_words
from benchmark_runner.cli.output.run import as_json, closing, exit_code, opening
from benchmark_runner.cli.shell import command_line
from benchmark_runner.cli.signals import Interrupted, run_interruptible
from benchmark_runner.errors import BenchmarkRunnerError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from pathlib import Path

    from benchmark_runner._run.benchmark import Benchmark, ServiceSettings
    from benchmark_runner._run.plan import Plan
    from benchmark_runner._run.session import RunRequest, Session
    from benchmark_runner._run.workflow import Outcome, WorkSettings

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a command is to do.

    Attributes:
        benchmark: The author's benchmark.
        service: How to talk to the service.
        request: What a person asked for.
        settings: How to work.
        results_dir: Where runs are kept.
        run_id: Which run.
        flags: What to repeat of the command line to go on with the run.
        part: What to repeat to go on with the chosen part of it.
        json: Whether to print one JSON object instead of text.
        durable: Whether what is written is flushed to disk at once.
    """

    benchmark: Benchmark
    service: ServiceSettings
    request: RunRequest
    settings: WorkSettings
    results_dir: Path
    run_id: str
    flags: Sequence[str]
    part: Sequence[str] = ()
    json: bool
    durable: bool = True

    def command_line(self, command: str, *arguments: str) -> str:
        """A command on the same run; it works in a fresh shell."""
        where = where_arguments(self.benchmark, self.results_dir, self.service.url)
        script = f"{self.benchmark.runner_class.NAME}-runner"
        return command_line(
            [command, "--run-id", self.run_id, *where, *arguments],
            script,
            self.benchmark.project.root,
        )

    def spell_out(self, error: BenchmarkRunnerError) -> BenchmarkRunnerError:
        """Name the command that is the way out of ``error``, as it is typed."""
        if error.way_out:
            error.hint = f"{(error.hint or '').rstrip('.')}: {self.command_line(*error.way_out)}"
            error.way_out = ()
        return error

    def resume_command(self, outcome: Outcome) -> str:
        """The command that goes on where this one ended; it works in a fresh shell."""
        # Only `run --problem` can generate for such a run, and that needs the file.
        of_problem = outcome.session.config.task_source == "problem"
        command = "evaluate" if of_problem and self.settings.command != "run" else "run"
        unfinished = of_problem or exit_code(outcome, self.settings) != 0
        return self.command_line(command, *self.flags, *(self.part if unfinished else ()))


def carry_out(job: Job) -> None:
    """Do the job and end the command.

    Raises:
        BenchmarkRunnerError: it can't be done; the class says why.
        typer.Exit: with the command's exit code.
    """
    workflow = _workflow(job)
    reporter = Reporter(job, workflow)
    outcome = _interruptible(job, workflow.carry_out(reporter.announce), reporter)
    reporter.ended(outcome)
    raise typer.Exit(exit_code(outcome, job.settings))


def show_plan(job: Job) -> None:
    """Print what the job would do, and end the command.

    Raises:
        BenchmarkRunnerError: it could not be done; the class says why.
        typer.Exit: always, with 0.
    """
    workflow = _workflow(job, read_only=True)
    reporter = Reporter(job, workflow)
    session, plan, grader = _interruptible(job, workflow.plan_only(), reporter)
    groups = plan.grouped(grader)
    if job.json:
        print_json(job.settings.command, plan_as_json(session, groups))
    else:
        for line in plan_in_words(session, groups):
            say(line)
    raise typer.Exit(0)


def _interruptible(job: Job, work: Coroutine[None, None, ResultT], reporter: Reporter) -> ResultT:
    try:
        with rare_collections():
            return run_interruptible(
                work, threads=job.settings.parallelism, last_words=reporter.interrupted
            )
    except Interrupted as signal:
        reporter.interrupted(signal)
        raise typer.Exit(signal.exit_code) from None
    except BenchmarkRunnerError as error:
        raise job.spell_out(error) from None


def _workflow(job: Job, *, read_only: bool = False) -> Workflow:
    secrets = known_secrets(job.request.llm_config, job.service.url)
    redactor = Redactor(secrets, reserved=field_words)
    mask_with(redactor)
    artifacts = RunArtifacts(
        job.results_dir, job.run_id, redactor, durable=job.durable, read_only=read_only
    )
    runner = job.benchmark.runner(job.service.url, job.service.eval_parallelism)
    connect = partial(job.service.connect, job.benchmark)
    return Workflow(runner, artifacts, job.request, job.settings, connect)


class Reporter:
    """Says how a job goes and how it ends; that only once, whoever is first.

    Args:
        job: What is done.
        workflow: What does it.
    """

    def __init__(self, job: Job, workflow: Workflow) -> None:
        self._job = job
        self._workflow = workflow
        self._turn = Lock()

    def announce(self, session: Session, plan: Plan, local: bool) -> None:
        """Say what is begun."""
        if not (self._job.json or self._job.settings.quiet):
            for line in opening(session, plan, self._job.settings, local=local):
                say(line)

    def ended(self, outcome: Outcome) -> None:
        """Say how the run stands at the end."""
        if self._turn.acquire(blocking=False):
            self._tell(outcome, None)

    def interrupted(self, signal: Interrupted) -> None:
        """Say how the run stands after a signal; in any thread, also while the loop is blocked."""
        if not self._turn.acquire(blocking=False):
            return
        job, workflow = self._job, self._workflow
        if workflow.session is None:
            message = f"stopped by {signal} before anything was done"
            print_failure(job.settings.command, "Interrupted", message, None, as_json=job.json)
            return
        workflow.listeners.end()
        workflow.note_interruption()
        try:
            outcome = workflow.take_stock(workflow.session)
        except BenchmarkRunnerError as error:  # the signal decides the exit code all the same
            print_error(job.settings.command, error, as_json=job.json)
            return
        self._tell(outcome, signal)

    def _tell(self, outcome: Outcome, signal: Interrupted | None) -> None:
        job = self._job
        resume_command = job.resume_command(outcome)
        if outcome.stopped_by is not None:
            job.spell_out(outcome.stopped_by)
        if (refused := self._workflow.listeners.refused_by) is not None:
            note(f"The log of events is incomplete: {refused.message}")
        if job.json:
            content = as_json(outcome, job.settings, resume_command)
            if signal:
                message = f"stopped by {signal}; what was finished is kept"
                content["error"] = {
                    "type": "Interrupted",
                    "message": message,
                    "hint": resume_command,
                }
            print_json(job.settings.command, content)
            return
        if signal:
            note(f"Stopped by {signal}. What was finished is kept.")
        for line in closing(outcome, job.settings, resume_command):
            say(line)
        if outcome.stopped_by is not None:
            print_error(job.settings.command, outcome.stopped_by, as_json=False)
