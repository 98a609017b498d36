"""The runner's start() and stop(), in a command as a user gives it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.interruption import BLOCK, FIRST_DONE, OUT_WITHIN, SLEEP, Pipe, start

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

HANG = "await asyncio.Event().wait()"


def share(
    project: RunnerProject, start: str = "pass", stop: str = "pass", a: str = "async "
) -> None:
    """Give the runner a start() and a stop() that note their calls beside those of the tasks."""
    note = "(ROOT / 'calls.txt').open('a').write('{} ')"
    project.set_in_class(
        f"{a}def start(self):\n        {note.format('start')}; {start}\n\n"
        f"    {a}def stop(self):\n        {note.format('stop')}; {stop}\n"
    )


@pytest.mark.parametrize("a", ["async ", ""], ids=["coroutine", "plain"])
def test_they_are_called_once_around_a_run(project: RunnerProject, a: str) -> None:
    """Each is called once a run, and not where nothing is generated."""
    share(project, a=a)
    assert project.run("run", "--run-id", "r1", "--dry-run").code == 0
    assert project.calls == []
    assert project.run("run", "--run-id", "r1", "--parallelism", "1").code == 0
    assert project.calls == ["start", "t3", "t1", "t2", "stop"]
    assert project.run("run", "--run-id", "r1").code == 0
    assert project.run("evaluate", "--run-id", "r1", "--regrade").code == 0
    assert project.run("score", "--run-id", "r1").code == 0
    assert len(project.calls) == 5


def test_failed_start_is_an_error_with_a_hint(project: RunnerProject) -> None:
    """A start() that raises ends the command with exit code 1, and nothing is generated."""
    share(project, start="raise ConnectionError('no server')")
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 1
    assert "RunnerStartError: start() failed: ConnectionError: no server (" in ended.err
    assert "runner/benchmark.py" in ended.err
    assert project.calls == ["start"]
    assert "3 not generated" in ended.out
    as_json = project.run("run", "--run-id", "r1", "--json").json
    assert as_json["error"]["type"] == "RunnerStartError"
    assert as_json["error"]["hint"]


def test_failed_stop_is_a_warning(project: RunnerProject) -> None:
    """An error of stop() is a warning, and the score is as it would be."""
    share(project, stop="raise ConnectionError('gone')")
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0
    assert "Warning: stop() failed: ConnectionError: gone (" in ended.out
    assert project.read("r1", "final_score.json")["complete"] is True
    again = project.run("run", "--run-id", "r2", "--json")
    assert again.json["warnings"][0].startswith("stop() failed: ConnectionError: gone (")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_signal_stops_what_was_started(
    project: RunnerProject, pipe: Pipe, number: int, code: int
) -> None:
    """A signal in the middle of a task ends it, and then stop() is called."""
    share(project)
    project.write_tasks(FIRST_DONE)
    process = start(project, pipe)
    process.send_signal(number)
    assert project.end(process, timeout=OUT_WITHIN).code == code
    assert project.calls == ["start", "t1", "t2", "stop"]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("hanging", [HANG, BLOCK, SLEEP], ids=["awaiting", "blocking", "sleeping"])
@pytest.mark.parametrize("when", ["start", "stop"])
def test_hanging_one_does_not_delay_the_end(
    project: RunnerProject, pipe: Pipe, when: str, hanging: str
) -> None:
    """A command is out in time, whatever start() or stop() waits for."""
    share(project, **{when: f"announce('t2'); {hanging}"})
    process = start(project, pipe)
    process.send_signal(signal.SIGINT)
    assert project.end(process, timeout=OUT_WITHIN).code == 130


def test_plain_start_that_blocks_can_be_interrupted(project: RunnerProject, pipe: Pipe) -> None:
    """A start() that blocks in its thread does not delay the end of the command."""
    share(project, start=f"announce('t2'); {BLOCK}", a="")
    process = start(project, pipe)
    process.send_signal(signal.SIGTERM)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 143
    assert "stop" not in project.calls


def test_cap_stops_what_was_started(project: RunnerProject) -> None:
    """At a cap, stop() is called once nothing is generated any more."""
    share(project)
    project.write_tasks([{"id": f"t{n}", "question": f"raise {n}", "answer": ""} for n in range(3)])
    ended = project.run("run", "--run-id", "r1", "--max-errors", "1", "--parallelism", "1")
    assert ended.code == 1
    assert project.calls == ["start", "t0", "stop"]


@pytest.mark.full
def test_agent_that_clings_leaves_time_to_stop(project: RunnerProject, pipe: Pipe) -> None:
    """After an agent that ignores its cancellation, there is time left for stop()."""
    end = "(ROOT / 'calls.txt').open('a').write('stopped ')"
    share(project, stop=f"await asyncio.sleep(0.5); {end}")
    project.write_tasks([FIRST_DONE[0], {"id": "t2", "question": "cling", "answer": ""}])
    process = start(project, pipe)
    process.send_signal(signal.SIGINT)
    assert project.end(process, timeout=OUT_WITHIN).code == 130
    assert project.calls[-1] == "stopped"
