"""``status --follow``: watch a run from another terminal, or from another machine."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._progress import display, follow
from tests.cli.terminal import Screen, read, read_until, start

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import RunnerProject

#: Seconds; reaching it fails the test.
TOO_LONG = 60


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "POLL", 0.01)
    monkeypatch.setattr(display, "INTERVAL", 0.01)


class Log:
    """A run's log of events, as somebody else writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.add("invocation_started", **self.first())

    def first(self, **more: object) -> dict[str, object]:
        """What a first line says."""
        content = json.loads(self.path.read_text().splitlines()[0])
        for name in ("at", "event", "invocation"):
            del content[name]
        return {**content, **more}

    def add(self, event: str, invocation: str = "other", **content: object) -> None:
        now = datetime.now(UTC).isoformat()
        line = {**content, "at": now, "event": event, "invocation": invocation}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


@pytest.fixture
def log(project: RunnerProject) -> Log:
    """That of a run which is finished, and was begun again by another process."""
    assert project.run("run", "--run-id", "r1").code == 0
    return Log(project.results / "r1" / "events.jsonl")


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have something done between two looks, one thing after the other."""

    def do(*steps: Callable[[], object]) -> None:
        left = iter(steps)

        def sleep(_: float) -> None:
            if (step := next(left, None)) is None:
                pytest.fail("it is still followed")
            step()

        monkeypatch.setattr(follow.time, "sleep", sleep)

    return do


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def go_on(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that tells for how long nothing was heard."""
    clock = Clock(time.monotonic())
    monkeypatch.setattr(follow.time, "monotonic", clock)
    return clock


class TestItsEnd:
    def test_follow_ends_with_the_run(
        self, project: RunnerProject, log: Log, during: Callable[..., None]
    ) -> None:
        """--follow ends with the run and then shows its status."""
        during(
            lambda: log.add("generation_started", task_id="t1"),
            lambda: log.add("invocation_ended", outcome="complete"),
        )
        ended = project.run("status", "r1", "--follow")
        assert ended.code == 0
        assert ended.err.splitlines()[0] == "0/3 done, 0 generating, 0 evaluating"
        assert ended.out == project.run("status", "r1").out

    def test_idle_run_is_reported_at_once(self, project: RunnerProject) -> None:
        """A run that nobody works on is reported at once."""
        project.run("run", "--run-id", "r1")
        for log_is_gone in (False, True):
            if log_is_gone:
                (project.results / "r1" / "events.jsonl").unlink()
            ended = project.run("status", "r1", "--follow")
            assert ended.code == 0
            assert ended.err == "Nobody is working on run r1.\n"
            assert ended.out.startswith("Run r1\n")

    def test_silent_run_counts_as_gone(
        self, project: RunnerProject, log: Log, during: Callable[..., None], clock: Clock
    ) -> None:
        """A run that is silent for too long counts as killed."""
        during(
            lambda: clock.go_on(29),
            lambda: (log.add("heartbeat"), clock.go_on(29)),
            lambda: clock.go_on(2),
            lambda: clock.go_on(30),
        )
        ended = project.run("status", "r1", "--follow")
        assert ended.code == 1
        assert "No event of run r1 for 30 s. Its process was killed" in ended.err
        assert ended.out.startswith("Run r1\n")

    def test_json_is_one_object_at_the_end(
        self, project: RunnerProject, log: Log, during: Callable[..., None]
    ) -> None:
        """With --json there is one object at the end."""
        during(lambda: log.add("invocation_ended", outcome="complete"))
        ended = project.run("status", "r1", "--follow", "--json")
        assert ended.code == 0
        assert ended.json["complete"] is True
        assert "error" not in ended.json

    def test_json_has_silence_as_error(
        self, project: RunnerProject, log: Log, during: Callable[..., None], clock: Clock
    ) -> None:
        """With --json silence is the error of the object."""
        during(lambda: clock.go_on(31))
        ended = project.run("status", "r1", "--follow", "--json")
        assert ended.code == 1
        assert ended.json["error"]["type"] == "NothingHeard"
        assert ended.json["run_id"] == "r1"

    def test_restarted_run_is_followed_to_its_end(
        self, project: RunnerProject, log: Log, during: Callable[..., None]
    ) -> None:
        """A killed run that was started again is followed to its end."""
        during(
            lambda: log.add("invocation_started", "second", **log.first()),
            lambda: log.add("invocation_ended", "second", outcome="complete"),
        )
        assert project.run("status", "r1", "--follow").code == 0

    def test_last_of_several_problems_ends_it(
        self, project: RunnerProject, log: Log, during: Callable[..., None]
    ) -> None:
        """Of problems that run at the same time the last one ends it."""
        seen: list[str] = []
        for name in ("a", "b"):
            log.add("invocation_started", name, **log.first(problem=True, total=1))
        log.add("invocation_ended", "other", outcome="complete")
        during(
            lambda: log.add("invocation_ended", "a", outcome="complete"),
            lambda: seen.append("still there"),
            lambda: log.add("invocation_ended", "b", outcome="complete"),
        )
        assert project.run("status", "r1", "--follow").code == 0
        assert seen == ["still there"]

    def test_unknown_run_is_refused(self, project: RunnerProject) -> None:
        """An unknown run can't be followed."""
        ended = project.run("status", "r9", "--follow")
        assert ended.code == 2
        assert "there is no run 'r9'" in ended.err


@pytest.fixture
def waiting(project: RunnerProject) -> Iterator[subprocess.Popen[str]]:
    """A run whose one task waits until the project is healed and the run is ended."""
    project.write_tasks([{"id": "t1", "question": "wait", "answer": ""}])
    ready, write_end = os.pipe()
    process = project.start("run", "--run-id", "r1", ready=write_end)
    os.close(write_end)
    assert os.read(ready, 100) == b"t1\n"
    os.close(ready)
    yield process
    process.kill()
    process.communicate(timeout=TOO_LONG)


def wait_for_line(followed: subprocess.Popen[str], line: str) -> None:
    """Return when the line has been printed; the run's log may be a moment behind its agent."""
    assert followed.stderr is not None
    assert line in followed.stderr


def state(root: Path) -> dict[Path, tuple[Any, ...]]:
    """All files but the log that grows."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file() and path.name != "events.jsonl"
    }


class TestARunInAnotherProcess:
    def test_ctrl_c_harms_nothing(
        self, project: RunnerProject, waiting: subprocess.Popen[str]
    ) -> None:
        """Ctrl-C ends the following and not the run."""
        before = state(project.results)
        followed = project.start("status", "r1", "--follow")
        wait_for_line(followed, "0/1 done, 1 generating, 0 evaluating\n")
        followed.send_signal(signal.SIGINT)
        ended = project.end(followed)
        assert ended.code == 130
        assert "Interrupted: stopped by SIGINT" in ended.err
        assert waiting.poll() is None
        assert state(project.results) == before

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
    )
    def test_cursor_is_shown_after_a_signal(
        self,
        project: RunnerProject,
        waiting: subprocess.Popen[str],
        number: signal.Signals,
        code: int,
    ) -> None:
        """On a terminal the cursor is shown again after a signal."""
        followed, master = start(project, "status", "r1", "--follow")
        text = read_until(master, "1 generating")
        followed.send_signal(number)
        text += read(master)
        assert followed.wait(TOO_LONG) == code
        assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor stays hidden"
        screen = Screen()
        screen.feed(text)
        assert screen.lines[0].startswith("──────────────────── 0/1 done")
        assert not [line for line in screen.lines if "generating" in line]

    def test_interrupted_run_ends_the_following(
        self, project: RunnerProject, waiting: subprocess.Popen[str]
    ) -> None:
        """An interrupted run ends the following with its status."""
        followed = project.start("status", "r1", "--follow")
        wait_for_line(followed, "0/1 done, 1 generating, 0 evaluating\n")
        waiting.send_signal(signal.SIGTERM)
        ended = project.end(followed, timeout=TOO_LONG)
        assert ended.code == 0
        assert "       1 not generated yet" in ended.out
        assert waiting.wait(TOO_LONG) == 143
        last = (project.results / "r1" / "events.jsonl").read_text().splitlines()[-1]
        assert json.loads(last)["outcome"] == "interrupted"

    def test_following_locks_nothing(
        self, project: RunnerProject, waiting: subprocess.Popen[str]
    ) -> None:
        """Following takes no lock that a run needs."""
        followed = project.start("status", "r1", "--follow")
        assert followed.stderr is not None
        assert followed.stderr.readline()
        waiting.kill()
        waiting.wait(TOO_LONG)
        project.heal()
        ended = project.execute("run", "--run-id", "r1")
        assert ended.code == 0, ended.err
        # The run that was killed is forgotten: it follows the new one to its end.
        ended = project.end(followed, timeout=TOO_LONG)
        assert ended.code == 0
        assert "    1 evaluated: t1\n" in ended.out
