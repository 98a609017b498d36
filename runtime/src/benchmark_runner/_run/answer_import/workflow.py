"""The import of answers that were made elsewhere into a run, for a command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.thread_pool import THREADS, run_in_thread
from benchmark_runner._run.answer_import.check import CheckedAnswers, check_answers
from benchmark_runner._run.answer_import.line import LineError
from benchmark_runner._run.answer_import.reader import (
    AnswerReader,
    ImportedAnswer,
    lines_of,
    open_answers,
)
from benchmark_runner._run.connection import close_connections
from benchmark_runner._run.disk_retry import DiskWriter
from benchmark_runner._run.failure_kinds import attributed_to
from benchmark_runner._run.flags import operational_settings
from benchmark_runner._run.open import open_run
from benchmark_runner._run.session import refuse_change_by_others
from benchmark_runner._run.summary import RunSummary, Summariser
from benchmark_runner._run.trajectory_figures import with_figures
from benchmark_runner._start_state import absolute
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.checkpoint import ImportedFile, RunConfig
from benchmark_runner.errors import UnusableArtifactError, UsageError
from benchmark_runner.schemas import Artifact, Phase
from benchmark_runner.trajectory import TRAJECTORY_FILE

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

    from benchmark_runner._progress.events import Listener
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner._run.session import Session
    from benchmark_runner._run.task_source import Connect
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """The state of a run after an import.

    Attributes:
        session: The run.
        config: The content of ``run_config.json``, without the hashes of the tasks.
        checked: The answers in the file.
        added: Number of those that were not in the run before.
        summary: The summary of all tasks of the run.
    """

    session: Session
    config: RunConfig
    checked: CheckedAnswers
    added: int
    summary: RunSummary


class AnswerImport:
    """Imports the answers in a file into a run, which is new or has imported answers, too."""

    def __init__(
        self,
        runner: BenchmarkRunner,
        artifacts: RunArtifacts,
        request: RunRequest,
        service: ServiceSettings,
        path: Path,
    ) -> None:
        self._runner = runner
        self._artifacts = artifacts
        self._request = request
        self._service = service
        self._path = path

    async def carry_out(self, connect: Connect, listener: Listener) -> ImportOutcome:
        """Import the answers; ``listener`` gets the retries on a disk that refuses.

        Raises:
            UsageError: an answer can't be imported; nothing was written.
            BenchmarkRunnerError: something else is in the way; the class tells the reason.
        """
        with ExitStack() as held:
            try:
                file = held.enter_context(open_answers(self._path))
                before = self._artifacts.config_hash()
                with attributed_to(Phase.LOAD):
                    session = await open_run(self._runner, self._artifacts, self._request, connect)
                if self._artifacts.set_aside:  # so early, that can only be the config
                    before = None
                held.enter_context(self._artifacts.locked())
                refuse_change_by_others(self._artifacts, before)
                self._runner.pin_run(self._artifacts)
                return await self._import(session, file, DiskWriter(listener))
            finally:
                await close_connections(self._runner)

    async def _import(
        self, session: Session, file: BufferedReader, disk: DiskWriter
    ) -> ImportOutcome:
        reader = AnswerReader(session, self._path)
        checked = await run_in_thread(check_answers, session, reader, file, self._path)
        config = session.config
        if checked.digests or not session.resumed:
            config = await run_in_thread(self._freeze, session, checked)
            await self._write(session, self._owed(reader, file, checked), disk)
        summary = await run_in_thread(self._sum_up, config)
        return ImportOutcome(session, config, checked, len(checked.digests), summary)

    def _freeze(self, session: Session, checked: CheckedAnswers) -> RunConfig:
        """Write ``run_config.json``; a score is not that of all answers any more."""
        self._artifacts.remove_final_score()
        session.config.repeats = max(session.config.repeats, checked.repeats)
        record = ImportedFile(
            file=str(absolute(self._path).resolve()),
            sha256=checked.sha256,
            answers=checked.count,
            at=datetime.now(UTC),
        )
        settings = operational_settings("import", self._request, self._service)
        facts = {"imported": record.model_dump(mode="json"), "operational": settings}
        return session.freeze("import", facts)

    def _owed(
        self, reader: AnswerReader, file: BufferedReader, checked: CheckedAnswers
    ) -> Iterator[ImportedAnswer]:
        """Read the answers again that are not in the run, and must be as they were checked."""
        left = {**checked.digests}
        for number, content in lines_of(self._path, file):
            if (digest := left.pop(number, None)) is None:
                continue
            try:
                answer = reader.read(content)
            except LineError:
                answer = None
            if answer is None or answer.digest != digest:
                raise _changed(f"{self._path}, line {number}, or a file that it names")
            yield answer
        if left:
            raise _changed(f"{self._path}, line {min(left)}")

    async def _write(
        self, session: Session, answers: Iterator[ImportedAnswer], disk: DiskWriter
    ) -> None:
        lock = Lock()

        def take() -> ImportedAnswer | None:
            with lock:
                return next(answers, None)

        async def write_some() -> None:
            while (answer := await run_in_thread(take)) is not None:
                await disk.write(self._save, session, answer)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(THREADS):
                    group.create_task(write_some())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def _save(self, session: Session, answer: ImportedAnswer) -> None:
        """Save an answer in the order in which an agent's is saved: its files come first."""
        files, task_id = self._artifacts.of_repeat(answer.key.repeat), answer.key.task_id
        files.locks.check()
        generation = answer.generation
        if session.resumed:  # an error may be there, before this attempt
            if files.load_generation(task_id) is not None:
                files.keep_attempt(task_id)
            attempts = len(files.earlier_generations(task_id)) + 1
            generation = generation.model_copy(update={"attempts": attempts})
        files.make_task_folder(task_id)
        source = answer.artifact
        if source is not None and self._kept(files, task_id, source) != generation.artifact:
            raise _changed(str(source))
        if answer.trajectory is not None:
            path = files.write_log(task_id, TRAJECTORY_FILE, answer.trajectory)
            generation = with_figures(generation, path.parent)
            generation = generation.model_copy(update={"log_dir": str(path.parent)})
        files.save_generation(task_id, generation)

    def _kept(self, files: RunArtifacts, task_id: str, source: Path) -> Artifact | None:
        try:
            most = self._runner.ARTIFACT_MAX_BYTES
            return files.keep_submission(task_id, source, None, most)[0]
        except UnusableArtifactError:
            return None

    def _sum_up(self, config: RunConfig) -> RunSummary:
        reader = Summariser(self._runner)
        for task_id, repeat in config.task_repeats():
            reader.add(TaskFiles(self._artifacts, task_id, repeat))
        return reader.summary()


def _changed(what: str) -> UsageError:
    return UsageError(
        f"{what}: changed while it was imported",
        hint="Give the same command again when nothing writes there any more; the answers that "
        "were written before stay.",
    )
