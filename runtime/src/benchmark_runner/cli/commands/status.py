"""``status``: the state of a run, and the command that resumes it."""

from typing import Annotated

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner.cli.console import failures_as_messages, note, print_json, say
from benchmark_runner.cli.options import AsJson, Reduce, ResultsDir, RunArgument


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def status(
        run_id: RunArgument,
        follow: Annotated[
            bool,
            typer.Option("--follow", help="First show its progress until no command works on it."),
        ] = False,
        reduce: Reduce = "mean",
        flaky: Annotated[
            bool,
            typer.Option(
                "--flaky",
                help="Also list the tasks whose repeats differ, those that vary most first.",
            ),
        ] = False,
        results_dir: ResultsDir = None,
        json: AsJson = False,
    ) -> None:
        """Show the state of a run, its errors, and how to resume it.

        Reads what is on disk, also while the run is in progress, and changes nothing.
        """
        with failures_as_messages("status", as_json=json):
            from benchmark_runner.cli.inspection import inspect_runs
            from benchmark_runner.cli.output.status import as_json, read_status, status_lines
            from benchmark_runner.results.reduced_score import check_repeats, parse_reduction

            reduction = parse_reduction(reduce)
            inspection = inspect_runs(settings, results_dir)
            view = inspection.open(run_id)
            check_repeats(reduction, view.config)
            silent: str | None = None
            if follow:
                from benchmark_runner._progress.follow import SILENCE
                from benchmark_runner._progress.follow import follow as follow_log
                from benchmark_runner.cli.signals import exit_on_sigterm

                with exit_on_sigterm():
                    ended = follow_log(view.artifacts.events_path, inspection.redactor.clean_text)
                if ended is None:
                    note(f"Nobody is working on run {run_id}.")
                elif not ended:
                    silent = f"no event of run {run_id} for {SILENCE:.0f} s"
                view = inspection.open(run_id)  # as it is by now
            found = read_status(inspection, view, reduction, flaky=flaky)
            content = as_json(found)
            if silent is not None:
                hint = "Its process was killed or stopped, or its machine can't be seen from here."
                content["error"] = {"type": "NothingHeard", "message": silent, "hint": hint}
                if not json:
                    note(f"{silent[0].upper()}{silent[1:]}. {hint}")
            if json:
                print_json("status", content)
            else:
                say(*status_lines(found))
            if silent is not None:
                raise typer.Exit(1)
