"""``compare``: the verdict on two runs."""

from typing import Annotated

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner.cli.console import failures_as_messages, print_json, say
from benchmark_runner.cli.options import AsJson, Reduce, ResultsDir


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def compare(
        a: Annotated[
            str, typer.Argument(metavar="A", help="Run that is the baseline.", show_default=False)
        ],
        b: Annotated[
            str, typer.Argument(metavar="B", help="Run that is the candidate.", show_default=False)
        ],
        cluster: Annotated[
            str | None,
            typer.Option(
                "--cluster",
                metavar="FIELD",
                help="Field that related tasks share, such as the text of several questions.",
            ),
        ] = None,
        by: Annotated[
            str | None,
            typer.Option(
                "--by",
                metavar="FIELD",
                help="Also show the difference for each value of this field.",
            ),
        ] = None,
        fail_if_worse: Annotated[
            bool,
            typer.Option(
                "--fail-if-worse",
                help="Exit with 3 if B is worse, with 4 if the runs are not comparable.",
            ),
        ] = False,
        reduce: Reduce = "mean",
        results_dir: ResultsDir = None,
        json: AsJson = False,
    ) -> None:
        """Compare two runs: is B better than A, and how sure is that?

        Compares the tasks that have a score in both runs, and lists the others
        with the reason. A task that ran out of time or turns counts 0. Reads
        what is on disk, even while a run is in progress, and changes nothing.
        """
        with failures_as_messages("compare", as_json=json):
            from benchmark_runner.cli.inspection import inspect_runs
            from benchmark_runner.cli.output.compare import as_json, compare_runs
            from benchmark_runner.cli.output.compare_text import lines
            from benchmark_runner.errors import UsageError
            from benchmark_runner.results.reduced_score import parse_reduction

            reduction = parse_reduction(reduce)
            if a == b:
                raise UsageError(
                    f"A and B are the same run, {a!r}: there is nothing to compare",
                    hint="Name two runs: the baseline, then the candidate.",
                )
            inspection = inspect_runs(settings, results_dir)
            result = compare_runs(inspection, a, b, cluster=cluster, by=by, reduction=reduction)
            if json:
                print_json("compare", as_json(result))
            else:
                say(*lines(result))
            if fail_if_worse:
                raise typer.Exit(result.exit_code)
