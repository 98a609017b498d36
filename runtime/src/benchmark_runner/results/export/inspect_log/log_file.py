"""The file of a log, written a task at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from pydantic_core import to_json

from benchmark_runner._json import fill
from benchmark_runner.results.export.inspect_log.results import LogResults
from benchmark_runner.results.export.inspect_log.sample import eval_sample, sample_summary
from benchmark_runner.results.export.inspect_log.spec import eval_plan, eval_spec
from benchmark_runner.results.export.inspect_log.zip_members import ZipMembers
from benchmark_runner.results.task_repeats import by_task

if TYPE_CHECKING:
    from collections.abc import Generator

    from pydantic import JsonValue

    from benchmark_runner._stats.reduction import Reduction
    from benchmark_runner.results.run_view import RunView

__all__ = ["log_file_name", "write_log"]

#: The version of the format.
_VERSION = 2
#: The number of summaries in a member of the journal.
_BATCH = 100
#: What Inspect replaces in the parts of a file's name.
_SEPARATORS = str.maketrans("_/:+", "----")


def log_file_name(view: RunView, reduction: Reduction) -> str:
    """Return the name that Inspect would give to the file."""
    spec = eval_spec(view, reduction)
    task = str(spec["task"]).partition("/")[2]
    parts = (str(spec["created"]), task, str(spec["task_id"]))
    return f"{'_'.join(part.translate(_SEPARATORS) for part in parts)}.eval"


def write_log(view: RunView, file: BinaryIO, reduction: Reduction) -> int:
    """Write a run as a log, and return the number of its samples.

    Args:
        view: The run.
        file: Where to write, from its beginning.
        reduction: The way in which the scores of repeats become that of a task.

    Raises:
        UsageError: the reduction counts passes, and a score is neither 0 nor 1.
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    spec = eval_spec(view, reduction)
    start: dict[str, JsonValue] = {"version": _VERSION, "eval": spec, "plan": eval_plan(view)}
    scan, results = view.scan(), LogResults(view, reduction)
    with (
        ZipMembers.open(file, view.artifacts.redactor) as members,
        _Summaries.open(members) as summaries,
    ):
        members.write("_journal/start.json", start)
        for task, files in by_task(scan.with_files(), reduction):
            for row, each in zip(task.rows, files, strict=True):
                sample = eval_sample(view, row, each, str(spec["eval_id"]))
                if sample is not None:
                    summaries.add(_write_sample(members, sample))
                    results.add_sample(sample)
            results.add_task(task)
        summaries.finish()
        members.write_pieces("reductions.json", _reductions(members, results))
        members.write("header.json", {**start, **results.header(scan)})
        return summaries.count


class _Summaries:
    """The summaries of samples, which wait in a file until all samples are written."""

    def __init__(self, members: ZipMembers, waiting: BinaryIO) -> None:
        self.count = 0
        self._members = members
        self._waiting = waiting
        self._batch: list[bytes] = []
        self._batches = 0

    @classmethod
    @contextmanager
    def open(cls, members: ZipMembers) -> Generator[_Summaries]:
        """Hold the file open."""
        with TemporaryFile() as waiting:
            yield cls(members, waiting)

    def add(self, summary: bytes) -> None:
        """Add the summary of a sample, as JSON."""
        self._waiting.write(summary + b"\n")
        self._batch.append(summary)
        self.count += 1
        if len(self._batch) == _BATCH:
            self._write_batch()

    def finish(self) -> None:
        """Write all summaries into one member."""
        self._write_batch()
        self._waiting.seek(0)
        lines = (line.rstrip(b"\n") for line in self._waiting)
        self._members.write_pieces("summaries.json", fill(b"[]", (b"[", lines)))

    def _write_batch(self) -> None:
        if self._batch:
            self._batches += 1
            name = f"_journal/summaries/{self._batches}.json"
            self._members.write_pieces(name, [b"[", b",".join(self._batch), b"]"])
            self._batch.clear()


def _write_sample(members: ZipMembers, sample: dict[str, JsonValue]) -> bytes:
    """Write a sample, and return its summary as JSON."""
    masked, content = members.masked(sample)
    members.write_pieces(f"samples/{masked['id']}_epoch_{masked['epoch']}.json", [content])
    return members.masked(sample_summary(masked))[1]


def _reductions(members: ZipMembers, results: LogResults) -> Iterator[bytes]:
    items = (members.masked(item)[1] for item in results.reductions())
    skeleton = to_json([{**results.reducer, "samples": []}])
    return fill(skeleton, (b'"samples":[', items))
