"""The Typer app of a runner, with all commands."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from inspect import getdoc
from threading import active_count
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._start_state import keep_start_state
from benchmark_runner.cli.commands import (
    compare,
    doctor,
    evaluate,
    export,
    import_,
    plan,
    report,
    run,
    runs,
    score,
    serve,
    show,
    status,
)
from benchmark_runner.cli.console import masked, print_failure, print_shortage, report_failure
from benchmark_runner.cli.shortage import shortage_in

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from benchmark_runner.base import BenchmarkRunner

#: Modules whose use may leave something that holds up the end of the process.
_LEAVE_SOMETHING = frozenset({"benchmark_runner._concurrency.run_loop", "multiprocessing"})


def make_cli(
    runner: type[BenchmarkRunner] | str,
    *,
    default_dataset_file: str | None = None,
    default_results_dir: str = "results",
    default_parallelism: int = 10,
    default_timeout: float | None = 1800,
    default_model: str | None = None,
    default_service_url: str | None = None,
    grader: Callable[..., object] | str | None = None,
    data_dir: str = "data",
) -> typer.Typer:
    """Build the command line of a benchmark runner, for its console script to call.

    Args:
        runner: The runner class, or ``"package.module:Class"``, which is only imported when a
            command runs, so that ``--help`` is instant.
        default_dataset_file: Dataset file if no dataset is named; relative to the project.
        default_results_dir: Folder of the runs; relative to the project.
        default_parallelism: Maximum number of generations at a time.
        default_timeout: Time limit of a generation in seconds; ``None`` or 0 or less means none.
        default_model: Model of a new run if ``--model`` is omitted.
        default_service_url: URL of the benchmark service if neither ``--service-url`` nor
            ``SERVICE_URL`` is given; ``local`` is the embedded one.
        grader: What grades for the embedded service: ``grade(task, response)``, or its name
            as ``"package.module:name"``.
        data_dir: The datasets of the embedded service; relative to the project.
    """
    settings = CliSettings(
        runner=runner,
        grader=grader,
        default_dataset_file=default_dataset_file,
        default_results_dir=default_results_dir,
        default_parallelism=default_parallelism,
        default_timeout=default_timeout,
        default_model=default_model,
        default_service_url=default_service_url,
        data_dir=data_dir,
    )
    app = RunnerApp(cls=_RunnerGroup, no_args_is_help=True, pretty_exceptions_enable=False)
    app.settings = settings
    app.callback()(_main_options)
    for command in (
        run,
        score,
        evaluate,
        runs,
        status,
        show,
        compare,
        plan,
        export,
        import_,
        report,
        serve,
        doctor,
    ):
        command.register(app, settings)
    app.command("keepalive", hidden=True)(_keep_alive)
    for each in app.registered_commands:
        # The terminal's width breaks the lines, not the source's.
        paragraphs = (getdoc(each.callback) or "").split("\n\n")
        each.help = "\n\n".join(text.replace("\n", " ") for text in paragraphs)
    return app


class RunnerApp(typer.Typer):
    """The command line of a runner, which keeps the arguments of :func:`make_cli`."""

    settings: CliSettings


class _RunnerGroup(TyperGroup):
    """A group that reports errors of the command line as JSON, too, if ``--json`` is given."""

    @keep_start_state()
    def main(self, args: Sequence[str] | None = None, *rest: Any, **settings: Any) -> Any:
        """Parse and run; see :class:`typer.core.TyperGroup`."""
        try:
            return self._main(sys.argv[1:] if args is None else list(args), *rest, **settings)
        except SystemExit as end:
            # A program that is about to end, and may have to wait for what it started.
            left = active_count() > 1 or not _LEAVE_SOMETHING.isdisjoint(sys.modules)
            if args is None and left:
                from benchmark_runner.cli.process_end import leave_in_time

                leave_in_time(end.code if isinstance(end.code, int) else 0)
            raise

    def _main(self, given: list[str], *rest: Any, **settings: Any) -> Any:
        as_json = settings.get("standalone_mode", True) and "--json" in given
        if as_json:
            settings["standalone_mode"] = False
        try:
            code = super().main(given, *rest, **settings)
        except Exception as error:
            if (shortage := shortage_in(error)) is not None:
                print_shortage("", shortage, as_json=as_json)
                sys.exit(1)
            # What Typer and Click raise for a command line share no class in all versions.
            format_message: Callable[[], str] | None = getattr(error, "format_message", None)
            if not as_json or format_message is None:
                raise
            command = next((word for word in given if word in self.commands), "")
            print_failure(command, "UsageError", format_message(), "See --help.", as_json=True)
            sys.exit(getattr(error, "exit_code", 2))
        if as_json:
            sys.exit(code if isinstance(code, int) else 0)
        return code

    def make_context(self, *args: Any, **settings: Any) -> Any:
        """Parse; see :class:`typer.core.TyperGroup`."""
        with _usage_errors_masked():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Parse the rest, and run; see :class:`typer.core.TyperGroup`."""
        with _usage_errors_masked():
            return super().invoke(ctx)


@contextmanager
def _usage_errors_masked() -> Generator[None]:
    try:
        yield
    except Exception as error:
        # They repeat what was typed.
        message: object = getattr(error, "message", None)
        if hasattr(error, "format_message") and isinstance(message, str):
            setattr(error, "message", masked(message))  # noqa: B010 (no type of ours)
            report_failure(f"UsageError: {message}")
        raise


def _show_version(wanted: bool) -> None:
    if wanted:
        # Not by _versions, so that this is as fast as --help.
        from importlib.metadata import version

        typer.echo(f"vals-benchmark-runner {version('vals-benchmark-runner')}")
        raise typer.Exit


def _keep_alive() -> None:
    """Wait for Ctrl-C or SIGTERM, to keep a container up in which commands are run."""
    import signal

    from benchmark_runner.cli.exit_codes import after_signal

    ends = {signal.SIGINT, signal.SIGTERM}
    # The first process of a container gets a signal only if it blocks or handles it, and the
    # orphans of others become its children: ignored, they leave no zombies.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    typer.echo("Waiting for Ctrl-C or SIGTERM; --help lists the commands.", err=True)
    raise typer.Exit(after_signal(signal.sigwait(ends)))


def _main_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version of the runtime and exit.",
        ),
    ] = False,
) -> None:
    """Run this benchmark: generate answers, evaluate them, compute the score."""
