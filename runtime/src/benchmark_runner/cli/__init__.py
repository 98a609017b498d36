"""The command line of a runner: ``make_cli()`` and one module a command.

Only this package prints. Its modules import nothing heavy until a command runs, so that
``--help`` stays instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from benchmark_runner._run.cli_defaults import CliSettings
from benchmark_runner.cli.app import RunnerGroup, main_options
from benchmark_runner.cli.commands import (
    compare,
    doctor,
    evaluate,
    export,
    report,
    run,
    runs,
    score,
    serve,
    show,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark_runner.base import BenchmarkRunner

__all__ = ["make_cli"]


def make_cli(
    runner: type[BenchmarkRunner] | str,
    *,
    default_dataset_file: str | None = None,
    default_results_dir: str = "results",
    default_parallelism: int = 10,
    default_timeout: float | None = 1800,
    default_model: str | None = None,
    default_service_url: str | None = None,
    grader: Callable[..., object] | str | None = None,
    data_dir: str = "data",
) -> typer.Typer:
    """Build the command line of a benchmark runner, for its console script to call.

    Args:
        runner: The runner class, or ``"package.module:Class"``, which is only imported when a
            command runs, so that ``--help`` is instant.
        default_dataset_file: The tasks, where no dataset is named; relative to the project.
        default_results_dir: Where runs are kept; relative to the project.
        default_parallelism: The most generations at a time.
        default_timeout: Seconds a generation may take; ``None`` or 0 or less means no limit.
        default_model: The model, where ``--model`` is left out.
        default_service_url: The benchmark service, where neither ``--service-url`` nor
            ``SERVICE_URL`` is given; ``local`` is the embedded one.
        grader: What grades for the embedded service: ``grade(task, response)``, or its name
            as ``"package.module:name"``.
        data_dir: The datasets of the embedded service; relative to the project.
    """
    settings = CliSettings(
        runner=runner,
        grader=grader,
        default_dataset_file=default_dataset_file,
        default_results_dir=default_results_dir,
        default_parallelism=default_parallelism,
        default_timeout=default_timeout,
        default_model=default_model,
        default_service_url=default_service_url,
        data_dir=data_dir,
    )
    app = typer.Typer(
        cls=RunnerGroup,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Run this benchmark: generate answers, have them graded, get a score.",
    )
    app.callback()(main_options)
    run.register(app, settings)
    score.register(app, settings)
    evaluate.register(app, settings)
    runs.register(app, settings)
    status.register(app, settings)
    show.register(app, settings)
    compare.register(app, settings)
    export.register(app, settings)
    report.register(app, settings)
    serve.register(app, settings)
    doctor.register(app, settings)
    return app
