"""The files of a run, read without touching them."""

from pathlib import Path

from benchmark_runner.artifacts.run_files import ModelT
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import ArtifactError
from benchmark_runner.schemas import GenerationResult

__all__ = ["ReadOnlyArtifacts"]


class ReadOnlyArtifacts(RunArtifacts):
    """The files of a run, of which those that can't be read are listed in ``set_aside``.

    They stay where they are. This includes files that the system refuses to read, which would
    end a command that works on the run.
    """

    def read_results(self, task_id: str) -> tuple[bytes | None, ...]:
        """Return the contents; empty of a file that can't be read."""
        try:
            return super().read_results(task_id)
        except ArtifactError:
            paths = (self.generation_path(task_id), self.eval_path(task_id))
            return tuple(map(self._content_or_nothing, paths))

    def earlier_generations(
        self, task_id: str, *, unfinished: bool = False
    ) -> list[GenerationResult]:
        """Return the earlier generations; none if they can't be read."""
        try:
            return super().earlier_generations(task_id, unfinished=unfinished)
        except ArtifactError:
            self.set_file_aside(self.task_dir(task_id) / "attempts")
            return []

    def load(self, path: Path, model: type[ModelT]) -> ModelT | None:
        """Return the content of a file; ``None`` if it can't be read."""
        try:
            return super().load(path, model)
        except ArtifactError:
            self.set_file_aside(path)
            return None

    def _content_or_nothing(self, path: Path) -> bytes | None:
        try:
            return self._storage.read(path)
        except ArtifactError:
            return b""
