"""The check of all answers in a file, before one of them is imported."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark_runner._run.answer_import.difference import difference
from benchmark_runner._run.answer_import.line import LineError
from benchmark_runner._run.answer_import.problems import SHAPE, LineProblems
from benchmark_runner._run.answer_import.reader import lines_of
from benchmark_runner.errors import UsageError
from benchmark_runner.schemas import GenerationStatus, TaskRepeat

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

    from benchmark_runner._run.answer_import.reader import AnswerReader, ImportedAnswer
    from benchmark_runner._run.session import Session


@dataclass(slots=True)
class CheckedAnswers:
    """The answers in a file that can all be imported.

    Attributes:
        sha256: The hash of the file.
        digests: The hash of each answer that is not in the run yet, by the number of its line.
        count: Number of answers.
        repeats: The highest number of a repeat.
        skipped: Number of rows of an export that have no generation.
        masked: The answers in which a key is masked.
    """

    sha256: str
    digests: dict[int, bytes] = field(default_factory=dict[int, bytes])
    count: int = 0
    repeats: int = 1
    skipped: int = 0
    masked: list[TaskRepeat] = field(default_factory=list[TaskRepeat])

    def add(self, line: int, answer: ImportedAnswer, *, is_new: bool) -> None:
        """Add an answer that can be imported."""
        self.count += 1
        self.repeats = max(self.repeats, answer.key.repeat)
        if is_new:
            self.digests[line] = answer.digest
        if answer.masked:
            self.masked.append(answer.key)


def check_answers(
    session: Session, reader: AnswerReader, file: BufferedReader, path: Path
) -> CheckedAnswers:
    """Check the answers in a file at ``path``, for a run that is locked.

    Raises:
        UsageError: some can't be imported, or there are none.
    """
    checked = CheckedAnswers(hashlib.file_digest(file, "sha256").hexdigest())
    problems = LineProblems(path, session.config.tasks)
    lines: dict[TaskRepeat, int] = {}
    for number, content in lines_of(path, file):
        try:
            answer = reader.read(content)
            if answer is None:
                checked.skipped += 1
                continue
            _refuse_second(answer.key, lines.setdefault(answer.key, number), number)
            is_new = not session.resumed or _is_new(session, answer)
        except LineError as error:
            problems.add(number, error)
        else:
            checked.add(number, answer, is_new=is_new)
    problems.refuse()
    if not checked.count:
        raise UsageError(f"{path}: holds no answers", hint=SHAPE)
    return checked


def _refuse_second(key: TaskRepeat, first: int, line: int) -> None:
    if first != line:
        raise LineError(f"{str(key)!r} is taken by line {first}", "task_id")


def _is_new(session: Session, answer: ImportedAnswer) -> bool:
    """Return True if the run has no such answer, or an error in its place.

    Raises:
        LineError: it has another one.
    """
    files = session.artifacts.of_repeat(answer.key.repeat)
    found = files.load_generation(answer.key.task_id)
    if found is None:
        return True
    error = GenerationStatus.ERROR
    if found.status is error and answer.generation.status is not error:
        return True
    if (other := difference(answer, found, files)) is not None:
        message = "the run has another one; import it under another --run-id"
        raise LineError(message, other)
    return False
