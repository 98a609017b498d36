"""The files of one run: where they are, and in which steps they change.

.. code-block:: text

    <results-dir>/<run_id>/
        run_config.json
        final_score.json
        events.jsonl           what happened when, a help and no result
        <task_id>/
            generation.json
            eval.json
            agent_logs/        the author's, and the tracebacks of what failed
            attempts/N/        earlier attempts, whole
            attempts/evals/    earlier grades of a generation that was graded again

Every change goes through :mod:`benchmark_runner.artifacts.storage`, so that a reader, and a run
after a crash, finds the old content or the new one, never a part.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from benchmark_runner._json import json_file_of
from benchmark_runner._redaction import Redactor
from benchmark_runner.artifacts.atomic_file import write_errors
from benchmark_runner.artifacts.locks import awaited, held, is_only_holder
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.errors import UsageError, traceback_of
from benchmark_runner.schemas import EvalResult, GenerationResult, ScoreResult, safe_path_segment

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

ModelT = TypeVar("ModelT", bound=BaseModel)
TaskFileT = TypeVar("TaskFileT", GenerationResult, EvalResult)

#: In a task's ``agent_logs/``: why its generation, or its grading, failed.
TRACEBACK_LOG = "traceback.log"
EVAL_TRACEBACK_LOG = "eval-traceback.log"
#: Likewise: where its code was when it kept the event loop from everything else.
BLOCKED_LOG = "blocked.log"
#: In a run's or a task's folder: held by the process that works on it.
LOCK_FILE = ".lock"
CONFIG_LOCK_FILE = ".config.lock"
#: In ``attempts/``: an attempt on its way there.
MOVING_FOLDER = ".moving"


class RunArtifacts:
    """Reads and writes the files of one run.

    Args:
        results_dir: The folder that holds a folder for each run.
        run_id: The run, and the name of its folder.
        redactor: What masks them.
        durable: Whether what is written is flushed to disk before anybody hears of it.
        read_only: Whether this is only for looking: what can't be read stays where it is.

    Attributes:
        run_dir: The folder of this run.
        redactor: Masks secrets in everything that is written.
        set_aside: Files that could not be read and were renamed to ``<file>.corrupt-N``
            (with ``read_only``, the files themselves).

    Raises:
        UsageError: ``run_id`` can't name a folder.
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
        self.run_id = _checked(run_id, "run id")
        self.run_dir = self.results_dir / self.run_id
        self.read_only = read_only
        self._folder = str(self.run_dir)
        self._storage = Storage(self.results_dir, durable=durable)
        self.set_aside: list[Path] = []
        self.redactor = redactor or Redactor()

    @property
    def run_config_path(self) -> Path:
        """Where the frozen settings and tasks are."""
        return self.run_dir / "run_config.json"

    @property
    def final_score_path(self) -> Path:
        """Where the score is."""
        return self.run_dir / "final_score.json"

    @property
    def events_path(self) -> Path:
        """Where it is noted what happened when."""
        return self.run_dir / "events.jsonl"

    def task_dir(self, task_id: str) -> Path:
        """Return the folder of one task.

        Raises:
            UsageError: ``task_id`` can't name a folder.
        """
        return self.run_dir / _checked(task_id, "task id")

    def generation_path(self, task_id: str) -> Path:
        """Return where a task's generation is."""
        return self.task_dir(task_id) / "generation.json"

    def eval_path(self, task_id: str) -> Path:
        """Return where a task's eval is."""
        return self.task_dir(task_id) / "eval.json"

    def agent_logs_dir(self, task_id: str) -> Path:
        """Return the author's log folder of a task."""
        return self.task_dir(task_id) / "agent_logs"

    def load_generation(self, task_id: str) -> GenerationResult | None:
        """Read a task's generation; ``None`` if there is none that can be read."""
        return self.load_generation_and_hash(task_id)[0]

    def load_eval(self, task_id: str) -> EvalResult | None:
        """Read a task's eval; ``None`` if there is none that can be read."""
        return self.parse_eval(task_id, self._storage.read(self.eval_path(task_id)))

    def load_final_score(self) -> ScoreResult | None:
        """Read the score; ``None`` if there is none that can be read."""
        return self.load(self.final_score_path, ScoreResult)

    def save_generation(self, task_id: str, generation: GenerationResult) -> str:
        """Write a task's generation and return the hash of the file."""
        return self.save(self.generation_path(task_id), generation, with_folder=True)

    def save_eval(self, task_id: str, result: EvalResult) -> str:
        """Write a task's eval and return the hash of the file."""
        return self.save(self.eval_path(task_id), result)

    def save_final_score(self, score: ScoreResult) -> str:
        """Write the score and return the hash of the file."""
        return self.save(self.final_score_path, score)

    def load_generation_and_hash(self, task_id: str) -> tuple[GenerationResult | None, str | None]:
        """Read a task's generation with the SHA-256 of its file."""
        content = self._storage.read(self.generation_path(task_id))
        generation = self.parse_generation(task_id, content)
        if content is None or generation is None:
            return None, None
        return generation, hashlib.sha256(content).hexdigest()

    def read_results(self, task_id: str) -> tuple[bytes | None, ...]:
        """Read a task's generation and its eval; of each the content, ``None`` without one."""
        folder = f"{self._folder}/{_checked(task_id, 'task id')}"
        return self._storage.read_from(folder, "generation.json", "eval.json")

    def parse_generation(self, task_id: str, content: bytes | None) -> GenerationResult | None:
        """What a task's ``generation.json`` says; what can't be read is set aside."""
        return self._parse_of(task_id, "generation.json", content, GenerationResult)

    def parse_eval(self, task_id: str, content: bytes | None) -> EvalResult | None:
        """What a task's ``eval.json`` says; what can't be read is set aside."""
        return self._parse_of(task_id, "eval.json", content, EvalResult)

    @contextmanager
    def locked(self, task_id: str | None = None) -> Generator[None]:
        """Hold the run, or one task of it, against other processes.

        Args:
            task_id: Lock this task only; others may work on other tasks of the run.

        Raises:
            RunLockedError: another process holds it; the message names that process.
            ArtifactError: the disk refuses.
        """
        run_lock = self.run_dir / LOCK_FILE
        made = [folder for folder in (self.run_dir, self.results_dir) if not folder.exists()]
        with ExitStack() as locks:
            self._storage.make_folder(self.run_dir)
            with write_errors(run_lock):
                what = f"run {self.run_id!r}"
                lock = locks.enter_context(held(run_lock, what, shared=task_id is not None))
            try:
                if task_id is not None:
                    task_lock = self.task_dir(task_id) / LOCK_FILE
                    self._storage.make_folder(task_lock.parent)
                    with write_errors(task_lock):
                        locks.enter_context(held(task_lock, f"task {task_id!r} of {what}"))
                yield
            finally:
                if not self.run_config_path.exists():
                    self._remove_unused(task_id, made if is_only_holder(lock) else [])

    @contextmanager
    def config_locked(self) -> Generator[None]:
        """Hold ``run_config.json`` while it is read, changed and written.

        Raises:
            RunLockedError: another process does not let go of it.
            ArtifactError: the disk refuses.
        """
        lock = self.run_dir / CONFIG_LOCK_FILE
        self._storage.make_folder(self.run_dir)
        with ExitStack() as locks:
            with write_errors(lock):
                locks.enter_context(awaited(lock, f"run_config.json of run {self.run_id!r}"))
            yield

    def config_content(self) -> bytes | None:
        """``run_config.json`` as it is on disk; ``None`` without one."""
        return self._storage.read(self.run_config_path)

    def config_hash(self) -> str | None:
        """SHA-256 of ``run_config.json`` as it is on disk; ``None`` without one."""
        content = self.config_content()
        return None if content is None else hashlib.sha256(content).hexdigest()

    def has_generations(self) -> bool:
        """Whether any task of the run has a generation."""
        return next(self.run_dir.glob("*/generation.json"), None) is not None

    def remove_final_score(self) -> None:
        """Take away a score that no longer sums what is on disk."""
        self._storage.remove(self.final_score_path)

    def append_events(self, lines: bytes) -> None:
        """Add whole lines to ``events.jsonl``; not flushed to disk.

        Raises:
            ArtifactError: the disk refuses.
        """
        self._storage.append_to(self.events_path, self.redactor.clean(lines))

    def write_log(self, task_id: str, name: str, text: str) -> Path:
        """Write ``text`` into a task's log folder and return the file."""
        path = self.agent_logs_dir(task_id) / name
        data = text.encode("utf-8", "backslashreplace")
        self._storage.write(path, self.redactor.clean(data))
        return path

    def write_traceback(self, task_id: str, name: str, error: BaseException) -> Path:
        """Write where ``error`` was raised into a task's log folder and return the file."""
        return self.write_log(task_id, name, traceback_of(error))

    def prepare_task(self, task_id: str) -> tuple[Path, int]:
        """Make room for a new attempt at a task; an earlier one is kept under ``attempts/``.

        Returns:
            The empty log folder, and the new attempt's number, counted from 1.
        """
        task_dir = self.task_dir(task_id)
        number = 1
        if self._storage.names(task_dir):
            self.keep_attempt(task_id)
            number += max(self._kept_attempts(task_id), default=0)
        logs = task_dir / "agent_logs"
        self._storage.make_folder(logs, flush=False)  # until there is a generation
        return logs, number

    def keep_attempt(self, task_id: str) -> None:
        """Move what there is of a task's attempt to ``attempts/N/``; the task is owed again.

        A kill in between loses nothing: the generation goes first, so that the attempt counts
        wholly or not at all, and the next call moves what is left.
        """
        task_dir, attempts = self.task_dir(task_id), self._attempts_dir(task_id)
        moving = attempts / MOVING_FOLDER
        parts = ("generation.json", "eval.json", "agent_logs")
        if not moving.exists() and not any((task_dir / part).exists() for part in parts):
            return
        self._storage.make_folder(moving)
        for part in parts:
            self._storage.move(task_dir / part, moving / part)
        number = max(self._kept_attempts(task_id), default=0) + 1
        self._storage.move(moving, attempts / str(number))

    def keep_eval(self, task_id: str) -> None:
        """Move a task's eval to ``attempts/evals/N.json``; its generation is to be graded again."""
        evals = self._attempts_dir(task_id) / "evals"
        if self.eval_path(task_id).exists():
            self._storage.make_folder(evals)
            number = max(_numbers(self._storage.names(evals), ".json"), default=0) + 1
            self._storage.move(self.eval_path(task_id), evals / f"{number}.json")

    def earlier_generations(self, task_id: str) -> list[GenerationResult]:
        """The generations of a task's earlier attempts, as far as they can be read."""
        if not os.path.exists(f"{self._folder}/{task_id}/attempts"):  # noqa: PTH110 (asked often)
            return []
        attempts = self._attempts_dir(task_id)
        folders = [str(number) for number in self._kept_attempts(task_id)]
        paths = [attempts / folder / "generation.json" for folder in (*folders, MOVING_FOLDER)]
        contents = map(self._storage.read, paths)
        found: list[GenerationResult] = []
        for content in contents:
            with suppress(ValidationError):
                if content is not None:
                    found.append(GenerationResult.model_validate_json(content))
        return found

    def load(self, path: Path, model: type[ModelT]) -> ModelT | None:
        """Read a file of this run; what can't be read is set aside and counts as missing."""
        return self._parse(path, self._storage.read(path), model)

    def save(self, path: Path, content: BaseModel, *, with_folder: bool = False) -> str:
        """Write a file of this run, whole or not at all, and return its SHA-256.

        Args:
            path: The file.
            content: What to write.
            with_folder: Whether its folder may be as new as it is.

        Raises:
            ArtifactError: the disk refuses.
        """
        data = self.redactor.clean(json_file_of(content))
        self._storage.write(path, data, with_folder=with_folder)
        return hashlib.sha256(data).hexdigest()

    def save_pieces(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Write a large file of this run piece by piece, whole or not at all.

        Args:
            path: The file.
            pieces: Its content, no name and no setting cut in two: each is masked by itself.

        Raises:
            ArtifactError: the disk refuses.
        """
        self._storage.write(path, map(self.redactor.clean, pieces))

    def set_file_aside(self, path: Path) -> None:
        """Rename a file that can't be read to ``<file>.corrupt-N``, and remember it."""
        target = path
        if not self.read_only:
            number = 1
            while (target := path.with_name(f"{path.name}.corrupt-{number}")).exists():
                number += 1
            self._storage.move(path, target)
        self.set_aside.append(target)

    def _attempts_dir(self, task_id: str) -> Path:
        return self.task_dir(task_id) / "attempts"

    def _kept_attempts(self, task_id: str) -> list[int]:
        return sorted(_numbers(self._storage.names(self._attempts_dir(task_id))))

    def _remove_unused(self, task_id: str | None, made: list[Path]) -> None:
        """Leave no folder behind of a run that never began."""
        with suppress(OSError):
            if task_id is not None:
                (self.task_dir(task_id) / LOCK_FILE).unlink(missing_ok=True)
                self.task_dir(task_id).rmdir()
            for folder in made:
                for name in (LOCK_FILE, CONFIG_LOCK_FILE):
                    (folder / name).unlink(missing_ok=True)
                folder.rmdir()

    def _parse(self, path: Path, content: bytes | None, model: type[ModelT]) -> ModelT | None:
        if content is None:
            return None
        try:
            return model.model_validate_json(content)
        except ValidationError:
            self.set_file_aside(path)
            return None

    def _parse_of(
        self, task_id: str, name: str, content: bytes | None, model: type[TaskFileT]
    ) -> TaskFileT | None:
        if content is None:
            return None
        with suppress(ValidationError):
            found = model.model_validate_json(content)
            if found.task_id in ("", task_id):
                return found
        # Torn, or another task's, copied or moved here by somebody.
        self.set_file_aside(self.task_dir(task_id) / name)
        return None


def _checked(value: str, what: str) -> str:
    try:
        return safe_path_segment(value)
    except ValueError as error:
        raise UsageError(
            f"{what}: {error}", hint=f"Use a {what} that can name a folder, such as my-id-1."
        ) from None


def _numbers(names: Iterable[str], ending: str = "") -> list[int]:
    """The numbers among the names of files with this ending."""
    bare = [name.removesuffix(ending) for name in names if name.endswith(ending)]
    return [int(name) for name in bare if name.isdecimal()]
