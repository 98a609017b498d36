from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._progress import event_reader
from benchmark_runner._progress.event_reader import EventReader, parse
from benchmark_runner._progress.events import Event, GenerationStarted, InvocationEnded
from benchmark_runner.errors import ArtifactError
from tests.unit._progress.sample_events import started
from tests.unit._progress.sample_log import ENDED, EVENTS, read, write

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.artifacts.run_folder import RunArtifacts


class TestReading:
    def test_only_new_lines_are_read(self, artifacts: RunArtifacts) -> None:
        """Reading again returns only the lines that were appended since."""
        reader = EventReader(artifacts.events_path)
        assert [*reader.read()] == []
        write(artifacts)
        assert len([*reader.read()]) == 2
        assert [*reader.read()] == []
        write(artifacts, *EVENTS)
        assert len([*reader.read()]) == 2 + len(EVENTS)

    def test_line_in_pieces_is_read_when_whole(self, artifacts: RunArtifacts) -> None:
        """A line that comes in pieces is read when it is whole."""
        write(artifacts, *EVENTS)
        content = artifacts.events_path.read_bytes()
        artifacts.events_path.write_bytes(b"")
        reader, found = EventReader(artifacts.events_path), list[Event | None]()
        for start in range(0, len(content), 7):
            with artifacts.events_path.open("ab") as file:
                file.write(content[start : start + 7])
            found += [logged.event for logged in reader.read()]
        assert found == [started(), *EVENTS, ENDED]

    def test_large_file_is_read_in_pieces(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A large file is read piece by piece."""
        monkeypatch.setattr(event_reader, "_PIECE", 100)
        write(artifacts, *EVENTS)
        assert read(artifacts) == [started(), *EVENTS, ENDED]

    @pytest.mark.parametrize("replace", [True, False])
    def test_replaced_file_is_read_from_its_start(
        self, artifacts: RunArtifacts, replace: bool
    ) -> None:
        """A file that was replaced or emptied is read from its start."""
        write(artifacts, *EVENTS)
        reader = EventReader(artifacts.events_path)
        assert len([*reader.read()]) == 2 + len(EVENTS)
        if replace:
            artifacts.events_path.rename(artifacts.run_dir / "old")
        else:
            artifacts.events_path.write_bytes(b"")
        longer = EVENTS * 2 if replace else []
        write(artifacts, *longer)
        assert len([*reader.read()]) == 2 + len(longer)

    def test_a_link_is_not_followed(self, artifacts: RunArtifacts, tmp_path: Path) -> None:
        """A log that is a link is not read."""
        artifacts.events_path.symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").write_text("")
        with pytest.raises(ArtifactError, match=r"events.jsonl: can't be read"):
            [*EventReader(artifacts.events_path).read()]

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"\x00\x00\x00",
            b"null",
            b"[1]",
            b"{}",
            b'{"at":"2026-01-01T00:00:00.000Z"',
            b'{"at":"2026-01-01T00:00:00.000Z","event":"scoring_started"}',
            b'{"at":"yesterday","event":"scoring_started","invocation":"a"}',
            b'{"at":1,"event":"scoring_started","invocation":"a"}',
            *(
                b'{"at":"2026-01-01T00:00:00.000Z","invocation":"a","event":%s}' % rest
                for rest in (
                    b'"generation_started"',
                    b'"generation_started","task_id":1',
                    b'"generation_started","task_id":"t1","attempt":"one"',
                    b'"retry_scheduled","task_id":"t1","reason":"r","wait":Infinity',
                    b'"evaluation_finished","task_id":"t","status":"odd","error":null,"score":1',
                )
            ),
        ],
    )
    def test_invalid_line_is_skipped(self, line: bytes) -> None:
        """A line that is no valid event is skipped."""
        assert parse(line) is None

    def test_fields_of_a_later_version_are_ignored(self) -> None:
        """Unknown fields are ignored, and an unknown event is read as None."""
        about = b'{"at":"2026-01-01T00:00:00.500Z","invocation":"a","event":'
        said = parse(about + b'"generation_started","task_id":"t1","colour":"blue"}')
        assert said is not None
        assert (said.at % 1, said.invocation) == (0.5, "a")
        assert said.event == GenerationStarted("t1")
        unknown = parse(about + b'"something_new"}')
        assert unknown is not None
        assert unknown.event is None

    def test_outcome_of_a_later_version_is_an_end(self) -> None:
        """An invocation that ended in a way that only a later version knows has ended."""
        about = b'{"at":"2026-01-01T00:00:00.500Z","invocation":"a","event":"invocation_ended",'
        said = parse(about + b'"outcome":"something_new"}')
        assert said is not None
        assert said.event == InvocationEnded("something_new")
