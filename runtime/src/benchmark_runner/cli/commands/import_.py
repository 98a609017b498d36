"""``import``: a run of answers that were made elsewhere."""

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.cli.console import failures_as_messages
from benchmark_runner.cli.options import with_flags


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command("import")
    @with_flags("import", settings)
    def import_(request: RunRequest, service: ServiceSettings) -> None:
        """Import answers that were made elsewhere, to be evaluated here.

        Each line of FILE is a JSON object: {"task_id": "t1", "answer": "42"}. It may
        also have a repeat, a status, tokens, a cost and the path of a trajectory, and
        the path of an artifact for an answer. So a file of export --format jsonl can be
        imported, too. The documentation lists the keys.

        All lines are checked before anything is written. The same file again changes
        nothing; another one adds answers that are not there yet.
        """
        with failures_as_messages("import", as_json=request.json):
            from benchmark_runner.cli.import_job import carry_out_import

            carry_out_import(settings, request, service)
