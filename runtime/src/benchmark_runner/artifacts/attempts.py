"""The earlier attempts of a task, in its ``attempts/`` folder."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.schemas import GenerationResult

__all__ = ["MOVING_FOLDER", "Attempts"]

#: In ``attempts/``: an attempt on its way there.
MOVING_FOLDER = ".moving"
_PARTS = ("generation.json", "eval.json", "agent_logs")


class Attempts:
    """The earlier attempts of the task in ``task_dir``."""

    def __init__(self, storage: Storage, task_dir: Path) -> None:
        self._storage = storage
        self._task_dir = task_dir
        self._folder = task_dir / "attempts"

    def numbers(self) -> list[int]:
        """Return the numbers of the attempts, in order."""
        return sorted(_numbers(self._storage.names(self._folder)))

    def generations(self) -> list[GenerationResult]:
        """Return the earlier generations, as far as they can be read."""
        found: list[GenerationResult] = []
        for folder in (*map(str, self.numbers()), MOVING_FOLDER):
            content = self._storage.read(self._folder / folder / "generation.json")
            with suppress(ValidationError):
                if content is not None:
                    found.append(GenerationResult.model_validate_json(content))
        return found

    def keep_current(self) -> None:
        """Move the task's current attempt to ``attempts/N/``, if there is one.

        A kill in between loses nothing: the generation goes first, so that the attempt counts
        wholly or not at all, and the next call moves the rest.
        """
        moving = self._folder / MOVING_FOLDER
        if not moving.exists() and not any((self._task_dir / part).exists() for part in _PARTS):
            return
        self._storage.make_folder(moving)
        for part in _PARTS:
            self._storage.move(self._task_dir / part, moving / part)
        number = max(self.numbers(), default=0) + 1
        self._storage.move(moving, self._folder / str(number))

    def keep_eval(self) -> None:
        """Move the task's ``eval.json`` to ``attempts/evals/N.json``, if there is one."""
        current, evals = self._task_dir / "eval.json", self._folder / "evals"
        if current.exists():
            self._storage.make_folder(evals)
            number = max(_numbers(self._storage.names(evals), ".json"), default=0) + 1
            self._storage.move(current, evals / f"{number}.json")


def _numbers(names: Iterable[str], ending: str = "") -> list[int]:
    bare = [name.removesuffix(ending) for name in names if name.endswith(ending)]
    return [int(name) for name in bare if name.isdecimal()]
