"""Signals while an agent blocks its thread or the loop, or leaves something behind."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.interruption import (
    BLOCK,
    FIRST_DONE,
    NEVER,
    OUT_WITHIN,
    SLEEP,
    SOON,
    SPIN,
    Pipe,
    block_the_loop,
    end_in_order_within,
    interrupt,
    shorten_the_grace,
    start,
)

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject


def test_an_agent_that_blocks_its_thread_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe
) -> None:
    project.change_agent(
        ("    async def generate", "    def generate"),
        ("await asyncio.Event().wait()", "__import__('threading').Event().wait()"),
    )
    project.write_tasks(FIRST_DONE)
    assert interrupt(project, pipe).code == 143


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


class TestAnAgentThatBlocksTheLoop:
    def check(self, project: RunnerProject, ended: Ended, number: int) -> None:
        assert ended.code == 128 + number
        assert ended.err.count(f"Stopped by {signal.Signals(number).name}") == 1
        assert "Tasks    2: 1 attempted, 1 scored, 0 timed out" in ended.out
        assert "No score yet: 1 not generated" in ended.out
        assert project.read("r1", "t1", "generation.json")["data"] == "one"
        assert project.read("r1", "t1", "eval.json")["status"] == "evaluated"
        assert not (project.results / "r1" / "t2" / "generation.json").exists()
        assert not [name for name in project.files() if ".tmp" in name]
        project.heal()
        resumed = project.shell(ended.resume_command)
        assert resumed.code == 0, resumed.err
        assert project.calls == ["t1", "t2", "t2"]
        assert project.read("r1", "final_score.json")["complete"] is True

    @pytest.mark.parametrize(
        ("how", "number"),
        [(SLEEP, signal.SIGINT), (SPIN, signal.SIGTERM)],
        ids=["asleep", "computing"],
    )
    def test_what_is_finished_is_kept_and_the_printed_command_goes_on(
        self, project: RunnerProject, pipe: Pipe, how: str, number: int
    ) -> None:
        end_in_order_within(project, SOON)
        block_the_loop(project, how)
        process = start(project, pipe)
        process.send_signal(number)
        self.check(project, project.end(process, timeout=OUT_WITHIN), number)

    @pytest.mark.full
    @pytest.mark.parametrize("how", [SLEEP, SPIN], ids=["asleep", "computing"])
    def test_it_is_out_within_the_time_that_is_promised(
        self, project: RunnerProject, pipe: Pipe, how: str
    ) -> None:
        block_the_loop(project, how)
        process = start(project, pipe)
        process.send_signal(signal.SIGTERM)
        self.check(project, project.end(process, timeout=OUT_WITHIN), signal.SIGTERM)

    def test_with_json_there_is_still_one_object(self, project: RunnerProject, pipe: Pipe) -> None:
        end_in_order_within(project, SOON)
        block_the_loop(project)
        process = start(project, pipe, "--json")
        process.send_signal(signal.SIGTERM)
        ended = project.end(process, timeout=OUT_WITHIN)
        assert ended.code == 143
        assert ended.json["error"]["type"] == "Interrupted"
        assert ended.json["counts"]["scored"] == 1
        assert "run --run-id r1" in ended.json["resume_command"]

    def test_a_second_signal_ends_it_at_once(self, project: RunnerProject, pipe: Pipe) -> None:
        end_in_order_within(project, NEVER)
        block_the_loop(project)
        process = start(project, pipe)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert project.end(process, timeout=OUT_WITHIN).code in {130, 143}


def test_a_thread_of_the_agents_own_does_not_keep_the_process_alive(
    project: RunnerProject, pipe: Pipe
) -> None:
    end_in_order_within(project, SOON)
    thread = "import threading; threading.Thread(target=threading.Event().wait).start()"
    project.change_agent(
        (
            "                announce(task.id)\n",
            f"                {thread}\n                announce(task.id)\n",
        )
    )
    project.write_tasks(FIRST_DONE)
    ended = interrupt(project, pipe)
    assert ended.code == 143
    assert ended.err.count("Stopped by") == 1
    assert "run --run-id r1" in ended.resume_command


SAY = "                return GenerationResult(answer=rest)\n"
IN_A_CHILD = """\
def in_a_child():
    import multiprocessing

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=wait_in_a_child, args=(ours, theirs))
    child.start()
    ours.recv()
    child.terminate()
    child.join(10)
    code = child.exitcode
    child.kill()
    return code


def wait_in_a_child(ours, theirs):
    ours.close()  # so that it ends with the parent
    theirs.send("ready")
    theirs.recv()


def announce"""


@pytest.mark.parametrize("generate", ["async def generate", "def generate"])
def test_a_process_that_the_agent_forks_can_be_terminated_and_stops_nothing_else(
    project: RunnerProject, generate: str
) -> None:
    project.change_agent(
        (SAY, "                return GenerationResult(answer=str(in_a_child()))\n"),
        ("def announce", IN_A_CHILD),
        ("await ", "assert False, "),
        ("async def generate", generate),
    )
    ended = project.execute("run", "--run-id", "r1", "t1", timeout=40)
    assert ended.code == 0, ended.err
    assert project.read("r1", "t1", "generation.json")["data"] == str(-signal.SIGTERM)


NEVER_CLOSES = """\
async def never_closes():
    try:
        yield "one"
    finally:
        await asyncio.Event().wait()


kept = never_closes()


def announce"""


def test_a_generator_that_does_not_close_does_not_keep_a_finished_run_alive(
    project: RunnerProject,
) -> None:
    project.change_agent(
        (SAY, "                return GenerationResult(answer=await anext(kept))\n"),
        ("def announce", NEVER_CLOSES),
    )
    ended = project.end(project.start("run", "--run-id", "r1", "t1"), timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert project.read("r1", "t1", "generation.json")["data"] == "one"
