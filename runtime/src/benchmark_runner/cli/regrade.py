"""What ``evaluate`` and ``score`` do alike: work on a run with what is on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from benchmark_runner._run.benchmark import ServiceSettings, open_benchmark
from benchmark_runner._run.session import RunRequest
from benchmark_runner._run.workflow import WorkSettings
from benchmark_runner.cli.flags import as_settings, given_arguments
from benchmark_runner.cli.job import Job, carry_out
from benchmark_runner.cli.options import (
    DEFAULT_EVAL_PARALLELISM,
    DEFAULT_EVAL_TIMEOUT,
    DEFAULT_SERVICE_ATTEMPTS,
    DEFAULT_SERVICE_RETRY_TIME,
)
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.llm import LLMConfig

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner._run.cli_defaults import CliSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingFlags:
    """The flags of the two commands, whose ``--help`` describes them."""

    command: Literal["evaluate", "score"]
    run_id: str
    results_dir: Path | None
    service_url: str | None = field(repr=False)
    dataset_file: Path | None
    eval_timeout: float
    service_attempts: int
    service_retry_time: float
    allow_insecure_http: bool
    json: bool
    eval_parallelism: int = DEFAULT_EVAL_PARALLELISM
    regrade: bool = False
    force: bool = False
    no_durable: bool = False
    quiet: bool = False


def work_on_disk(settings: CliSettings, flags: GradingFlags) -> None:
    """Carry out the command and end it.

    Raises:
        BenchmarkRunnerError: it can't be done; the class says why.
        typer.Exit: with the command's exit code.
    """
    benchmark = open_benchmark(settings)
    service = ServiceSettings(
        url=benchmark.service_url(flags.service_url),
        eval_parallelism=flags.eval_parallelism,
        eval_timeout=flags.eval_timeout,
        retry=RetryPolicy(attempts=flags.service_attempts, total_time=flags.service_retry_time),
        allow_insecure_http=flags.allow_insecure_http,
    )
    request = RunRequest(
        llm_config=LLMConfig(),
        dataset_file=flags.dataset_file,
        default_file=benchmark.default_dataset_file,
        local=service.local,
    )
    repeated = {
        "--no-durable": (flags.no_durable, False),
        "--eval-parallelism": (flags.eval_parallelism, DEFAULT_EVAL_PARALLELISM),
        "--eval-timeout": (flags.eval_timeout, DEFAULT_EVAL_TIMEOUT),
        "--service-attempts": (flags.service_attempts, DEFAULT_SERVICE_ATTEMPTS),
        "--service-retry-time": (flags.service_retry_time, DEFAULT_SERVICE_RETRY_TIME),
        "--allow-insecure-http": (flags.allow_insecure_http, False),
    }
    work = WorkSettings(
        command=flags.command,
        local=service.local,
        eval_parallelism=flags.eval_parallelism,
        eval_deadline=service.eval_deadline,
        regrade=flags.regrade,
        force=flags.force,
        quiet=flags.quiet,
        operational=as_settings(repeated),
    )
    carry_out(
        Job(
            benchmark=benchmark,
            service=service,
            request=request,
            settings=work,
            results_dir=benchmark.results_dir(flags.results_dir),
            run_id=flags.run_id,
            flags=given_arguments(repeated),
            json=flags.json,
            durable=not flags.no_durable,
        )
    )
