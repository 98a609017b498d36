"""``status``: how a run stands, and how to go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.cli.options import AsJson, ResultsDir, RunToLookAt
from benchmark_runner.cli.output import failures_as_messages, print_json, say

if TYPE_CHECKING:
    import typer

    from benchmark_runner.cli.settings import CliSettings


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def status(run_id: RunToLookAt, results_dir: ResultsDir = None, json: AsJson = False) -> None:
        """Say how a run stands, what went wrong, and how to go on.

        It reads what is on disk, also while the run is going on, and changes nothing.
        """
        with failures_as_messages("status", as_json=json):
            from benchmark_runner.cli.looking import look
            from benchmark_runner.cli.standing import as_json, in_words, standing_of

            looking = look(settings, results_dir)
            standing = standing_of(looking, looking.open(run_id))
            if json:
                print_json("status", as_json(standing))
            else:
                for line in in_words(standing):
                    say(line)
