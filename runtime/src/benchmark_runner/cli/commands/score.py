"""``score``: compute the score of a run from its evaluations."""

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.cli.commands.run import carry_out_request
from benchmark_runner.cli.options import with_flags


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    @with_flags("score", settings)
    def score(request: RunRequest, service: ServiceSettings) -> None:
        """Compute the score of a run from its evaluations.

        An incomplete run gets no score unless --force is given.
        """
        carry_out_request(settings, request, service)
