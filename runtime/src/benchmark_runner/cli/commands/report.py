"""``report``: a run, or several side by side, as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner.cli.console import failures_as_messages, print_json, say
from benchmark_runner.cli.options import AsJson, Reduce, ResultsDir


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def report(
        run_ids: Annotated[
            list[str], typer.Argument(metavar="R", help="Names of the runs.", show_default=False)
        ],
        output: Annotated[
            Path | None,
            typer.Option(
                "--output",
                metavar="FILE",
                help=r"File to write.  \[default: report.html in the run's folder; of several "
                r"runs, report-A+B.html beside them]",
            ),
        ] = None,
        by: Annotated[
            str | None,
            typer.Option(
                "--by",
                metavar="FIELD",
                help="Also show the scores for each value of this field of the tasks.",
            ),
        ] = None,
        single_file: Annotated[
            bool,
            typer.Option("--single-file", help="Put the transcripts of the tasks into the page."),
        ] = False,
        max_size: Annotated[
            float | None,
            typer.Option(
                "--max-size",
                metavar="MB",
                min=0,
                help=r"Size of the page with --single-file: transcripts that do not fit are left "
                r"out, and named.  \[default: 50]",
            ),
        ] = None,
        reduce: Reduce = "mean",
        results_dir: ResultsDir = None,
        json: AsJson = False,
    ) -> None:
        """Write a run as one HTML file, or several runs side by side.

        The file needs no network. It shows the state at the time of writing, even of a
        run in progress, and leaves the run unchanged. The transcripts of a run's tasks
        are in a folder beside it, or in it with --single-file.
        """
        with failures_as_messages("report", as_json=json):
            from benchmark_runner._extras import require_extra

            require_extra("report")
            from benchmark_runner.cli.inspection import inspect_runs
            from benchmark_runner.cli.output.report import (
                as_json,
                transcripts_text,
                write_report,
            )
            from benchmark_runner.cli.output.report_file import ReportSettings
            from benchmark_runner.cli.shell import short_path
            from benchmark_runner.results.reduced_score import parse_reduction

            reduction = parse_reduction(reduce)
            inspection = inspect_runs(settings, results_dir)
            asked = ReportSettings(output, by, reduction, single_file, max_size)
            written = write_report(inspection, run_ids, asked)
            if json:
                print_json("report", as_json(written))
            else:
                say(f"Report  {short_path(written.file)}")
                if text := transcripts_text(written):
                    say(text)
