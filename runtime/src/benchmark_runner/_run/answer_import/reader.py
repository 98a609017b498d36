"""The answers in a file, made elsewhere: read and checked one at a time."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._run.answer_import.line import AnswerLine, LineError, parse_line
from benchmark_runner._run.failure_kinds import failure_of
from benchmark_runner._start_state import absolute
from benchmark_runner.errors import UnusableArtifactError, UsageError
from benchmark_runner.schemas import (
    Artifact,
    GenerationResult,
    GenerationStatus,
    Phase,
    TaskRepeat,
    TokenUsage,
)

if TYPE_CHECKING:
    from io import BufferedReader

    from benchmark_runner._run.session import Session

#: Bytes of a line, which is in memory as a whole.
LONGEST_LINE = 256 * 1024**2
_SAVE = "Save the answers as a file."
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ImportedAnswer:
    """An answer that can be imported.

    Attributes:
        key: The repeat of the task that it is of.
        generation: The generation, without what its trajectory tells.
        artifact: The file that is the answer, if it is one; its record is in ``generation``.
        trajectory: The JSON text of its trajectory, if it has one, without keys.
        masked: True if a key in the answer is masked.
        digest: A hash of all that is imported.
    """

    key: TaskRepeat
    generation: GenerationResult
    artifact: Path | None
    trajectory: str | None
    masked: bool
    digest: bytes


@contextmanager
def open_answers(path: Path) -> Generator[BufferedReader]:
    """Open a file of answers, which is read twice.

    Raises:
        UsageError: it is no file that can be read.
    """
    if path == Path("-"):
        raise UsageError("standard input can't be read twice", hint=_SAVE)
    if absolute(path).is_dir():
        raise UsageError(f"{path}: a folder, not a file", hint=_SAVE)
    with _read_errors(path):  # a pipe that nobody writes to would block
        descriptor = os.open(absolute(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 (of a descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{path}: a pipe or a device, not a file", hint=_SAVE)
        yield file


def lines_of(path: Path, file: BufferedReader) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of the file at a path that are not empty, with their numbers.

    Of one that is too long, the beginning is the last that is yielded.
    """
    file.seek(0)
    for number in count(1):
        with _read_errors(path):
            line = file.readline(LONGEST_LINE + 1)
        if not line:
            return
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) > LONGEST_LINE:
            yield number, line
            return
        if stripped := line.strip():
            yield number, stripped


@contextmanager
def _read_errors(path: Path) -> Generator[None]:
    try:
        yield
    except FileNotFoundError:
        hint = "Check the path; relative ones start at this folder."
        raise UsageError(f"{path}: no such file", hint=hint) from None
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror or error}") from None


class AnswerReader:
    """Makes generations of the lines of a file at ``path``, for the tasks of a run."""

    def __init__(self, session: Session, path: Path) -> None:
        self._session = session
        self._artifacts = session.artifacts
        self._clean = session.artifacts.redactor.clean_text
        self._folder = os.path.realpath(absolute(path).parent)
        self._tasks = frozenset(session.config.tasks)

    def read(self, content: bytes) -> ImportedAnswer | None:
        """Return the answer in a line; ``None`` for a row of a task that was not generated.

        Raises:
            LineError: it can't be imported.
        """
        if len(content) > LONGEST_LINE:
            raise LineError(f"longer than {LONGEST_LINE // 1024**2} MiB")
        line = parse_line(content)
        name = self._session.runner.NAME
        if line.benchmark not in (None, name):
            raise LineError(f"is {line.benchmark!r}, and this is {name!r}", "benchmark")
        if line.task_id not in self._tasks:
            message = f"the run has no task {line.task_id!r}"
            raise LineError(message, "task_id", unknown_task=line.task_id)
        if line.is_empty:
            return None
        question = self._question(line)
        key = TaskRepeat(line.task_id, line.repeat or 1)
        record, source, masked_file = self._artifact(key, line)
        trajectory = None if line.trajectory is None else self._trajectory(line.trajectory)
        generation = self._generation(line, question, record)
        digest = hashlib.sha256(content)
        digest.update((record.sha256 if record else "").encode())
        digest.update((trajectory or "").encode())
        return ImportedAnswer(
            key,
            generation,
            source,
            trajectory,
            masked=masked_file or generation.data != (line.answer or ""),
            digest=digest.digest(),
        )

    def _question(self, line: AnswerLine) -> str:
        """Return the question that was answered: that of the task, or a prompt that holds it.

        Raises:
            LineError: it is another one, as of another version of the dataset.
        """
        question, asked = self._session.runner.registered_task(line.task_id).question, line.question
        if not asked:
            return question
        if question not in asked and self._clean(question) not in asked:
            problem = "does not hold that of the task; leave it out if it says the same otherwise"
            raise LineError(problem, "question")
        return asked

    def _generation(
        self, line: AnswerLine, question: str, artifact: Artifact | None
    ) -> GenerationResult:
        status, task_id = line.outcome, line.task_id
        if status is GenerationStatus.SUCCESS and line.answer is None and artifact is None:
            raise LineError("missing", "answer")
        usage = TokenUsage(
            input=line.input_tokens,
            output=line.output_tokens,
            reasoning=line.reasoning_tokens,
            cache_read=line.cache_read_tokens,
            cache_write=line.cache_write_tokens,
        )
        error = line.error_of_generation
        result = GenerationResult(
            task_id=task_id,
            status=status,
            data=self._clean(line.answer or ""),
            artifact=artifact,
            question=question,
            model=self._session.config.model,
            total_turns=line.total_turns,
            error=self._clean(error) if error else None,
            started_at=line.started_at,
            ended_at=line.ended_at,
            duration=line.generation_seconds,
            attempts=1,
            usage=None if usage == TokenUsage() else usage,
            cost=line.cost,
        )
        failure = failure_of(result, Phase.GENERATE)
        return result.model_copy(update={"failure": failure, "imported": True})

    def _artifact(
        self, key: TaskRepeat, line: AnswerLine
    ) -> tuple[Artifact | None, Path | None, bool]:
        runner = self._session.runner
        of_files = runner.PAYLOAD_TYPE == "artifact"
        if line.artifact is None:
            if of_files and line.outcome is GenerationStatus.SUCCESS:
                raise LineError("missing: an answer of this benchmark is a file", "artifact")
            return None, None, False
        if not of_files:
            raise LineError("an answer of this benchmark is a text, not a file", "artifact")
        path = self._path(line.artifact, "artifact")
        submission = self._artifacts.of_repeat(key.repeat).submission(key.task_id)
        try:
            record, masked = submission.check(path, runner.ARTIFACT_MAX_BYTES)
        except UnusableArtifactError as error:
            raise LineError(error.message, "artifact") from None
        if line.artifact_sha256 not in (None, record.sha256):
            raise LineError(f"{line.artifact!r} is not the file with this hash", "artifact_sha256")
        return record, path, masked

    def _trajectory(self, given: str) -> str:
        from benchmark_runner.trajectory import dump_trajectory, read_trajectory

        found = read_trajectory(self._path(given, "trajectory"))
        if found is None:
            raise LineError(f"{given!r} is no trajectory in the ATIF format", "trajectory")
        masked = self._artifacts.redactor.clean_json(dump_trajectory(found).encode())
        return masked.decode()

    def _path(self, given: str, field: str) -> Path:
        """Return the path of a file that a line names, without links.

        A relative one is in the folder of the answers.
        """
        try:
            path = os.path.realpath(os.path.join(self._folder, given))  # noqa: PTH118 (of any text)
        except ValueError as error:  # such as a zero byte
            raise LineError(f"{given!r} can't be a path: {error}", field) from None
        if not os.path.isabs(given) and not Path(path).is_relative_to(self._folder):  # noqa: PTH117
            raise LineError(f"{given!r} leads out of the folder of the answers", field)
        return Path(path)
