"""``evaluate``: evaluate the generations of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.cli.console import failures_as_messages
from benchmark_runner.cli.options import with_flags

if TYPE_CHECKING:
    import typer

    from benchmark_runner._run.defaults import CliSettings
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.service_settings import ServiceSettings


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    @with_flags("evaluate", settings)
    def evaluate(request: RunRequest, service: ServiceSettings) -> None:
        """Evaluate the generations of a run; generate nothing."""
        with failures_as_messages("evaluate", as_json=request.json):
            from benchmark_runner.cli.job import carry_out

            carry_out(settings, request, service)
