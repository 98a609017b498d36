"""The files of one run, and the only code that writes below the results folder.

.. code-block:: text

    <results-dir>/<run_id>/
        run_config.json
        final_score.json
        <task_id>/
            generation.json
            eval.json
            agent_logs/        the author's, and the tracebacks of what failed
            attempts/N/        earlier attempts, whole

Every file is written to a temporary one beside it and then renamed, so that a reader, and a
run after a kill, finds the old content or the new one, never a part.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from benchmark_runner.errors import ArtifactError, UsageError
from benchmark_runner.locks import awaited, held, is_only_holder
from benchmark_runner.redaction import Redactor
from benchmark_runner.schemas import EvalResult, GenerationResult, ScoreResult, safe_path_segment

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

ModelT = TypeVar("ModelT", bound=BaseModel)

#: In a task's ``agent_logs/``: why its generation, or its grading, failed.
TRACEBACK_LOG = "traceback.log"
EVAL_TRACEBACK_LOG = "eval-traceback.log"
#: In a run's or a task's folder: held by the process that works on it.
LOCK_FILE = ".lock"
CONFIG_LOCK_FILE = ".config.lock"


class RunArtifacts:
    """Reads and writes the files of one run.

    Args:
        results_dir: The folder that holds a folder for each run.
        run_id: The run, and the name of its folder.
        redactor: What masks them.

    Attributes:
        redactor: Masks secrets in everything that is written.
        set_aside: Files that could not be read and were renamed to ``<file>.corrupt-N``.

    Raises:
        UsageError: ``run_id`` can't name a folder.
    """

    def __init__(
        self, results_dir: Path | str, run_id: str, redactor: Redactor | None = None
    ) -> None:
        self.results_dir = Path(results_dir)
        self.run_id = _checked(run_id, "run id")
        self.set_aside: list[Path] = []
        self.redactor = redactor or Redactor()

    @property
    def run_dir(self) -> Path:
        """The folder of this run."""
        return self.results_dir / self.run_id

    @property
    def run_config_path(self) -> Path:
        """Where the frozen settings and tasks are."""
        return self.run_dir / "run_config.json"

    @property
    def final_score_path(self) -> Path:
        """Where the score is."""
        return self.run_dir / "final_score.json"

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
        return self.load(self.generation_path(task_id), GenerationResult)

    def load_eval(self, task_id: str) -> EvalResult | None:
        """Read a task's eval; ``None`` if there is none that can be read."""
        return self.load(self.eval_path(task_id), EvalResult)

    def load_final_score(self) -> ScoreResult | None:
        """Read the score; ``None`` if there is none that can be read."""
        return self.load(self.final_score_path, ScoreResult)

    def save_generation(self, task_id: str, generation: GenerationResult) -> str:
        """Write a task's generation and return the hash of the file."""
        return self.save(self.generation_path(task_id), generation)

    def save_eval(self, task_id: str, result: EvalResult) -> str:
        """Write a task's eval and return the hash of the file."""
        return self.save(self.eval_path(task_id), result)

    def save_final_score(self, score: ScoreResult) -> str:
        """Write the score and return the hash of the file."""
        return self.save(self.final_score_path, score)

    def load_generation_and_hash(self, task_id: str) -> tuple[GenerationResult | None, str | None]:
        """Read a task's generation with the SHA-256 of its file."""
        path = self.generation_path(task_id)
        content = _read(path)
        generation = self._parse(path, content, GenerationResult)
        if content is None or generation is None:
            return None, None
        return generation, hashlib.sha256(content).hexdigest()

    def evals_hash(self, task_ids: Iterable[str]) -> str:
        """SHA-256 over the evals on disk: whether a score still sums what is there."""
        digest = hashlib.sha256()
        for task_id in task_ids:
            digest.update(task_id.encode())
            digest.update(_read(self.eval_path(task_id)) or b"-")
        return digest.hexdigest()

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
            with _writing(run_lock):
                what = f"run {self.run_id!r}"
                lock = locks.enter_context(held(run_lock, what, shared=task_id is not None))
                if task_id is not None:
                    task_lock = self.task_dir(task_id) / LOCK_FILE
                    locks.enter_context(held(task_lock, f"task {task_id!r} of {what}"))
            try:
                yield
            finally:
                if not self.run_config_path.exists():
                    self._remove_unused(task_id, made if is_only_holder(lock) else [])

    @contextmanager
    def config_locked(self) -> Generator[None]:
        """Hold ``run_config.json`` while it is read, changed and written."""
        with ExitStack() as locks:
            with _writing(self.run_config_path):
                locks.enter_context(awaited(self.run_dir / CONFIG_LOCK_FILE))
            yield

    def config_content(self) -> bytes | None:
        """``run_config.json`` as it is on disk; ``None`` without one."""
        return _read(self.run_config_path)

    def has_generations(self) -> bool:
        """Whether any task of the run has a generation."""
        return next(self.run_dir.glob("*/generation.json"), None) is not None

    def remove_final_score(self) -> None:
        """Take away a score that no longer sums what is on disk."""
        with _writing(self.final_score_path):
            self.final_score_path.unlink(missing_ok=True)

    def write_log(self, task_id: str, name: str, text: str) -> Path:
        """Write ``text`` into a task's log folder and return the file."""
        path = self.agent_logs_dir(task_id) / name
        data = text.encode("utf-8", "backslashreplace")
        _write_atomically(path, self.redactor.clean(data))
        return path

    def prepare_task(self, task_id: str) -> tuple[Path, int]:
        """Make room for a new attempt at a task; an earlier one is kept under ``attempts/``.

        Returns:
            The empty log folder, and the new attempt's number, counted from 1.
        """
        task_dir = self.task_dir(task_id)
        attempts = task_dir / "attempts"
        logs = self.agent_logs_dir(task_id)
        with _writing(task_dir):
            earlier = [int(entry.name) for entry in _entries(attempts) if entry.name.isdigit()]
            number = max(earlier, default=0) + 1
            # The generation goes last: until then it still stands for the whole attempt.
            kept = [task_dir / name for name in ("agent_logs", "eval.json", "generation.json")]
            if any(path.exists() for path in kept):
                target = attempts / str(number)
                target.mkdir(parents=True)
                for path in kept:
                    if path.exists():
                        path.rename(target / path.name)
                number += 1
            logs.mkdir(parents=True, exist_ok=True)
        return logs, number

    def load(self, path: Path, model: type[ModelT]) -> ModelT | None:
        """Read a file of this run; what can't be read is set aside and counts as missing."""
        return self._parse(path, _read(path), model)

    def save(self, path: Path, content: BaseModel) -> str:
        """Write a file of this run, whole or not at all, and return its SHA-256.

        Raises:
            ArtifactError: the disk refuses.
        """
        data = self.redactor.clean(_to_json(content))
        _write_atomically(path, data)
        return hashlib.sha256(data).hexdigest()

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
            self._set_aside(path)
            return None

    def _set_aside(self, path: Path) -> None:
        number = 1
        while (target := path.with_name(f"{path.name}.corrupt-{number}")).exists():
            number += 1
        with _writing(path):
            path.rename(target)
        self.set_aside.append(target)


def _checked(value: str, what: str) -> str:
    try:
        return safe_path_segment(value)
    except ValueError as error:
        raise UsageError(
            f"{what}: {error}", hint=f"Use a {what} that can name a folder, such as my-id-1."
        ) from None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ArtifactError(f"{path}: can't be read: {error.strerror or error}") from error


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _to_json(content: BaseModel) -> bytes:
    try:
        return content.model_dump_json(indent=2).encode() + b"\n"
    except PydanticSerializationError:
        # Half a surrogate pair can't be UTF-8; a paid answer is not lost for it.
        text = json.dumps(content.model_dump(), indent=2, ensure_ascii=False, default=str)
        return text.encode("utf-8", "replace") + b"\n"


def _write_atomically(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise


@contextmanager
def _writing(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ArtifactError(
            f"{path}: can't be written: {error.strerror or error}",
            hint="Free space or correct the permissions, then run the same command again.",
        ) from error
