"""Carry out a workflow for a command: announce it, do it, report it, set the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import typer

from benchmark_runner.artifacts import RunArtifacts
from benchmark_runner.cli.interrupts import Interrupted, run_interruptible
from benchmark_runner.cli.output import mask_with, note, print_failure, print_json, say
from benchmark_runner.cli.report import as_json, closing, exit_code, opening
from benchmark_runner.cli.requests import known_secrets, where_arguments
from benchmark_runner.cli.shell import command_line
from benchmark_runner.redaction import Redactor
from benchmark_runner.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmark_runner.cli.benchmark import Benchmark, ServiceSettings
    from benchmark_runner.planning import Plan
    from benchmark_runner.session import RunRequest, Session
    from benchmark_runner.workflow import Outcome, WorkSettings


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

    def resume_command(self, outcome: Outcome) -> str:
        """The command that goes on where this one ended; it works in a fresh shell."""
        # Only `run --problem` can generate for such a run, and that needs the file.
        of_problem = outcome.session.config.task_source == "problem"
        command = "evaluate" if of_problem and self.settings.command != "run" else "run"
        arguments = [command, "--run-id", self.run_id]
        arguments += where_arguments(self.benchmark, self.results_dir, self.service.url)
        arguments += self.flags
        if of_problem or exit_code(outcome, self.settings) != 0:
            arguments += self.part
        script = f"{self.benchmark.runner_class.NAME}-runner"
        return command_line(arguments, script, self.benchmark.project.root)


def carry_out(job: Job) -> None:
    """Do the job and end the command.

    Raises:
        BenchmarkRunnerError: it can't be done; the class says why.
        typer.Exit: with the command's exit code.
    """
    secrets = known_secrets(job.request.llm_config, job.service.url)
    redactor = Redactor(secrets)
    mask_with(redactor)
    artifacts = RunArtifacts(job.results_dir, job.run_id, redactor)
    runner = job.benchmark.runner(job.service.url, job.service.eval_parallelism)
    connect = partial(job.service.connect, job.benchmark)
    workflow = Workflow(runner, artifacts, job.request, job.settings, connect)

    def announce(session: Session, plan: Plan, local: bool) -> None:
        if not (job.json or job.settings.quiet):
            for line in opening(session, plan, job.settings, local=local):
                say(line)

    interrupted: Interrupted | None = None
    try:
        work = workflow.carry_out(announce)
        outcome = run_interruptible(work, threads=job.settings.parallelism)
    except Interrupted as error:
        if workflow.session is None:
            message = f"stopped by {error} before anything was done"
            print_failure(job.settings.command, "Interrupted", message, None, as_json=job.json)
            raise typer.Exit(error.exit_code) from None
        interrupted, outcome = error, workflow.take_stock(workflow.session)

    if job.json:
        _report_json(job, outcome, interrupted)
    else:
        _report_text(job, outcome, interrupted)
    raise typer.Exit(interrupted.exit_code if interrupted else exit_code(outcome, job.settings))


def _report_json(job: Job, outcome: Outcome, interrupted: Interrupted | None) -> None:
    resume_command = job.resume_command(outcome)
    content = as_json(outcome, job.settings, resume_command)
    if interrupted:
        message = f"stopped by {interrupted}; what was finished is kept"
        content["error"] = {"type": "Interrupted", "message": message, "hint": resume_command}
    print_json(job.settings.command, content)


def _report_text(job: Job, outcome: Outcome, interrupted: Interrupted | None) -> None:
    if interrupted:
        note(f"Stopped by {interrupted}. What was finished is kept.")
    for line in closing(outcome, job.settings, job.resume_command(outcome)):
        say(line)
    if (error := outcome.stopped_by) is not None:
        kind = type(error).__name__
        print_failure(job.settings.command, kind, error.message, error.hint, as_json=False)
