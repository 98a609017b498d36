"""``evaluate``: have the generations graded that are on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark_runner.cli.console import failures_as_messages
from benchmark_runner.cli.options import (
    DEFAULT_EVAL_PARALLELISM,
    DEFAULT_EVAL_TIMEOUT,
    DEFAULT_SERVICE_ATTEMPTS,
    DEFAULT_SERVICE_RETRY_TIME,
    AllowInsecureHttp,
    AsJson,
    DatasetFile,
    EvalParallelism,
    EvalTimeout,
    NoDurable,
    Quiet,
    ResultsDir,
    RunId,
    ServiceAttempts,
    ServiceRetryTime,
    ServiceUrl,
)

if TYPE_CHECKING:
    from benchmark_runner._run.cli_defaults import CliSettings


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def evaluate(
        run_id: RunId,
        regrade: Annotated[
            bool, typer.Option("--regrade", help="Grade again what has a grade.")
        ] = False,
        results_dir: ResultsDir = None,
        service_url: ServiceUrl = None,
        dataset_file: DatasetFile = None,
        eval_parallelism: EvalParallelism = DEFAULT_EVAL_PARALLELISM,
        eval_timeout: EvalTimeout = DEFAULT_EVAL_TIMEOUT,
        service_attempts: ServiceAttempts = DEFAULT_SERVICE_ATTEMPTS,
        service_retry_time: ServiceRetryTime = DEFAULT_SERVICE_RETRY_TIME,
        allow_insecure_http: AllowInsecureHttp = False,
        no_durable: NoDurable = False,
        quiet: Quiet = False,
        json: AsJson = False,
    ) -> None:
        """Have the generations on disk graded; generate nothing."""
        with failures_as_messages("evaluate", as_json=json):
            from benchmark_runner.cli.regrade import GradingFlags, work_on_disk

            work_on_disk(
                settings,
                GradingFlags(
                    command="evaluate",
                    run_id=run_id,
                    results_dir=results_dir,
                    service_url=service_url,
                    dataset_file=dataset_file,
                    eval_parallelism=eval_parallelism,
                    eval_timeout=eval_timeout,
                    service_attempts=service_attempts,
                    service_retry_time=service_retry_time,
                    allow_insecure_http=allow_insecure_http,
                    regrade=regrade,
                    no_durable=no_durable,
                    quiet=quiet,
                    json=json,
                ),
            )
