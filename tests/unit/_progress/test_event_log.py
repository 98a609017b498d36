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
from tests.unit._progress.logged import ENDED, EVENTS, lines, names, read, write
from tests.unit._progress.tallied import started

if TYPE_CHECKING:
    from benchmark_runner.artifacts.run_folder import RunArtifacts

#: Seconds; reaching it fails the test.
TOO_LONG = 10.0
PAGE = Path(event_log.__file__).parents[3] / "docs" / "events.md"


class TestLines:
    def test_each_event_is_a_line_and_is_read_as_it_was(self, artifacts: RunArtifacts) -> None:
        write(artifacts, *EVENTS)
        assert read(artifacts) == [started(), *EVENTS, ENDED]
        assert {type(event) for event in read(artifacts)} == set(get_args(Event))

    def test_a_line_says_when_what_and_in_which_invocation(self, artifacts: RunArtifacts) -> None:
        write(artifacts, EVENTS[1])
        first, line, _ = lines(artifacts)
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("at"))
        assert line.pop("invocation") == first["invocation"]
        assert line == {
            "event": "generation_finished",
            "task_id": "t1",
            "status": "success",
            "error": None,
            "duration": 1.5,
            "input_tokens": 10,
            "output_tokens": 3,
            "cost": 0.25,
        }

    def test_each_invocation_has_a_name_and_follows_those_before(
        self, artifacts: RunArtifacts
    ) -> None:
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

    def test_secrets_are_masked_before_a_reason_is_cut(self, artifacts: RunArtifacts) -> None:
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

    def test_a_reason_is_one_short_line_that_does_nothing_to_a_terminal(
        self, artifacts: RunArtifacts
    ) -> None:
        write(artifacts, RetryScheduled("a\x1b[31m\nb\x9b2J " + "long " * 10**5, 1))
        reason = lines(artifacts)[1]["reason"]
        assert reason.startswith("a b long long")
        assert len(reason) == 300
        assert reason.endswith("…")
        assert artifacts.events_path.read_bytes().count(b"\n") == 3

    def test_half_a_surrogate_pair_and_an_endless_number_lose_no_line(
        self, artifacts: RunArtifacts
    ) -> None:
        write(
            artifacts,
            RetryScheduled("\ud800", 1),
            EvaluationFinished("t1", EvalStatus.EVALUATED, None, float("inf"), 1),
        )
        assert len(lines(artifacts)) == 4
        assert lines(artifacts)[2]["score"] is None

    def test_the_page_describes_each_line_with_all_that_is_in_it(
        self, artifacts: RunArtifacts
    ) -> None:
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
    def test_the_first_line_is_there_at_once_and_the_others_soon(
        self, artifacts: RunArtifacts
    ) -> None:
        log = EventLog(artifacts, started())
        log.start()
        assert names(artifacts) == ["invocation_started"]
        written = _appended(artifacts)
        log.tell(ScoringStarted())
        assert written.wait(TOO_LONG)
        log.end(ENDED)

    def test_while_nothing_happens_it_says_that_it_is_alive(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_log, "HEARTBEAT", 0.0)
        monkeypatch.setattr(event_log, "INTERVAL", 0.01)
        log = EventLog(artifacts, started())
        log.start()
        written = _appended(artifacts)
        assert written.wait(TOO_LONG)
        log.end(ENDED)
        assert names(artifacts)[1] == "heartbeat"
        assert read(artifacts)[1] is None

    def test_it_does_not_say_so_where_others_say_it(self, artifacts: RunArtifacts) -> None:
        log = EventLog(artifacts, started())
        log.start()
        log._write()
        log.end(ENDED)
        assert "heartbeat" not in names(artifacts)

    def test_a_torn_last_line_is_ended_first(self, artifacts: RunArtifacts) -> None:
        write(artifacts)
        with artifacts.events_path.open("ab") as torn:
            torn.write(b'{"at":"2026-01-')
        write(artifacts)
        assert read(artifacts) == [started(), ENDED, started(), ENDED]

    def test_a_disk_that_refuses_for_a_while_costs_those_lines_only_and_that_is_said(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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

    def test_a_disk_that_does_not_answer_does_not_hold_up_the_end_for_long(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
    def test_what_is_no_file_of_the_run_is_left_alone(
        self, artifacts: RunArtifacts, tmp_path: Path, kind: str
    ) -> None:
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

    def test_a_linked_run_folder_is_not_followed(
        self, artifacts: RunArtifacts, tmp_path: Path
    ) -> None:
        artifacts.run_dir.rmdir()
        (tmp_path / "elsewhere").mkdir()
        artifacts.run_dir.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ArtifactError, match="symbolic link"):
            artifacts.append_events(b"line\n")
        assert [*(tmp_path / "elsewhere").iterdir()] == []

    def test_a_disk_that_takes_a_part_only_is_asked_for_the_rest(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.write
        monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:3]))
        artifacts.append_events(b"a line\n")
        assert artifacts.events_path.read_bytes() == b"a line\n"

    def test_a_full_disk_is_told_as_a_sentence(
        self, artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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


def test_telling_costs_the_thread_of_a_run_no_json(
    artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
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
