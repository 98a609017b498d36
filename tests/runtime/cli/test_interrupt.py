"""Signals to a real process in the middle of its work."""

from __future__ import annotations

import os
import select
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.runtime.cli.conftest import Ended, RunnerProject

#: "Out within 10 s", and some room for a busy machine.
OUT_WITHIN = 12
FIRST_DONE = [
    {"id": "t1", "question": "say one", "answer": "one"},
    {"id": "t2", "question": "wait", "answer": ""},
]


class Pipe:
    """What the agent says from inside ``generate()``."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()

    def wait_for(self, task_id: str) -> None:
        ready, _, _ = select.select([self.read_end], [], [], 20)
        assert ready, "the agent did not get there"
        assert os.read(self.read_end, 100).decode().split() == [task_id]

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def start(project: RunnerProject, pipe: Pipe, *args: str) -> subprocess.Popen[str]:
    """Start a run and return when its agent is in the middle of ``t2``."""
    flags = ["--run-id", "r1", "--parallelism", "1", *args]
    process = project.start("run", *flags, ready=pipe.write_end)
    pipe.wait_for("t2")
    return process


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_finished_work_is_kept_and_the_printed_command_goes_on(
    project: RunnerProject, pipe: Pipe, number: int, code: int
) -> None:
    project.write_tasks(FIRST_DONE)
    process = start(project, pipe)
    process.send_signal(number)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == code
    assert f"Stopped by {signal.Signals(number).name}" in ended.err
    assert project.read("r1", "t1", "generation.json")["data"] == "one"
    assert not (project.results / "r1" / "t2" / "generation.json").exists()
    assert not [name for name in project.files() if ".tmp" in name]

    project.heal()
    ended = project.shell(ended.resume_command)
    assert ended.code == 0, ended.err
    assert project.calls == ["t1", "t2", "t2"]
    assert project.read("r1", "final_score.json")["complete"] is True


def test_with_json_an_interrupted_run_is_still_one_object(
    project: RunnerProject, pipe: Pipe
) -> None:
    project.write_tasks(FIRST_DONE)
    process = start(project, pipe, "--json")
    process.send_signal(signal.SIGINT)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 130
    assert ended.json["error"]["type"] == "Interrupted"
    assert ended.json["complete"] is False
    assert "run --run-id r1" in ended.json["resume_command"]


def interrupt(project: RunnerProject, pipe: Pipe) -> Ended:
    process = start(project, pipe)
    process.send_signal(signal.SIGTERM)
    return project.end(process, timeout=OUT_WITHIN)


def test_an_agent_that_blocks_its_thread_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe
) -> None:
    project.change_agent(
        ("    async def generate", "    def generate"),
        ("await asyncio.Event().wait()", "__import__('threading').Event().wait()"),
    )
    project.write_tasks(FIRST_DONE)
    assert interrupt(project, pipe).code == 143


def shorten_the_grace(project: RunnerProject) -> None:
    """Spare the test the real time that a cancelled agent gets to clean up."""
    patch = "from benchmark_runner import invocation\n\ninvocation.CANCEL_GRACE = 0.1\n"
    script = project.script.read_text()
    project.script.write_text(script.replace("from runner.cli", f"{patch}\nfrom runner.cli"))


def test_an_agent_that_swallows_cancellation_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe
) -> None:
    shorten_the_grace(project)
    project.write_tasks([FIRST_DONE[0], {"id": "t2", "question": "cling", "answer": ""}])
    assert interrupt(project, pipe).code == 143


def test_an_agent_that_swallows_cancellation_does_not_keep_a_finished_run_alive(
    project: RunnerProject, pipe: Pipe
) -> None:
    shorten_the_grace(project)
    project.write_tasks(
        [FIRST_DONE[0], {"id": "t2", "question": "cling", "answer": "", "timeout": 0.1}]
    )
    ended = project.end(start(project, pipe), timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert "1 scored, 1 timed out" in ended.out


def test_a_second_signal_ends_it_at_once(project: RunnerProject, pipe: Pipe) -> None:
    # The agent clings longer than this test waits, and says when the first signal came.
    project.write_tasks([FIRST_DONE[0], {"id": "t2", "question": "cling", "answer": ""}])
    project.change_agent(
        (
            "                    except asyncio.CancelledError:\n                        pass",
            (
                "                    except asyncio.CancelledError:\n"
                "                        announce('cancelled')"
            ),
        )
    )
    process = start(project, pipe)
    process.send_signal(signal.SIGINT)
    pipe.wait_for("cancelled")
    process.send_signal(signal.SIGINT)
    ended = project.end(process, timeout=3)
    assert ended.code == 130


def test_a_killed_run_loses_nothing_that_was_finished(project: RunnerProject) -> None:
    project.write_tasks([FIRST_DONE[0], {"id": "t2", "question": "die", "answer": ""}])
    process = project.start("run", "--run-id", "r1", "--parallelism", "1")
    assert project.end(process).code == -signal.SIGKILL
    project.heal()
    assert project.run("run", "--run-id", "r1").code == 0
    assert project.calls == ["t1", "t2", "t2"]


def test_a_signal_while_grading_keeps_the_generation_and_owes_the_grade(
    project: RunnerProject, pipe: Pipe
) -> None:
    project.write_grader(
        "import threading\nfrom runner.benchmark import announce\n\n\n"
        "def grade(task, response):\n"
        "    announce('grading')\n"
        "    threading.Event().wait()\n"
    )
    process = project.start("run", "--run-id", "r1", "t1", ready=pipe.write_end)
    pipe.wait_for("grading")
    process.send_signal(signal.SIGTERM)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 143
    assert project.read("r1", "t1", "generation.json")["status"] == "success"
    assert not (project.results / "r1" / "t1" / "eval.json").exists()
    assert "1 not graded" in ended.out


BLOCK = "__import__('threading').Event().wait()"
#: What an agent does that never comes back from a thread of ``asyncio.to_thread``.
STUCK = ("await asyncio.Event().wait()", f"await asyncio.to_thread(lambda: {BLOCK})")


def test_a_thread_that_the_agent_waits_for_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe
) -> None:
    project.change_agent(STUCK)
    project.write_tasks(FIRST_DONE)
    ended = interrupt(project, pipe)
    assert ended.code == 143
    assert "What was finished is kept" in ended.err
    assert "run --run-id r1" in ended.resume_command


def stuck_tasks(count: int) -> list[dict[str, object]]:
    return [
        {"id": f"w{number}", "question": "wait", "answer": "", "timeout": 0.2}
        for number in range(count)
    ]


def test_threads_that_agents_leave_behind_do_not_keep_a_finished_run_alive(
    project: RunnerProject,
) -> None:
    project.change_agent(STUCK)
    project.write_tasks([*stuck_tasks(2), FIRST_DONE[0]])
    ended = project.end(project.start("run", "--run-id", "r1"), timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert "1 scored, 2 timed out" in ended.out


def test_more_threads_left_behind_than_a_pool_has_do_not_hang_the_run(
    project: RunnerProject,
) -> None:
    project.change_agent(STUCK)
    project.write_tasks([*stuck_tasks(40), FIRST_DONE[0]])
    process = project.start("run", "--run-id", "r1", "--parallelism", "20")
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert project.read("r1", "final_score.json")["complete"] is True


def test_threads_left_behind_do_not_keep_a_run_alive_that_ends_with_an_error(
    project: RunnerProject,
) -> None:
    project.change_agent(STUCK)
    project.set_in_class("def score(self, eval_results): raise KeyError('points')")
    project.write_tasks([*stuck_tasks(1), FIRST_DONE[0]])
    ended = project.end(project.start("run", "--run-id", "r1"), timeout=OUT_WITHIN)
    assert ended.code == 2
    assert "score() failed" in ended.err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_loading_tasks_that_blocks_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe, number: int, code: int
) -> None:
    project.set_in_class(f"def load_tasks(self, dataset_file):\n        announce('t2'); {BLOCK}")
    process = start(project, pipe, "--json")
    process.send_signal(number)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == code
    assert ended.json["error"]["type"] == "Interrupted"
    assert not project.results.exists()


def test_loading_the_references_that_blocks_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe
) -> None:
    # The local service has an author's own loader read them, after the tasks are loaded.
    project.change_agent(("import BenchmarkRunner, ", "import BenchmarkRunner, Task, "))
    project.set_in_class(
        "def load_tasks(self, dataset_file):\n"
        "        if (ROOT / 'loaded').exists():\n"
        f"            announce('t2'); {BLOCK}\n"
        "        (ROOT / 'loaded').touch()\n"
        "        return [Task(id='mine', question='say it', answer='it')]"
    )
    process = start(project, pipe)
    process.send_signal(signal.SIGTERM)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 143
    assert not project.results.exists()
