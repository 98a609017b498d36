"""``export``: a run as a table, or in the format of another tool."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner.cli.console import failures_as_messages, only_rows, print_json
from benchmark_runner.cli.export_format import ExportFormat
from benchmark_runner.cli.options import AsJson, Reduce, ResultsDir, RunArgument


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def export(
        run_id: RunArgument,
        format_: Annotated[
            ExportFormat | None,
            typer.Option(
                "--format",
                metavar="F",
                help="Format to write: csv, jsonl, inspect, atif or otel.  "
                r"\[default: by the name of PATH, else csv]",
            ),
        ] = None,
        output: Annotated[
            Path | None,
            typer.Option(
                "--output",
                metavar="PATH",
                help="File or folder to write, whole or not at all, instead of standard output.",
            ),
        ] = None,
        contents: Annotated[
            bool,
            typer.Option(
                "--contents",
                help="With --format otel: hold questions, answers and messages, too, not only "
                "times, tokens and grades.",
            ),
        ] = False,
        reduce: Reduce = "mean",
        results_dir: ResultsDir = None,
        json: AsJson = False,
    ) -> None:
        """Write a run as a table, or in the format of another tool.

        csv and jsonl have a row for each task, in the run's order, or for each of its
        repeats: its state, score, failure, tokens, costs and times, and last its question,
        its answer and its result as JSON text. The columns are always the same, but for
        those of files that are answers; the documentation lists them. In csv, a text that a
        spreadsheet would take for a formula gets an apostrophe before it, and control
        characters are left out.

        inspect is a log of Inspect, in a file R.eval or in a folder. atif is a folder of
        trajectories, each with its grade. otel is a trace in the JSON lines of
        OpenTelemetry. Nothing of the other tools needs to be installed.
        """
        with failures_as_messages("export", as_json=json):
            from benchmark_runner.cli.inspection import inspect_runs
            from benchmark_runner.cli.output.export import Export, export_run, say_exported
            from benchmark_runner.errors import UsageError
            from benchmark_runner.results.reduced_score import check_repeats, parse_reduction

            reduction = parse_reduction(reduce)
            if json and output is None:
                raise UsageError(
                    "--json needs --output: without it, the rows go to standard output",
                    hint="Give --output FILE, or --format jsonl without --json.",
                )
            chosen = format_ or ExportFormat.of(output)
            if contents and chosen is not ExportFormat.OTEL:
                raise UsageError(
                    "--contents needs --format otel",
                    hint="Leave it out: the other formats have them anyway.",
                )
            with only_rows() as to_standard_output:
                inspection = inspect_runs(settings, results_dir)
                view = inspection.open(run_id)
                check_repeats(reduction, view.config)
                exported = export_run(
                    Export(view, chosen, output, to_standard_output, reduction, contents)
                )
            if json:
                content = {"run_id": run_id, "results_dir": str(inspection.results_dir)}
                written = {"output": str(exported.output), f"{exported.noun}s": exported.count}
                print_json("export", {**content, "format": chosen, **written})
            else:
                say_exported(exported)
