"""``score``: sum up the grades that are on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark_runner.cli.console import failures_as_messages
from benchmark_runner.cli.options import (
    DEFAULT_EVAL_TIMEOUT,
    DEFAULT_SERVICE_ATTEMPTS,
    DEFAULT_SERVICE_RETRY_TIME,
    AllowInsecureHttp,
    AsJson,
    DatasetFile,
    EvalTimeout,
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
    def score(
        run_id: RunId,
        results_dir: ResultsDir = None,
        service_url: ServiceUrl = None,
        dataset_file: DatasetFile = None,
        force: Annotated[
            bool,
            typer.Option(
                "--force", help="Score again, and an incomplete run, too: missing tasks count 0."
            ),
        ] = False,
        eval_timeout: EvalTimeout = DEFAULT_EVAL_TIMEOUT,
        service_attempts: ServiceAttempts = DEFAULT_SERVICE_ATTEMPTS,
        service_retry_time: ServiceRetryTime = DEFAULT_SERVICE_RETRY_TIME,
        allow_insecure_http: AllowInsecureHttp = False,
        json: AsJson = False,
    ) -> None:
        """Sum up the grades of a run.

        An incomplete run gets no score unless --force.
        """
        with failures_as_messages("score", as_json=json):
            from benchmark_runner.cli.regrade import GradingFlags, work_on_disk

            work_on_disk(
                settings,
                GradingFlags(
                    command="score",
                    run_id=run_id,
                    results_dir=results_dir,
                    service_url=service_url,
                    dataset_file=dataset_file,
                    eval_timeout=eval_timeout,
                    service_attempts=service_attempts,
                    service_retry_time=service_retry_time,
                    allow_insecure_http=allow_insecure_http,
                    force=force,
                    json=json,
                ),
            )
