"""The transcript of one repeat of a task, read from its trajectories and kept for the page."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from benchmark_runner._text import plural
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.results.report.safe_text import SafeText
from benchmark_runner.results.report.transcript import Transcript
from benchmark_runner.results.report.transcript_store import TranscriptStore
from benchmark_runner.results.trajectories import (
    TaskTrajectories,
    TrajectoryReader,
    attempts_with_trajectories,
    log_folder,
    read_task_trajectories,
)
from benchmark_runner.schemas import TaskRepeat

__all__ = ["TaskTranscripts"]

#: Those before are not read.
_MOST_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class TaskTranscripts:
    """The transcripts of a run's tasks, made one by one and kept in ``store``."""

    artifacts: RunArtifacts
    reader: TrajectoryReader
    texts: SafeText
    store: TranscriptStore

    def of(self, key: TaskRepeat) -> dict[str, JsonValue] | None:
        """Keep what a repeat of a task has, and return how the page finds it."""
        transcript = Transcript(self.texts)
        label = [*self._add(transcript, key)]
        numbers = attempts_with_trajectories(self.artifacts, key)[-_MOST_ATTEMPTS:]
        earlier = [number for number in reversed(numbers) if [*self._add(transcript, key, number)]]
        label += [plural(len(earlier), "earlier attempt")] if earlier else []
        if not label:
            return None
        return {"label": ", ".join(label), **self.store.keep(key, transcript.pack())}

    def _add(
        self, transcript: Transcript, key: TaskRepeat, attempt: int | None = None
    ) -> Iterator[str]:
        """Add the trajectories of an attempt, and yield the words on its extent, if it has any."""
        found = (
            self.reader.read(key)
            if attempt is None
            else read_task_trajectories(self.artifacts, key, attempt)
        )
        if not found:
            return
        folder = log_folder(self.artifacts, key, attempt)
        title = "" if attempt is None else f"Attempt {attempt}"
        for number, (path, trajectory) in enumerate(found.read):
            place = path.relative_to(folder).as_posix()
            of = f"{title} {place if number else ''}".strip()
            whole = path.relative_to(self.artifacts.run_dir).as_posix()
            transcript.add(trajectory, of, place, whole)
        yield _extent(found)


def _extent(found: TaskTrajectories) -> str:
    """Return the extent of trajectories: ``12 steps, 30 tool calls, 2 failed``."""
    digest = found.digest
    parts = [plural(digest.steps, "step")]
    parts += [plural(digest.calls, "tool call")] if digest.calls else []
    parts += [f"{digest.failed_calls:,} failed"] if digest.failed_calls else []
    return ", ".join(parts)
