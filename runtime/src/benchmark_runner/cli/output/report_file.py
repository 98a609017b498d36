"""The file of a report, and the place of the transcripts that go with it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from benchmark_runner._stats.reduction import Reduction
from benchmark_runner.artifacts.atomic_file import open_atomically
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.cli.validation import check_output
from benchmark_runner.errors import UsageError
from benchmark_runner.results.report.transcript_store import (
    TranscriptFolder,
    TranscriptsInPage,
    transcript_folder,
)
from benchmark_runner.results.run_view import RunView

_NAME = "report.html"
_SUFFIXES = frozenset({".html", ".htm"})
#: The temporary file beside it has a longer name, and file systems allow 255 bytes.
_LONGEST_NAME = 200
#: Of a page with its transcripts, unless another size is asked for.
_MEGABYTES = 50


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """The settings of a report: its flags."""

    output: Path | None
    by: str | None
    reduction: Reduction
    single_file: bool
    max_size: float | None


class ReportFile:
    """The file of a report of these runs.

    Attributes:
        path: The file.

    Raises:
        UsageError: no file can be written there, or flags contradict each other.
    """

    def __init__(self, results_dir: Path, run_ids: Sequence[str], settings: ReportSettings) -> None:
        _check_size(settings)
        self.path = _file_for(results_dir, run_ids, settings.output)
        self._settings = settings
        inside = _path_inside(results_dir, self.path)
        self._inside = inside
        # Not flushed: after a power cut, who needs the transcripts makes the report again.
        storage = Storage(results_dir if inside else self.path.parent, durable=False)
        self._folder = TranscriptFolder(storage, inside or self.path)
        self._storage = Storage(results_dir)

    def transcripts_of(self, view: RunView) -> TranscriptFolder | TranscriptsInPage:
        """Return the place of the transcripts of a run, which has none yet.

        Raises:
            UsageError: the folder would be that of a task.
        """
        if self._settings.single_file:
            megabytes = _MEGABYTES if self._settings.max_size is None else self._settings.max_size
            return TranscriptsInPage(round(megabytes * 1e6))
        folder, run_dir = transcript_folder(self.path), view.artifacts.run_dir
        if folder.name in view.config.tasks and folder.parent.resolve() == run_dir.resolve():
            raise UsageError(
                f"a task has the name of the folder of the transcripts: {folder.name}",
                hint="Give the report another name with --output FILE.",
            )
        return self._folder

    def write(self, page: bytes) -> None:
        """Write the page, and remove the transcripts of an earlier one.

        Raises:
            ArtifactError: the disk refuses.
        """
        if self._inside is not None:
            self._storage.write(self._inside, page, alone=False)
        else:
            with open_atomically(self.path) as target:
                target.write(page)
        self._folder.remove_others()


def _check_size(settings: ReportSettings) -> None:
    if settings.max_size is None:
        return
    if not settings.single_file:
        raise UsageError(
            "--max-size needs --single-file",
            hint="Give both; otherwise the transcripts are beside the page.",
        )
    if not isfinite(settings.max_size):
        raise UsageError(f"--max-size {settings.max_size} is not a number", hint="Give a number.")


def _file_for(results_dir: Path, run_ids: Sequence[str], output: Path | None) -> Path:
    if output is None:
        file = _default_file(results_dir, run_ids)
        check_output(file, str(file), "Give another place with --output FILE.")
        return file
    named = f"--output {output}"
    if output.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{named}: a report is HTML", hint="Give a name that ends in .html.")
    check_output(output, named, "Give the name of a file.")
    return Path(os.path.abspath(output))  # noqa: PTH100 (which keeps "..")


def _default_file(results_dir: Path, run_ids: Sequence[str]) -> Path:
    if len(run_ids) == 1:
        return results_dir / run_ids[0] / _NAME
    file = results_dir / f"report-{'+'.join(run_ids)}.html"
    if len(file.name.encode()) > _LONGEST_NAME:
        raise UsageError(
            f"there is no short name for a report of {len(run_ids)} runs",
            hint="Give it one with --output FILE.",
        )
    return file


def _path_inside(results_dir: Path, file: Path) -> Path | None:
    """Return the place of a file below the results folder, by its name or its real path."""
    real = file.parent.resolve() / file.name
    for path, root in ((file, results_dir), (real, results_dir.resolve())):
        if path.is_relative_to(root):
            return results_dir / path.relative_to(root)
    return None
