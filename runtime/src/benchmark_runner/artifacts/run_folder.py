"""The files of one run: their paths, and how they are read and written.

.. code-block:: text

    <results-dir>/<run_id>/
        run_config.json
        final_score.json
        events.jsonl           a log of events; no result depends on it
        <task_id>/
            generation.json
            eval.json
            eval_state.json    the state from which the service continues an evaluation
            agent_logs/        the author's logs, and tracebacks of errors
            submission/        the file that is the answer, if it is one
            attempts/N/        earlier attempts, whole
            attempts/evals/    earlier results of a generation that was evaluated again
            repeats/N/         the same for the repeats 2, 3, …
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from copy import copy
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Self

from benchmark_runner._json import json_file
from benchmark_runner._redaction import Redactor
from benchmark_runner.artifacts.attempts import Attempts, ReadInterrupted, read_nothing
from benchmark_runner.artifacts.config_file import ConfigFile
from benchmark_runner.artifacts.eval_rules import EvalRules
from benchmark_runner.artifacts.eval_state import EvalStateFile
from benchmark_runner.artifacts.ids import checked_id
from benchmark_runner.artifacts.locks import RunLocks
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.artifacts.submission import Submission
from benchmark_runner.artifacts.task_obstacles import RESULT_FILES
from benchmark_runner.errors import traceback_of
from benchmark_runner.schemas import Artifact, EvalResult, GenerationResult, ScoreResult

#: In a task's ``agent_logs/``: the tracebacks of its generation and its evaluation, the stack of
#: code that blocked the event loop or ran out of time, and errors that nobody waited for.
TRACEBACK_LOG = "traceback.log"
EVAL_TRACEBACK_LOG = "eval-traceback.log"
BLOCKED_LOG, TIMEOUT_LOG = "blocked.log", "timeout.log"
BACKGROUND_LOG = "background.log"

__all__ = [
    "BACKGROUND_LOG", "BLOCKED_LOG", "EVAL_TRACEBACK_LOG", "TIMEOUT_LOG", "TRACEBACK_LOG",
    "RunArtifacts",
]  # fmt: skip


class RunArtifacts(ConfigFile, EvalStateFile):
    """The files of one run.

    Args:
        results_dir: The folder that holds a folder for each run.
        run_id: The id of the run, which names its folder.
        redactor: Masks secrets in everything that is written.
        durable: Whether a file is flushed to disk before a method returns.
        read_only: Whether files that can't be read stay where they are.

    Attributes:
        run_dir: The folder of this run.
        locks: Its locks.
        set_aside: Unreadable files, renamed to ``<file>.corrupt-N`` unless ``read_only``.
        eval_rules: The rules by which an eval on disk counts.
        read_interrupted: Returns what a killed attempt of a task left in its folder of logs.

    Raises:
        InvalidIdError: ``run_id`` (or in a method, ``task_id``) can't name a folder.
        ArtifactError: in a method: the disk refuses.
    """

    def __init__(
        self,
        results_dir: Path | str,
        run_id: str,
        redactor: Redactor | None = None,
        *,
        durable: bool = True,
        read_only: bool = False,
    ) -> None:
        self.results_dir = Path(results_dir)
        self.run_id = checked_id(run_id, "run id")
        self.run_dir = self.results_dir / self.run_id
        self.read_only = read_only
        self._folder = str(self.run_dir)
        self._storage = Storage(self.results_dir, durable=durable)
        self.locks = RunLocks(self._storage, self.run_dir, self.run_config_path)
        self.set_aside: list[Path] = []
        self.eval_rules = EvalRules()
        self.read_interrupted: ReadInterrupted = read_nothing
        self.redactor = redactor or Redactor()

    def of_repeat(self, repeat: int) -> Self:
        """Return the same run with the files of this repeat of each task; 1 is the first."""
        if self.repeat_folder == (below := "" if repeat == 1 else f"/repeats/{repeat}"):
            return self
        other = copy(self)
        other.repeat_folder = below
        return other

    @property
    def durable(self) -> bool:
        """True if a file is flushed to disk before a method returns."""
        return self._storage.durable

    @property
    def final_score_path(self) -> Path:
        """The file with the final score."""
        return self.run_dir / "final_score.json"

    @property
    def events_path(self) -> Path:
        """The log of events."""
        return self.run_dir / "events.jsonl"

    def generation_path(self, task_id: str) -> Path:
        """Return the path of a task's generation."""
        return self.task_dir(task_id) / "generation.json"

    def eval_path(self, task_id: str) -> Path:
        """Return the path of a task's eval."""
        return self.task_dir(task_id) / "eval.json"

    def agent_logs_dir(self, task_id: str) -> Path:
        """Return the author's log folder of a task."""
        return self.task_dir(task_id) / "agent_logs"

    def load_generation(self, task_id: str) -> GenerationResult | None:
        """Read a task's generation; ``None`` if there is none that can be read."""
        return self.load_generation_and_hash(task_id)[0]

    def load_eval(self, task_id: str) -> EvalResult | None:
        """Read a task's eval; ``None`` if there is none that can be read."""
        return self.parse_eval(task_id, self.read_results(task_id)[1])

    def load_final_score(self) -> ScoreResult | None:
        """Read the score; ``None`` if there is none that can be read, or its number is none."""
        score = self.load(self.final_score_path, ScoreResult)
        return score if score is None or isfinite(score.final_score) else None

    def keep_submission(
        self, task_id: str, source: Artifact | Path | bytes, filename: str | None, most: int
    ) -> tuple[Artifact, bool]:
        """Copy the file that is a task's answer, of at most ``most`` bytes, into its folder.

        Returns the record of the file, and whether a key in it was masked.

        Raises:
            UnusableArtifactError: the file can't be an answer.
        """
        keep = partial(self.submission(task_id).keep, source, filename, most)
        return self._in_task(task_id, keep)

    def submission(self, task_id: str) -> Submission:
        """Return the folder of the file that is a task's answer."""
        return Submission(self._storage, self.task_dir(task_id), self.redactor)

    def save_generation(self, task_id: str, generation: GenerationResult) -> str:
        """Write a task's generation and return the hash of the file."""
        path, folders = self.generation_path(task_id), 1 + self.repeat_folder.count("/")
        return self._in_task(task_id, lambda: self.save(path, generation, folders=folders))

    def save_eval(self, task_id: str, result: EvalResult) -> str:
        """Write a task's eval and return the hash of the file."""
        path = self.eval_path(task_id)
        return self._in_task(task_id, lambda: self.save(path, result))

    def save_final_score(self, score: ScoreResult) -> str:
        """Write the score and return the hash of the file."""
        return self.save(self.final_score_path, score)

    def load_generation_and_hash(self, task_id: str) -> tuple[GenerationResult | None, str | None]:
        """Read a task's generation, and the SHA-256 of its file."""
        content = self.read_results(task_id)[0]
        generation = self.parse_generation(task_id, content)
        if content is None or generation is None:
            return None, None
        return generation, hashlib.sha256(content).hexdigest()

    def read_results(self, task_id: str) -> tuple[bytes | None, ...]:
        """Return the contents of a task's generation and its eval; ``None`` for a missing one."""
        folder = f"{self._folder}/{checked_id(task_id, 'task id')}{self.repeat_folder}"
        read = partial(self._storage.read_from, folder, *RESULT_FILES)
        return self._in_task(task_id, read)

    def parse_generation(self, task_id: str, content: bytes | None) -> GenerationResult | None:
        """Parse a task's ``generation.json``; one that can't be read is set aside."""
        return self._parse(
            partial(self.generation_path, task_id), content, GenerationResult, task_id
        )

    def parse_eval(self, task_id: str, content: bytes | None) -> EvalResult | None:
        """Parse a task's ``eval.json``; one that can't be read is set aside."""
        return self._parse(partial(self.eval_path, task_id), content, EvalResult, task_id)

    def locked(self, task_id: str | None = None) -> AbstractContextManager[None]:
        """Hold the run, or one task of it while others may use other tasks of the run.

        Raises:
            RunLockedError: another process holds it; the message names that process.
            ArtifactError: the disk refuses.
        """
        if task_id is not None:
            checked_id(task_id, "task id")
        return self.locks.hold(task_id)

    def has_generations(self) -> bool:
        """Return True if any task of the run has a generation."""
        return next(self._generation_paths(), None) is not None

    def remove_final_score(self) -> None:
        """Remove a score that no longer fits the evals on disk."""
        self._storage.remove(self.final_score_path)

    def append_events(self, lines: bytes) -> None:
        """Append whole lines to ``events.jsonl``, without flushing them to disk."""
        self._storage.append_to(self.events_path, self.redactor.clean_lines(lines))

    def write_log(self, task_id: str, name: str, text: str, *, append: bool = False) -> Path:
        """Write ``text`` into a log of a task, or append it, and return the file."""
        path = self.agent_logs_dir(task_id) / name
        write = self._storage.append_to if append else self._storage.write
        write(path, self.redactor.clean(text.encode("utf-8", "backslashreplace")))
        return path

    def write_traceback(self, task_id: str, name: str, error: BaseException) -> Path:
        """Write a traceback into a task's log folder and return the file."""
        return self.write_log(task_id, name, traceback_of(error))

    def keep_late_generation(self, task_id: str, generation: GenerationResult) -> None:
        """Keep a generation that came too late under ``attempts/N/``; the task is still owed."""
        self._attempts(task_id).add(self.redactor.clean(json_file(generation)))

    def prepare_task(self, task_id: str) -> tuple[Path, int]:
        """Make room for a new attempt at a task; an earlier one is kept under ``attempts/``.

        Returns the empty log folder, and the number of the new attempt, counted from 1.
        """
        self.locks.check()
        return self._in_task(task_id, self._attempts(task_id).begin_next)

    def make_task_folder(self, task_id: str) -> None:
        """Create the folder of a task, which is flushed to disk with its generation."""
        make = partial(self._storage.make_folder, self.task_dir(task_id), flush=False)
        self._in_task(task_id, make)

    def keep_attempt(self, task_id: str) -> None:
        """Move a task's current attempt to ``attempts/N/``; the task is then owed again."""
        self._in_task(task_id, self._attempts(task_id).keep_current)

    def keep_eval(self, task_id: str) -> None:
        """Move a task's eval to ``attempts/evals/N.json``; its evaluation is then owed again.

        One that can't be read is set aside.
        """
        self.load_eval(task_id)
        self._in_task(task_id, self._attempts(task_id).keep_eval)

    def earlier_generations(
        self, task_id: str, *, unfinished: bool = False
    ) -> list[GenerationResult]:
        """Return the generations of a task's earlier attempts, as far as they can be read.

        If the task has no generation, its current attempt is ``unfinished``: what its logs tell
        is then the last one.
        """
        # Asked for each task of a run, where a Path would cost more than all else.
        folder = f"{self._folder}/{task_id}{self.repeat_folder}"
        folders = ("attempts", "agent_logs") if unfinished else ("attempts",)
        if not any(os.path.exists(f"{folder}/{each}") for each in folders):  # noqa: PTH110
            return []
        read = partial(self._attempts(task_id).generations, unfinished=unfinished)
        return self._in_task(task_id, read)

    def _generation_paths(self) -> Iterator[Path]:
        for pattern in ("*/generation.json", "*/repeats/*/generation.json"):
            yield from self.run_dir.glob(pattern)

    def _attempts(self, task_id: str) -> Attempts:
        read = partial(self.read_interrupted, task_id)
        return Attempts(self._storage, self.task_dir(task_id), read)
