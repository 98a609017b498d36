"""``show``: one task of a run, with its question, its answer and its evaluation."""

from typing import Annotated

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner.cli.console import failures_as_messages, print_json, say, say_all
from benchmark_runner.cli.options import AsJson, Reduce, ResultsDir, RunArgument


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def show(
        run_id: RunArgument,
        task_id: Annotated[
            str, typer.Argument(metavar="TASK", help="Id of the task.", show_default=False)
        ],
        repeat: Annotated[
            int,
            typer.Option(
                "--repeat", metavar="N", min=1, help="Repeat of the task whose texts are shown."
            ),
        ] = 1,
        trajectory: Annotated[
            bool, typer.Option("--trajectory", help="Show what the agent did, step by step.")
        ] = False,
        attempt: Annotated[
            int | None,
            typer.Option(
                "--attempt",
                metavar="N",
                min=1,
                help="With --trajectory: that of an earlier attempt.",
                show_default=False,
            ),
        ] = None,
        reduce: Reduce = "mean",
        results_dir: ResultsDir = None,
        json: AsJson = False,
    ) -> None:
        """Show one task: question, answer, result, error, trajectory, logs.

        Of a task of several repeats, it first shows how each one ended.
        Texts are shown whole and are not paged: pipe them into less to page.
        Of a trajectory there is a digest; --trajectory shows all of it instead.
        """
        with failures_as_messages("show", as_json=json):
            from benchmark_runner.cli.inspection import inspect_runs
            from benchmark_runner.cli.output.show import as_json, read_task, task_lines
            from benchmark_runner.cli.output.trajectory import trajectory_as_json, trajectory_lines
            from benchmark_runner.cli.output.trajectory_choice import choose_trajectories
            from benchmark_runner.errors import UsageError
            from benchmark_runner.results.reduced_score import check_repeats, parse_reduction

            if attempt is not None and not trajectory:
                raise UsageError("--attempt needs --trajectory", hint="Give both.")
            reduction = parse_reduction(reduce)
            inspection = inspect_runs(settings, results_dir)
            view = inspection.open(run_id)
            check_repeats(reduction, view.config)
            try:
                details = read_task(view, task_id, repeat, reduction)
            except UsageError as error:
                if task_id in view.config.tasks:
                    raise
                listing = inspection.commands.inspect("export", run_id)
                error.hint = f"{error.hint or ''} List all: {listing}".lstrip()
                raise
            if trajectory:
                key = details.task.key
                found = choose_trajectories(view, key, attempt, inspection.commands)
                if json:
                    print_json("show", trajectory_as_json(view, key, attempt, found))
                else:
                    say_all(trajectory_lines(view, key, attempt, found))
            elif json:
                print_json("show", as_json(details))
            else:
                say(*task_lines(details, inspection.commands))
