"""The group that all commands belong to, and how it ends: with a sentence and a code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from benchmark_runner.cli.console import print_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class RunnerGroup(TyperGroup):
    """Says with ``--json`` also what is wrong with the command line itself."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Parse and run; see :class:`typer.core.TyperGroup`."""
        given = sys.argv[1:] if args is None else list(args)
        as_json = standalone_mode and "--json" in given
        try:
            code = super().main(
                args=given,
                prog_name=prog_name,
                complete_var=complete_var,
                standalone_mode=standalone_mode and not as_json,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except Exception as error:
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


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"vals-benchmark-runner {version('vals-benchmark-runner')}")
        raise typer.Exit


def main_options(
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
    """Run this benchmark: generate answers, have them graded, get a score."""
