"""The state of an evaluation that is under way, from which a service can continue."""

from contextlib import suppress
from pathlib import Path

from pydantic_core import to_json

from benchmark_runner.artifacts.attempts import EVAL_STATE
from benchmark_runner.artifacts.run_files import RunFiles
from benchmark_runner.errors import ArtifactError
from benchmark_runner.schemas import EvalState

__all__ = ["EvalStateFile"]

#: Bytes of a state that is read; what a service may send is smaller.
_LARGEST = 64 * 1024**2


class EvalStateFile(RunFiles):
    """The part of a run's folder that is ``eval_state.json`` in the folder of each task."""

    def eval_state_path(self, task_id: str) -> Path:
        """Return the path of the state of a task's evaluation."""
        return self.task_dir(task_id) / EVAL_STATE

    def load_eval_state(self, task_id: str) -> EvalState | None:
        """Read the state of a task's evaluation; ``None`` if there is none that can be read."""
        path = self.eval_state_path(task_id)
        with suppress(ArtifactError):  # something else in its place: the next write clears it
            if not _is_too_large(path):
                return self.load(path, EvalState)
            self.set_file_aside(path)
        return None

    def save_eval_state(self, task_id: str, state: EvalState) -> bool:
        """Write the state of a task's evaluation instead of the one before.

        One that holds a secret is not written, and False is returned: the service could not use
        it with that masked.
        """
        data = to_json(state)
        is_clean = self.redactor.clean(data) == data
        if not is_clean and self.redactor.clean_value(state.state) != state.state:
            return False
        path = self.eval_state_path(task_id)
        self._in_task(task_id, lambda: self._storage.write(path, (data, b"\n")))
        return True

    def remove_eval_state(self, task_id: str) -> None:
        """Remove the state of a task's evaluation, if there is one."""
        self._storage.remove(self.eval_state_path(task_id))


def _is_too_large(path: Path) -> bool:
    with suppress(OSError):
        return path.lstat().st_size > _LARGEST
    return False
