"""``run``, ``evaluate`` and ``score``: the commands that write to a run."""

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.cli.console import failures_as_messages
from benchmark_runner.cli.options import with_flags


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the commands to ``app``."""

    @app.command()
    @with_flags("run", settings)
    def run(request: RunRequest, service: ServiceSettings) -> None:
        """Generate answers, evaluate them, and compute the score.

        Finished tasks are never redone: the same command resumes a run.
        """
        _carry_out(settings, request, service)

    @app.command()
    @with_flags("score", settings)
    def score(request: RunRequest, service: ServiceSettings) -> None:
        """Compute the score of a run from its evaluations.

        An incomplete run gets no score unless --force is given.
        """
        _carry_out(settings, request, service)

    @app.command()
    @with_flags("evaluate", settings)
    def evaluate(request: RunRequest, service: ServiceSettings) -> None:
        """Evaluate the generations of a run; generate nothing."""
        _carry_out(settings, request, service)


def _carry_out(settings: CliSettings, request: RunRequest, service: ServiceSettings) -> None:
    with failures_as_messages(request.command, as_json=request.json):
        from benchmark_runner.cli.job import carry_out

        carry_out(settings, request, service)
