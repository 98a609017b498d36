"""``plan``: the tasks and repeats that a study needs."""

from typing import Annotated

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner.cli.console import failures_as_messages, print_json, say
from benchmark_runner.cli.options import AsJson, ResultsDir


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def plan(
        detect: Annotated[
            float,
            typer.Option(
                "--detect",
                metavar="D",
                help="Difference to show, in the unit of the scores: 0.03 is three points of 100.",
                show_default=False,
            ),
        ],
        power: Annotated[
            float,
            typer.Option(
                "--power",
                metavar="P",
                help="Share of the comparisons that are to show it, from 0.5 to below 1.",
            ),
        ] = 0.8,
        run_ids: Annotated[
            list[str] | None,
            typer.Option(
                "--from",
                metavar="R",
                help="Finished run that tells how scores vary, and what a generation takes. With "
                "a second one, also how two systems differ from task to task.",
            ),
        ] = None,
        results_dir: ResultsDir = None,
        json: AsJson = False,
    ) -> None:
        """Plan a study: how many tasks and repeats show a difference between two runs?

        Lists the numbers of tasks and repeats with which compare shows the
        difference, the cheapest first, with the cost and the time of each run.
        Reads what is on disk, runs nothing, and changes nothing.
        """
        with failures_as_messages("plan", as_json=json):
            from benchmark_runner.cli.inspection import inspect_runs
            from benchmark_runner.cli.output.plan import as_json, lines, plan_study

            planned = plan_study(
                inspect_runs(settings, results_dir), run_ids or [], detect=detect, power=power
            )
            if json:
                print_json("plan", as_json(planned))
            else:
                say(*lines(planned))
