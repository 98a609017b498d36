"""The command ``import``: open what it needs, carry it out, print what came of it, exit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NoReturn

import typer

from benchmark_runner._concurrency.gc_threshold import raise_gc_threshold
from benchmark_runner._progress.events import RetryScheduled
from benchmark_runner._run.answer_import import AnswerImport
from benchmark_runner._run.connection import connect_to_service
from benchmark_runner._run.stray_errors import StrayErrors
from benchmark_runner.cli.console import note, print_failure, print_json, say
from benchmark_runner.cli.job import open_job
from benchmark_runner.cli.output.import_ import as_json, lines
from benchmark_runner.cli.shortage import require_threads
from benchmark_runner.cli.signals import Interrupted, run_interruptible
from benchmark_runner.errors import BenchmarkRunnerError

if TYPE_CHECKING:
    from benchmark_runner._progress.events import Event
    from benchmark_runner._run.defaults import CliSettings
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.service_settings import ServiceSettings


def carry_out_import(
    settings: CliSettings, request: RunRequest, service: ServiceSettings
) -> NoReturn:
    """Carry out the command, and end it with its exit code."""
    require_threads()
    job = open_job(settings, request, service)
    runner = job.benchmark.runner(job.service.url, job.service.eval_parallelism)
    path = job.request.answers or Path()
    answers = AnswerImport(runner, job.artifacts, job.request, job.service, path)
    connect = partial(connect_to_service, job.service, job.benchmark)
    turn = Lock()

    def stopped(signal: Interrupted) -> None:
        if turn.acquire(blocking=False):
            hint = "The same command does the rest; what was imported is kept."
            message = f"stopped by {signal}"
            print_failure("import", "Interrupted", message, hint, as_json=request.json)

    try:
        with raise_gc_threshold():
            outcome = run_interruptible(
                answers.carry_out(connect, _tell_of_retry),
                threads=1,
                on_overrun=stopped,
                on_stray=StrayErrors(job.artifacts, note).add,
            )
    except Interrupted as signal:
        stopped(signal)
        raise typer.Exit(signal.exit_code) from None
    except BenchmarkRunnerError as error:
        raise job.spell_out(error) from None
    evaluate = job.commands.evaluate(outcome.config)
    if request.json:
        print_json("import", as_json(outcome, evaluate))
    else:
        say(*lines(outcome, evaluate))
    raise typer.Exit(0)


def _tell_of_retry(event: Event) -> None:
    if isinstance(event, RetryScheduled):
        note(f"{event.reason}; another attempt in {event.wait:.2g} s")
