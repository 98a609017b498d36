"""``runs``: the list of runs, one line each."""

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner.cli.console import failures_as_messages, print_json, say
from benchmark_runner.cli.options import AsJson, Reduce, ResultsDir


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def runs(reduce: Reduce = "mean", results_dir: ResultsDir = None, json: AsJson = False) -> None:
        """List the runs, the newest first.

        DONE counts generations: "all 80 (x5)" are those of 16 tasks in 5 repeats. Of a
        finished run only final_score.json is read, unless --reduce asks for another score;
        status R reads its tasks.
        """
        with failures_as_messages("runs", as_json=json):
            from benchmark_runner.cli.inspection import inspect_runs
            from benchmark_runner.cli.output.runs import as_json, table_lines
            from benchmark_runner.cli.shell import short_path
            from benchmark_runner.results.reduced_score import parse_reduction
            from benchmark_runner.results.run_list import list_runs

            reduction = parse_reduction(reduce)
            inspection = inspect_runs(settings, results_dir)
            found = list_runs(inspection.results_dir, inspection.runner, reduction)
            if json:
                listed = [as_json(run) for run in found]
                print_json("runs", {"results_dir": str(inspection.results_dir), "runs": listed})
            elif found:
                say(*table_lines(found, reduction))
            else:
                say(f"No runs in {short_path(inspection.results_dir)}")
