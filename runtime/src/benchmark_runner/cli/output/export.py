"""The output of ``export``: a run in one of the formats."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark_runner._stats.reduction import Reduction
from benchmark_runner._text import plural
from benchmark_runner.artifacts.atomic_file import open_atomically
from benchmark_runner.cli.console import say
from benchmark_runner.cli.export_format import ExportFormat
from benchmark_runner.cli.shell import short_path
from benchmark_runner.cli.validation import check_output
from benchmark_runner.errors import UsageError
from benchmark_runner.results.export.table import Write, write_rows
from benchmark_runner.results.run_view import RunView


@dataclass(frozen=True, slots=True)
class Export:
    """An export that is asked for.

    Attributes:
        view: The run.
        chosen: The format.
        output: The file or folder to write; ``None`` for standard output.
        standard_output: Writes there.
        reduction: How the repeats of a task become its score.
        contents: Whether traces hold what was said, and not only that it was.
    """

    view: RunView
    chosen: ExportFormat
    output: Path | None
    standard_output: Write
    reduction: Reduction
    contents: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """The output of an export: its kind, and the number of what ``noun`` names.

    ``output`` is its file or folder; ``None`` for standard output.
    """

    kind: str
    count: int
    noun: str
    output: Path | None


def export_run(export: Export) -> Exported:
    """Write the run in the format."""
    if export.chosen is ExportFormat.INSPECT:
        return _export_log(export)
    if export.chosen is ExportFormat.ATIF:
        return _export_trajectories(export)
    if export.chosen is ExportFormat.OTEL:
        return _export_trace(export)
    with _written(export) as write:
        as_csv = export.chosen is ExportFormat.CSV
        count = write_rows(export.view, write, export.reduction, as_csv=as_csv)
    return Exported("Table", count, "row", export.output)


def _export_log(export: Export) -> Exported:
    from benchmark_runner.results.export.inspect_log import log_file_name, write_log

    output, hint = export.output, "Give a name such as R.eval, or a folder that exists."
    if output is not None and output.is_dir():
        output /= log_file_name(export.view, export.reduction)
    if output is None or output.suffix != ".eval":
        raise UsageError("--format inspect needs --output, a file named *.eval", hint=hint)
    check_output(output, f"--output {output}", hint)
    with open_atomically(output) as file:
        count = write_log(export.view, file, export.reduction)
    return Exported("Log", count, "sample", output)


def _export_trajectories(export: Export) -> Exported:
    from benchmark_runner.results.export.atif import write_trajectories

    if export.output is None:
        raise UsageError(
            "--format atif needs --output, a folder", hint="Give a new folder, or an empty one."
        )
    count = write_trajectories(export.view, export.output, export.reduction)
    return Exported("Folder", count, "file", export.output)


def _export_trace(export: Export) -> Exported:
    from benchmark_runner.results.export.otel import write_spans

    with _written(export) as write:
        count = write_spans(export.view, write, export.reduction, contents=export.contents)
    return Exported("Trace", count, "span", export.output)


def say_exported(exported: Exported) -> None:
    """Print what was written, and where; nothing of what is on standard output."""
    if (output := exported.output) is None:
        return
    say(f"{exported.kind:<8}{short_path(output)}, {plural(exported.count, exported.noun)}")


@contextmanager
def _written(export: Export) -> Generator[Write]:
    """Open what is to be written: a file appears whole at the end, or not at all."""
    if export.output is None:
        yield export.standard_output
        return
    hint = "Give the name of a file, or leave it out for standard output."
    check_output(export.output, f"--output {export.output}", hint)
    with open_atomically(export.output) as file:
        yield file.write
