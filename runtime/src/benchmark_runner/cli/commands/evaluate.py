"""``evaluate``: evaluate the generations of a run."""

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.cli.commands.run import carry_out_request
from benchmark_runner.cli.options import with_flags


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    @with_flags("evaluate", settings)
    def evaluate(request: RunRequest, service: ServiceSettings) -> None:
        """Evaluate the generations of a run; generate nothing."""
        carry_out_request(settings, request, service)
