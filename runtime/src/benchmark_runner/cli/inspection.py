"""The benchmark and its runs, opened by the commands that only read, such as ``status``."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from benchmark_runner._redaction import Redactor
from benchmark_runner._run.benchmark import Benchmark, open_benchmark
from benchmark_runner._run.connection import connect_to_service
from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.cli.console import mask_secrets, note
from benchmark_runner.cli.resume_command import NextCommands
from benchmark_runner.errors import UsageError
from benchmark_runner.results.grouping import TaskFields, load_task_fields
from benchmark_runner.results.run_view import RunView, open_view


@dataclass(frozen=True, slots=True)
class Inspection:
    """A benchmark whose runs are read, and not changed; ``redactor`` masks all output."""

    benchmark: Benchmark
    runner: BenchmarkRunner
    results_dir: Path
    redactor: Redactor

    @property
    def commands(self) -> NextCommands:
        """The commands that are printed for these runs."""
        return NextCommands(self.benchmark, self.results_dir)

    def open(self, run_id: str) -> RunView:
        """Open a run; the hint for one that does not exist names the command that lists them."""
        try:
            return open_view(self.results_dir, run_id, self.runner, self.redactor)
        except UsageError as error:
            listing = self.commands.inspect("runs")
            error.hint = f"{error.hint or ''} List the runs: {listing}".lstrip()
            raise

    def task_fields(self, view: RunView, names: Sequence[str]) -> TaskFields:
        """Load fields of a run's tasks, as a resume loads the tasks."""
        from benchmark_runner.cli.signals import Interrupted, run_interruptible

        service = ServiceSettings(
            url=self.commands.service_url(view.config),
            eval_parallelism=1,
            service_attempts=3,
            allow_insecure_http=bool(view.config.operational.get("allow_insecure_http")),
        )

        async def load() -> TaskFields:
            try:
                connect = partial(connect_to_service, service, self.benchmark)
                return await load_task_fields(view, names, connect)
            finally:
                await view.runner.aclose()

        try:
            return run_interruptible(
                load(),
                threads=1,
                on_overrun=lambda _: None,
                on_stray=lambda _, text: note(text.rstrip()),
            )
        except Interrupted as signal:
            note(f"Stopped by {signal}.")
            raise typer.Exit(signal.exit_code) from None


def inspect_runs(settings: CliSettings, results_dir: Path | None) -> Inspection:
    """Open the benchmark whose runs are to be read."""
    benchmark = open_benchmark(settings)
    url = benchmark.service_url(None)
    redactor = mask_secrets(url)
    runner = benchmark.runner(url, ServiceSettings().eval_parallelism)
    return Inspection(benchmark, runner, benchmark.results_dir(results_dir), redactor)
