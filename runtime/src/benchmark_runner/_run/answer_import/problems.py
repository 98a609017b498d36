"""The problems in the lines of a file, of which a message shows the first ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark_runner._run.answer_import.line import LineError
from benchmark_runner._text import did_you_mean, plural, some_ids
from benchmark_runner.errors import UsageError

_SHOWN = 5
SHAPE = 'Each line is a JSON object, such as {"task_id": "t1", "answer": "42"}.'
_CORRECT = "Correct the file: nothing was imported."


class LineProblems:
    """The lines of the file at ``path`` that can't be imported for these tasks."""

    def __init__(self, path: Path, tasks: Sequence[str]) -> None:
        self._path = path
        self._tasks = tasks
        self._shown: list[tuple[int, LineError]] = []
        self._count = 0

    def add(self, line: int, error: LineError) -> None:
        """Add a line."""
        self._count += 1
        if len(self._shown) < _SHOWN:
            self._shown.append((line, error))

    def refuse(self) -> None:
        """Raise a ``UsageError`` if there is a problem."""
        if not self._shown:
            return
        (line, first), *others = self._shown
        message = f"{self._path}, line {line}: {first}"
        if others:
            lines = "\n".join(f"  line {line}: {error}" for line, error in self._shown)
            rest = self._count - len(self._shown)
            more = f"\n  … and {rest:,} more" if rest else ""
            count = plural(self._count, "line")
            message = f"{self._path}: {count} can't be imported:\n{lines}{more}"
        unknown = next((each.unknown_task for _, each in self._shown if each.unknown_task), None)
        hint = _CORRECT if first.field else f"{SHAPE} Nothing was imported."
        if unknown is not None:
            near = did_you_mean(unknown, self._tasks)
            known = f"{plural(len(self._tasks), 'task')} ({some_ids(self._tasks)})"
            hint = f"{near}The run has {known}. Nothing was imported."
        raise UsageError(message, hint=hint)
