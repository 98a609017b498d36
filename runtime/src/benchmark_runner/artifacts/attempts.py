"""The earlier attempts of a task, in its ``attempts/`` folder."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from benchmark_runner._json import json_file, parse_model
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.artifacts.submission import SUBMISSION_FOLDER
from benchmark_runner.errors import ArtifactError
from benchmark_runner.schemas import GenerationResult

__all__ = ["EVAL_STATE", "MOVING_FOLDER", "Attempts", "ReadInterrupted", "read_nothing"]

#: The state of an evaluation that is under way.
EVAL_STATE = "eval_state.json"
#: In ``attempts/``: an attempt on its way there.
MOVING_FOLDER = ".moving"
_LOGS = "agent_logs"
_PARTS = ("generation.json", "eval.json", EVAL_STATE, _LOGS, SUBMISSION_FOLDER)


#: Returns what is known of an attempt of a task, by what is in its folder of logs.
ReadInterrupted = Callable[[str, Path], GenerationResult | None]
#: What is shown of an attempt that has no result.
_NO_RESULT = "Interrupted, unless it is still running: there is no result"


def read_nothing(task_id: str, log_dir: Path) -> GenerationResult | None:  # noqa: ARG001 (of every reader)
    """Know nothing of an attempt without a generation."""
    return None


class Attempts:
    """The earlier attempts of the task in ``task_dir``.

    An attempt that was killed in the middle has no generation. ``read_interrupted`` returns one
    of what it left in its folder of logs; ``None`` if that tells nothing.
    """

    def __init__(
        self,
        storage: Storage,
        task_dir: Path,
        read_interrupted: Callable[[Path], GenerationResult | None],
    ) -> None:
        self._storage = storage
        self._task_dir = task_dir
        self._folder = task_dir / "attempts"
        self._read_interrupted = read_interrupted

    def numbers(self) -> list[int]:
        """Return the numbers of the attempts, in order."""
        return sorted(_numbers(self._storage.names(self._folder)))

    def generations(self, *, unfinished: bool = False) -> list[GenerationResult]:
        """Return the earlier generations, as far as they can be read.

        If the current attempt is ``unfinished``, as it has no generation, what is known of it is
        the last one.
        """
        found: list[GenerationResult] = []
        for folder in (*map(str, self.numbers()), MOVING_FOLDER):
            # An agent may have put anything there.
            with suppress(ArtifactError, ValidationError):
                content = self._storage.read(self._folder / folder / "generation.json")
                if content is not None:
                    found.append(parse_model(GenerationResult, content))
        if unfinished and (left := self._interrupted()) is not None:
            found.append(left.model_copy(update={"error": _NO_RESULT}))
        return found

    def begin_next(self) -> tuple[Path, int]:
        """Keep the current attempt, and return the log folder and the number of the next one."""
        number = 1
        if self._storage.names(self._task_dir):
            self.keep_current()
            number += max(self.numbers(), default=0)
        logs = self._task_dir / _LOGS
        self._storage.make_folder(logs, flush=False)  # until there is a generation
        return logs, number

    def add(self, generation: bytes) -> None:
        """Write ``attempts/N/`` with this ``generation.json`` and the task's current other parts.

        The task never has the generation itself, also after a kill in between.
        """
        moving = self._folder / MOVING_FOLDER
        self._storage.make_folder(moving)
        self._storage.write(moving / "generation.json", generation)
        self.keep_current()

    def keep_current(self) -> None:
        """Move the task's current attempt to ``attempts/N/``, if there is one.

        A kill in between loses nothing: the generation goes first, so that the attempt counts
        wholly or not at all, and the next call moves the rest. One that was killed gets a
        generation before its logs are moved: it counts by the one or by the others.
        """
        moving = self._folder / MOVING_FOLDER
        if not moving.exists() and not any((self._task_dir / part).exists() for part in _PARTS):
            return
        self._storage.make_folder(moving)
        generation = self._task_dir / "generation.json"
        if not os.path.lexists(generation) and (left := self._interrupted()) is not None:
            self._storage.write(moving / generation.name, json_file(left))
        for part in _PARTS:
            # Something may have been there: an agent's child goes on writing after a kill.
            self._storage.move(self._task_dir / part, _free(moving / part))
        self._storage.move(moving, self._folder / str(self._next_number()))

    def _interrupted(self) -> GenerationResult | None:
        """Return what is known of the current attempt, which has no generation.

        What is half moved has one there, and its logs are of that.
        """
        if os.path.lexists(self._folder / MOVING_FOLDER / "generation.json"):
            return None
        left = self._read_interrupted(self._task_dir / _LOGS)
        return left and left.model_copy(update={"attempts": self._next_number()})

    def _next_number(self) -> int:
        return max(self.numbers(), default=0) + 1

    def keep_eval(self) -> None:
        """Move the task's ``eval.json`` to ``attempts/evals/N.json``, if there is one.

        The next evaluation starts from the beginning, not from a state of that one.
        """
        self._storage.remove(self._task_dir / EVAL_STATE)
        current, evals = self._task_dir / "eval.json", self._folder / "evals"
        if current.exists():
            self._storage.make_folder(evals)
            number = max(_numbers(self._storage.names(evals), ".json"), default=0) + 1
            self._storage.move(current, evals / f"{number}.json")


def _free(path: Path) -> Path:
    """Return the path, or that of a name with a number if it is taken."""
    target, number = path, 1
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f"{path.name}-{number}")
    return target


def _numbers(names: Iterable[str], ending: str = "") -> list[int]:
    bare = [name.removesuffix(ending) for name in names if name.endswith(ending)]
    return [int(name) for name in bare if name.isdecimal()]
