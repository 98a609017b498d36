"""The journal of an evaluation of a run: states on disk, and progress as events."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._progress.events import EvaluationProgress, Event
from benchmark_runner._redaction import Redactor
from benchmark_runner._run import disk_retry, eval_journal
from benchmark_runner._run.disk_retry import DiskWriter
from benchmark_runner._run.eval_journal import EvalJournal, Progress
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import ArtifactError
from benchmark_runner.schemas import EvalState, TaskRepeat

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

SECRET = "sk-a-key-that-is-known-0815"


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    return RunArtifacts(tmp_path, "r1", Redactor([SECRET]))


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def journal(artifacts: RunArtifacts, told: list[Event]) -> EvalJournal:
    return journal_of(artifacts, told)


def journal_of(artifacts: RunArtifacts, told: list[Event], **like: str) -> EvalJournal:
    about = {"generation_hash": "abc", "service_url": "http://s", **like}
    empty = EvalState.model_validate({**about, "received_at": datetime.now(UTC), "state": {}})
    progress = Progress(TaskRepeat("t1"), told.append)
    return EvalJournal("t1", empty, artifacts, DiskWriter(told.append), progress)


def texts(told: list[Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, EvaluationProgress)]


class TestStates:
    async def test_saved_state_is_read_by_the_next_process(
        self, journal: EvalJournal, artifacts: RunArtifacts, told: list[Event]
    ) -> None:
        """The newest state is on disk as it came, and the next journal reads it."""
        state: dict[str, Any] = {"n": 12345678901234567890, "x": 0.1, "deep": [{"ä": None}]}
        await journal.save({"older": True})
        await journal.save(state)
        assert await journal_of(artifacts, told).load() == state

    @pytest.mark.parametrize(
        "other",
        [{"generation_hash": "def"}, {"service_url": "http://t"}, {"dataset_version": "v2"}],
    )
    async def test_state_of_something_else_does_not_count(
        self,
        journal: EvalJournal,
        artifacts: RunArtifacts,
        told: list[Event],
        other: dict[str, str],
    ) -> None:
        """A state of another generation, service or version of the dataset does not count."""
        await journal.save({"step": 1})
        assert await journal_of(artifacts, told, **other).load() is None

    @pytest.mark.parametrize("content", [b"{", b"[]", b'{"state": 1}'])
    async def test_damaged_state_is_set_aside(
        self, journal: EvalJournal, artifacts: RunArtifacts, content: bytes
    ) -> None:
        """A state that can't be read is set aside, and another one takes its place."""
        await journal.save({"step": 1})
        artifacts.eval_state_path("t1").write_bytes(content)
        assert await journal.load() is None
        assert [path.name for path in artifacts.set_aside] == ["eval_state.json.corrupt-1"]
        await journal.save({"step": 2})
        assert await journal.load() == {"step": 2}

    async def test_something_in_its_place_is_cleared(
        self, journal: EvalJournal, artifacts: RunArtifacts
    ) -> None:
        """A link or folder that an agent has put in its place is set aside."""
        artifacts.eval_state_path("t1").mkdir(parents=True)
        assert await journal.load() is None
        await journal.save({"step": 1})
        assert await journal.load() == {"step": 1}

    async def test_state_with_a_key_stays_in_memory(
        self, journal: EvalJournal, artifacts: RunArtifacts, told: list[Event]
    ) -> None:
        """A state that holds a key is not written, but used as long as the process lives."""
        await journal.save({"step": 1})
        await journal.save({"step": 2, "key": SECRET})
        assert await journal.load() == {"step": 2, "key": SECRET}
        assert await journal_of(artifacts, told).load() == {"step": 1}
        assert "holds a key" in texts(told)[0]
        await journal.save({"step": 3})
        assert await journal_of(artifacts, told).load() == {"step": 3}

    async def test_refusing_disk_costs_no_evaluation(
        self,
        journal: EvalJournal,
        artifacts: RunArtifacts,
        told: list[Event],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A state that the disk refuses is kept in memory."""
        monkeypatch.setattr(disk_retry, "DISK_PATIENCE", 0.0)

        def refuse(_task_id: str, _state: EvalState) -> bool:
            raise ArtifactError("the disk is full")

        monkeypatch.setattr(artifacts, "save_eval_state", refuse)
        await journal.save({"step": 1})
        assert await journal.load() == {"step": 1}
        assert texts(told) == ["the state is in memory only: the disk is full"]

    async def test_huge_state_is_not_read(
        self, journal: EvalJournal, artifacts: RunArtifacts
    ) -> None:
        """A file larger than any state is set aside, and does not fill the memory."""
        await journal.save({"step": 1})
        os.truncate(artifacts.eval_state_path("t1"), 1024**3)
        tracemalloc.start()
        assert await journal.load() is None
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1024**2
        assert [path.name for path in artifacts.set_aside] == ["eval_state.json.corrupt-1"]

    async def test_regrade_starts_from_the_beginning(
        self, journal: EvalJournal, artifacts: RunArtifacts
    ) -> None:
        """An evaluation that is put away takes the state with it."""
        await journal.save({"step": 1})
        artifacts.keep_eval("t1")
        assert await journal.load() is None


class TestProgress:
    async def test_first_text_is_told_at_once(self, told: list[Event]) -> None:
        """The first text is told at once, and the same one only once."""
        progress = Progress(TaskRepeat("t1"), told.append)
        progress.tell("step 1")
        progress.tell("step 1")
        assert texts(told) == ["step 1"]
        progress.end()

    async def test_flood_becomes_a_few_events(
        self, told: list[Event], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of many texts the newest is told now and then."""
        monkeypatch.setattr(eval_journal, "_EVERY", 0.05)
        told_again = asyncio.Event()

        def note(event: Event) -> None:
            told.append(event)
            if len(told) == 2:
                told_again.set()

        progress = Progress(TaskRepeat("t1"), note)
        for number in range(10_000):
            progress.tell(f"step {number}")
        assert texts(told) == ["step 0"]
        async with asyncio.timeout(10):
            await told_again.wait()
        assert texts(told) == ["step 0", "step 9999"]

    async def test_urgent_text_is_told_at_once(self, told: list[Event]) -> None:
        """A text that matters is told at once, whatever was told before."""
        progress = Progress(TaskRepeat("t1"), told.append)
        progress.tell("one")
        progress.tell("two")
        progress.tell("three", at_once=True)
        assert texts(told) == ["one", "three"]
        progress.end()

    async def test_nothing_is_told_after_the_end(
        self, told: list[Event], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A text that was not told before the end of the evaluation is not told after it."""
        monkeypatch.setattr(eval_journal, "_EVERY", 0.01)
        progress = Progress(TaskRepeat("t1"), told.append)
        progress.tell("one")
        progress.tell("two")
        progress.end()
        await asyncio.sleep(0.05)
        assert texts(told) == ["one"]
