from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from benchmark_runner._progress import event_log
from benchmark_runner._progress.event_log import EventLog
from benchmark_runner._progress.events import (
    EvaluationFinished,
    EvaluationStopped,
    Event,
    GenerationFinished,
    RetryScheduled,
    ScoringStarted,
)
from benchmark_runner._redaction import Redactor
from benchmark_runner.errors import ArtifactError
from benchmark_runner.schemas import EvalStatus, GenerationStatus
from tests.unit._progress.sample_events import started
from tests.unit._progress.sample_log import ENDED, EVENTS, lines, names, read, write

if TYPE_CHECKING:
    from benchmark_runner.artifacts.run_folder import RunArtifacts

#: Seconds; reaching it fails the test.
TOO_LONG = 10.0
PAGE = Path(event_log.__file__).parents[3] / "docs" / "events.md"


class TestLines:
    def test_each_event_is_one_line(self, artifacts: RunArtifacts) -> None:
        """Each event is one line and is read as it was."""
        write(artifacts, *EVENTS)
        assert read(artifacts) == [started(), *EVENTS, ENDED]
        assert {type(event) for event in read(artifacts)} == set(get_args(Event))

    def test_line_has_time_event_and_invocation(self, artifacts: RunArtifacts) -> None:
        """A line has the time, the event with its fields and the invocation."""
        write(artifacts, EVENTS[1])
        first, line, _ = lines(artifacts)
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("at"))
        assert line.pop("invocation") == first["invocation"]
        assert line == {
            "event": "generation_finished",
            "task_id": "t1",
            "repeat": 1,
            "status": "success",
            "error": None,
            "duration": 1.5,
            "input_tokens": 10,
            "output_tokens": 3,
            "cost": 0.25,
        }

    def test_invocations_are_appended(self, artifacts: RunArtifacts) -> None:
        """Each invocation has a name of its own and is appended to those before."""
        write(artifacts, ScoringStarted())
        write(artifacts)
        assert names(artifacts) == [
            "invocation_started",
            "scoring_started",
            "invocation_ended",
            "invocation_started",
            "invocation_ended",
        ]
        assert len({line["invocation"] for line in lines(artifacts)}) == 2

    def test_secrets_are_masked_before_a_cut(self, artifacts: RunArtifacts) -> None:
        """Secrets are masked before a long reason is cut."""
        artifacts.redactor = Redactor(["sk-very-secret"])
        reason = f"{'x' * 290} sk-very-secret"
        write(
            artifacts,
            RetryScheduled(reason, 1),
            GenerationFinished("t1", GenerationStatus.ERROR, reason, 1),
            EvaluationStopped("t1", "QuotaExceededError: no sk-very-secret"),
            first=started(model="sk-very-secret"),
        )
        text = artifacts.events_path.read_text()
        assert "sk-" not in text
        assert "QuotaExceededError: no ***" in text
        assert '"model":"***"' in text

    def test_reason_is_one_short_printable_line(self, artifacts: RunArtifacts) -> None:
        """A reason is one short line without control characters."""
        write(artifacts, RetryScheduled("a\x1b[31m\nb\x9b2J " + "long " * 10**5, 1))
        reason = lines(artifacts)[1]["reason"]
        assert reason.startswith("a b long long")
        assert len(reason) == 300
        assert reason.endswith("…")
        assert artifacts.events_path.read_bytes().count(b"\n") == 3

    def test_odd_values_lose_no_line(self, artifacts: RunArtifacts) -> None:
        """Half a surrogate pair or an infinite number loses no line."""
        write(
            artifacts,
            RetryScheduled("\ud800", 1),
            EvaluationFinished("t1", EvalStatus.EVALUATED, None, float("inf"), 1),
        )
        assert len(lines(artifacts)) == 4
        assert lines(artifacts)[2]["score"] is None

    def test_page_describes_each_line(self, artifacts: RunArtifacts) -> None:
        """The events page names each event and each of its fields."""
        page = PAGE.read_text()
        write(artifacts, *EVENTS)
        for line in lines(artifacts):
            found = re.search(rf"^\| `{line['event']}` \|.*$", page, re.MULTILINE)
            assert found, line["event"]
            if line["event"] != "invocation_started":
                named = set(re.findall(r"`([a-z_]+)`", found[0])) - {line["event"]}
                assert named >= line.keys() - {"at", "event", "invocation"}
        for name in lines(artifacts)[0]:
            assert f"`{name}`" in page
        for name in ("heartbeat", "events_lost"):
            assert f"| `{name}` |" in page


class TestWriting:
    def test_first_line_is_written_at_once(self, artifacts: RunArtifacts) -> None:
        """The first line is written at once, the others soon after."""
        log = EventLog(artifacts, started())
        log.start()
        assert names(artifacts) == ["invocation_started"]
        written = _appended(artifacts)
        log.tell(ScoringStarted())
        assert written.wait(TOO_LONG)
        log.end(ENDED)

    def test_heartbeat_while_nothing_happens(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While nothing happens, the log has heartbeats."""
        monkeypatch.setattr(event_log, "HEARTBEAT", 0.0)
        monkeypatch.setattr(event_log, "INTERVAL", 0.01)
        log = EventLog(artifacts, started())
        log.start()
        written = _appended(artifacts)
        assert written.wait(TOO_LONG)
        log.end(ENDED)
        assert names(artifacts)[1] == "heartbeat"
        assert read(artifacts)[1] is None

    def test_no_heartbeat_beside_other_events(self, artifacts: RunArtifacts) -> None:
        """No heartbeat is written while other events are."""
        log = EventLog(artifacts, started())
        log.start()
        log._write()
        log.end(ENDED)
        assert "heartbeat" not in names(artifacts)

    def test_torn_last_line_is_ended_first(self, artifacts: RunArtifacts) -> None:
        """A torn last line is ended before the next is written."""
        write(artifacts)
        with artifacts.events_path.open("ab") as torn:
            torn.write(b'{"at":"2026-01-')
        write(artifacts)
        assert read(artifacts) == [started(), ENDED, started(), ENDED]

    def test_refusing_disk_costs_only_those_lines(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Lines that the disk refuses are lost, and their number is logged afterwards."""
        log = EventLog(artifacts, started())
        full = True
        append = artifacts.append_events

        def refuse(content: bytes) -> None:
            if full:
                raise ArtifactError("can't be written: No space left on device")
            append(content)

        monkeypatch.setattr(artifacts, "append_events", refuse)
        log._take([(1.0, EVENTS[0]), (1.0, EVENTS[1])])
        log._write()
        assert log.refused_by is not None
        full = False
        for event in EVENTS[2:4]:
            log._take([(1.0, event)])
            log._write()
        assert names(artifacts) == [
            "invocation_started",
            "events_lost",
            "generation_finished",
            "evaluation_started",
        ]
        assert lines(artifacts)[1]["count"] == 2

    def test_hanging_disk_does_not_delay_the_end(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A disk that hangs holds up the end no longer than allowed."""
        monkeypatch.setattr(event_log, "_END_WITHIN", 0.05)
        log = EventLog(artifacts, started())
        log.start()
        answers, asked, answered = (threading.Event() for _ in range(3))

        def hang(_: bytes) -> None:
            asked.set()
            answers.wait(TOO_LONG)
            answered.set()

        monkeypatch.setattr(artifacts, "append_events", hang)
        log.end(ENDED)
        assert asked.is_set()
        assert not answered.is_set()
        answers.set()
        assert answered.wait(TOO_LONG)

    def test_many_processes_append_whole_lines(self, artifacts: RunArtifacts) -> None:
        """Lines that several processes append stay whole."""
        program = (
            "import sys\n"
            "from benchmark_runner.artifacts.run_folder import RunArtifacts\n"
            "artifacts = RunArtifacts(sys.argv[1], 'r1')\n"
            "sys.stdin.readline()\n"
            "for number in range(200):\n"
            "    artifacts.append_events(b'%s %d\\n' % (b'x' * 5000, number) * 3)\n"
        )
        command = [sys.executable, "-c", program, str(artifacts.results_dir)]
        environment = {**os.environ, "PYTHONPATH": str(Path(event_log.__file__).parents[2])}
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, text=True)
            for _ in range(3)
        ]
        for process in processes:
            process.communicate("go\n", timeout=60)
            assert process.returncode == 0
        content = artifacts.events_path.read_text().splitlines()
        assert len(content) == 3 * 3 * 200
        assert all(re.fullmatch(r"x{5000} \d+", line) for line in content)

    @pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
    def test_foreign_file_is_left_alone(
        self, artifacts: RunArtifacts, tmp_path: Path, kind: str
    ) -> None:
        """A link, folder or pipe in the place of the log is left alone."""
        path, elsewhere = artifacts.events_path, tmp_path / "elsewhere"
        elsewhere.write_text("")
        {
            "link": lambda: path.symlink_to(elsewhere),
            "folder": path.mkdir,
            "pipe": lambda: os.mkfifo(path),
        }[kind]()
        log = write(artifacts, ScoringStarted())
        assert log.refused_by is not None
        assert str(path) in log.refused_by.message
        assert ("symbolic link" in log.refused_by.message) is (kind == "link")
        assert elsewhere.read_text() == ""

    def test_linked_run_folder_is_refused(self, artifacts: RunArtifacts, tmp_path: Path) -> None:
        """Nothing is appended through a run folder that is a link."""
        artifacts.run_dir.rmdir()
        (tmp_path / "elsewhere").mkdir()
        artifacts.run_dir.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ArtifactError, match="symbolic link"):
            artifacts.append_events(b"line\n")
        assert [*(tmp_path / "elsewhere").iterdir()] == []

    def test_partial_write_is_continued(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A write that takes only a part is continued."""
        real = os.write
        monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:3]))
        artifacts.append_events(b"a line\n")
        assert artifacts.events_path.read_bytes() == b"a line\n"

    def test_full_disk_is_an_artifact_error(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full disk is an ArtifactError with the system's reason."""

        def refuse(*_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "write", refuse)
        with pytest.raises(ArtifactError, match=r"events.jsonl: can't be written: No space left"):
            artifacts.append_events(b"a line\n")


def _appended(artifacts: RunArtifacts) -> threading.Event:
    """Is set when something more is appended."""
    written = threading.Event()
    append = artifacts.append_events

    def noted(content: bytes) -> None:
        append(content)
        written.set()

    artifacts.append_events = noted  # type: ignore[method-assign]
    return written


def test_json_is_made_in_another_thread(
    artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON is made outside the thread of the run."""
    log = EventLog(artifacts, started())
    log.start()
    made_in: list[int] = []
    make = EventLog._line

    def noted(log: EventLog, at: float, event: Event) -> bytes:
        made_in.append(threading.get_ident())
        return make(log, at, event)

    monkeypatch.setattr(EventLog, "_line", noted)
    for event in EVENTS:
        log.tell(event)
    log.end(ENDED)
    assert len(made_in) == len(EVENTS) + 1
    assert threading.get_ident() not in made_in
