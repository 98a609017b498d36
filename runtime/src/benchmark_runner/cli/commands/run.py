"""``run``: generate answers, evaluate them, and compute the score."""

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.cli.console import failures_as_messages
from benchmark_runner.cli.options import with_flags


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    @with_flags("run", settings)
    def run(request: RunRequest, service: ServiceSettings) -> None:
        """Generate answers, evaluate them, and compute the score.

        Finished tasks are never redone: with the same --run-id, it resumes the run.
        """
        carry_out_request(settings, request, service)


def carry_out_request(settings: CliSettings, request: RunRequest, service: ServiceSettings) -> None:
    """Carry out ``run``, ``evaluate`` or ``score``, and end the command."""
    with failures_as_messages(request.command, as_json=request.json):
        from benchmark_runner.cli.job import carry_out

        carry_out(settings, request, service)
