"""``export``: a run as a table, one row a repeat of a task."""

from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner.cli.console import failures_as_messages, only_rows, print_json, say
from benchmark_runner.cli.options import AsJson, Reduce, ResultsDir, RunArgument


class _Format(StrEnum):
    """The format of the rows."""

    CSV = "csv"
    JSONL = "jsonl"


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def export(
        run_id: RunArgument,
        format_: Annotated[
            _Format | None,
            typer.Option(
                "--format", help=r"Format of the rows.  \[default: by the name of FILE, else csv]"
            ),
        ] = None,
        output: Annotated[
            Path | None,
            typer.Option(
                "--output",
                metavar="FILE",
                help="File to write, whole or not at all, instead of standard output.",
            ),
        ] = None,
        reduce: Reduce = "mean",
        results_dir: ResultsDir = None,
        json: AsJson = False,
    ) -> None:
        """Write a run as a table: a row for each task, in the run's order.

        A task of several repeats has a row for each of them. The columns are always the
        same, but for those of files that are answers: the state of the task, its score,
        failure, tokens, costs and times, and last its question, its answer and its
        result as JSON text. The documentation lists them.

        In CSV, a text that a spreadsheet would take for a formula (it starts with =,
        +, -, @, a tab or a carriage return) gets an apostrophe before it, and control
        characters are left out. Numbers stay numbers. JSON Lines hold every text as
        it is.
        """
        with failures_as_messages("export", as_json=json):
            from benchmark_runner._text import plural
            from benchmark_runner.cli.inspection import inspect_runs
            from benchmark_runner.cli.output.export import file_for_rows, write_rows
            from benchmark_runner.cli.shell import short_path
            from benchmark_runner.errors import UsageError
            from benchmark_runner.results.reduced_score import check_repeats, parse_reduction

            reduction = parse_reduction(reduce)
            if json and output is None:
                raise UsageError(
                    "--json needs --output: without it, the rows go to standard output",
                    hint="Give --output FILE, or --format jsonl without --json.",
                )
            by_name = output is not None and output.suffix.lower() in {".jsonl", ".ndjson"}
            chosen = format_ or (_Format.JSONL if by_name else _Format.CSV)
            with only_rows() as to_standard_output:
                inspection = inspect_runs(settings, results_dir)
                view = inspection.open(run_id)
                check_repeats(reduction, view.config)
                to_file = file_for_rows(output) if output else nullcontext(to_standard_output)
                with to_file as write:
                    count = write_rows(view, write, reduction, as_csv=chosen is _Format.CSV)
            if json:
                content = {"run_id": run_id, "results_dir": str(inspection.results_dir)}
                print_json(
                    "export", {**content, "format": chosen, "output": str(output), "rows": count}
                )
            elif output is not None:
                say(f"Table   {short_path(output)}, {plural(count, 'row')}")
