"""Goal 1: how long a person waits for a command line, and a program for the import of the library.

The other one is a Typer app of two commands: a console script of a byte-compiled package, as
ours is, whose group `--help` is compared with ours, and the `--help` of whose command of two
options with that of our `run` and its 38. Imports are compared as programs of one line.
All are whole processes, from their start to their end.
"""

from __future__ import annotations

import compileall
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main, medians
from tests.benchmarks.project import Project, project, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BARE = """\
from typing import Annotated

import typer

cli = typer.Typer(help="Say hello or goodbye.")


@cli.command()
def cmd(
    name: Annotated[str, typer.Option("--name", help="To whom.")] = "you",
    count: Annotated[int, typer.Option("--count", help="How often.")] = 1,
) -> None:
    \"\"\"Say hello.\"\"\"


@cli.command()
def other() -> None:
    \"\"\"Say goodbye.\"\"\"
"""


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the seconds."""
    times = 5 if quick else 41
    with project() as made:
        bare = _bare(made)
        for asked, like, at_most in (
            (["--help"], ["--help"], 1.15),
            (["run", "--help"], ["cmd", "--help"], 1.35),
        ):
            ours, other = medians(
                _shows(
                    made, [made.script, *asked], "--disable-streaming" if asked[1:] else "doctor"
                ),
                _shows(made, [bare, *like], "--count" if like[1:] else "other"),
                times=times,
            )
            yield Figure(
                goal=f"1 start-up, {' '.join(asked)}",
                ours=ours,
                other=other,
                other_is=f"a bare Typer app's {' '.join(like)}",
                unit="s",
                at_most=at_most,
            )
        for program, like, at_most in (
            ("import benchmark_runner", "import pydantic", 1.2),
            (
                "from benchmark_runner import BenchmarkRunner",
                "from pydantic import BaseModel",
                None,
            ),
        ):
            ours, other = medians(
                _shows(made, ["-c", program]), _shows(made, ["-c", like]), times=times
            )
            yield Figure(
                goal=f"1 start-up, {program}",
                ours=ours,
                other=other,
                other_is=like,
                unit="s",
                at_most=at_most,
            )


def _bare(made: Project) -> Path:
    """Put a Typer app beside the runner, and return its script."""
    package = made.root / "bare"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(_BARE)
    compileall.compile_dir(package, quiet=2)
    script = made.root / "bare_script.py"
    script.write_text(made.script.read_text().replace("runner.cli", "bare.cli"))
    return script


def _shows(made: Project, command: list[str | Path], text: str = "") -> Callable[[], None]:
    """Run a program of Python, and see that it shows what it should."""

    def call() -> None:
        assert text in run([sys.executable, *command], made.root).out

    return call


if __name__ == "__main__":
    main(measure)
