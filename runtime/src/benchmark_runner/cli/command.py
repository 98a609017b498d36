"""Run a workflow for a command: announce it, carry it out, report it, set the exit code."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import typer

from benchmark_runner.cli.interrupts import Interrupted, run_interruptible
from benchmark_runner.cli.output import (
    note,
    print_failure,
    print_json,
    say,
    standard_output_reserved,
)
from benchmark_runner.cli.report import as_json, closing, exit_code, opening
from benchmark_runner.cli.shell import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark_runner.checkpoint import Plan
    from benchmark_runner.cli.benchmark import Benchmark, ServiceSettings
    from benchmark_runner.cli.workflow import Outcome, Workflow, WorkSettings
    from benchmark_runner.session import Session


def run_command(
    workflow: Workflow,
    benchmark: Benchmark,
    service: ServiceSettings,
    settings: WorkSettings,
    *,
    resume: Sequence[str],
    json: bool,
) -> None:
    """Carry out a workflow and end the command.

    Args:
        workflow: What to do.
        benchmark: The author's benchmark.
        service: How to talk to the service.
        settings: How to work.
        resume: The arguments that do the same work again, or the rest of it.
        json: Whether to print one JSON object instead of text.

    Raises:
        typer.Exit: with the command's exit code.
    """
    script = f"{benchmark.runner_class.NAME}-runner"
    resume_command = command_line(resume, script, benchmark.project.root)

    def announce(session: Session, plan: Plan) -> None:
        if not (json or settings.quiet):
            for line in opening(session, plan, settings, local=service.local):
                say(line)

    interrupted: Interrupted | None = None
    try:
        with standard_output_reserved() if json else nullcontext():
            outcome = run_interruptible(workflow.carry_out(announce))
    except Interrupted as error:
        if workflow.session is None:
            print_failure(
                settings.command, "Interrupted", f"stopped by {error}", None, as_json=json
            )
            raise typer.Exit(error.exit_code) from None
        interrupted, outcome = error, workflow.take_stock(workflow.session)

    if json:
        _report_json(outcome, settings.command, interrupted, resume_command, local=service.local)
    else:
        _report_text(outcome, settings, interrupted, resume_command)
    raise typer.Exit(interrupted.exit_code if interrupted else exit_code(outcome, settings))


def _report_json(
    outcome: Outcome,
    command: str,
    interrupted: Interrupted | None,
    resume_command: str,
    *,
    local: bool,
) -> None:
    content = as_json(outcome, local, resume_command)
    if interrupted:
        message = f"stopped by {interrupted}; what was finished is kept"
        content["error"] = {"type": "Interrupted", "message": message, "hint": resume_command}
    print_json(command, content)


def _report_text(
    outcome: Outcome, settings: WorkSettings, interrupted: Interrupted | None, resume_command: str
) -> None:
    if interrupted:
        note(f"Stopped by {interrupted}. What was finished is kept.")
    for line in closing(outcome, settings, resume_command):
        say(line)
    if (error := outcome.stopped_by) is not None:
        kind = type(error).__name__
        print_failure(settings.command, kind, error.message, error.hint, as_json=False)
