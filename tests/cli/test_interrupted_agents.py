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
    assert_first_is_kept_and_rest_resumed,
    block_the_loop,
    end_in_order_within,
    interrupt,
    shorten_the_grace,
    start,
)

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject


def test_blocking_agent_does_not_delay_the_end(project: RunnerProject, pipe: Pipe) -> None:
    """An agent that blocks its thread does not delay the end."""
    project.change_agent(
        ("    async def generate", "    def generate"),
        ("await asyncio.Event().wait()", "__import__('threading').Event().wait()"),
    )
    project.write_tasks(FIRST_DONE)
    assert interrupt(project, pipe).code == 143


def test_uncancellable_agent_does_not_delay_it(project: RunnerProject, pipe: Pipe) -> None:
    """An agent that ignores its cancellation does not delay the end."""
    shorten_the_grace(project)
    project.write_tasks([FIRST_DONE[0], {"id": "t2", "question": "cling", "answer": ""}])
    assert interrupt(project, pipe).code == 143


def test_uncancellable_agent_in_a_finished_run(project: RunnerProject, pipe: Pipe) -> None:
    """An agent that ignores its cancellation does not keep a finished run alive."""
    shorten_the_grace(project)
    project.write_tasks(
        [FIRST_DONE[0], {"id": "t2", "question": "cling", "answer": "", "timeout": 0.1}]
    )
    ended = project.end(start(project, pipe), timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert "1 scored, 1 timed out" in ended.out


#: What an agent does that never comes back from a thread of ``asyncio.to_thread``.
STUCK = ("await asyncio.Event().wait()", f"await asyncio.to_thread(lambda: {BLOCK})")


def test_waited_for_thread_does_not_delay_it(project: RunnerProject, pipe: Pipe) -> None:
    """A thread that the agent waits for does not delay the end."""
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


def test_leftover_threads_in_a_finished_run(
    project: RunnerProject,
) -> None:
    """Threads that agents leave behind do not keep a finished run alive."""
    project.change_agent(STUCK)
    project.write_tasks([*stuck_tasks(2), FIRST_DONE[0]])
    ended = project.end(project.start("run", "--run-id", "r1"), timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert "1 scored, 2 timed out" in ended.out


def test_task_that_never_ends_does_not_hang_it(project: RunnerProject) -> None:
    """A task that goes on after every exception does not keep a finished run alive."""
    project.change_agent(
        (
            "class SampleRunner",
            (
                "async def go_on():\n"
                "    while True:\n"
                "        try:\n            await asyncio.sleep(60)\n"
                "        except BaseException:\n            pass\n\n\nclass SampleRunner"
            ),
        ),
        (
            "        word, _, rest",
            "        self.left = asyncio.create_task(go_on())\n        word, _, rest",
        ),
    )
    project.write_tasks(FIRST_DONE[:1])
    ended = project.end(project.start("run", "--run-id", "r1"), timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert "1 scored" in ended.out


def test_many_leftover_threads_do_not_hang_it(
    project: RunnerProject,
) -> None:
    """More leftover threads than a pool has do not hang the run."""
    project.change_agent(STUCK)
    project.write_tasks([*stuck_tasks(40), FIRST_DONE[0]])
    # All at once: with tasks left to start, so many silent timeouts would pause the run.
    process = project.start("run", "--run-id", "r1", "--parallelism", "41")
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert project.read("r1", "final_score.json")["complete"] is True


def test_leftover_threads_after_an_error(
    project: RunnerProject,
) -> None:
    """Leftover threads do not keep a run alive that ends with an error."""
    project.change_agent(STUCK)
    project.set_in_class("def score(self, eval_results): raise KeyError('points')")
    project.write_tasks([*stuck_tasks(1), FIRST_DONE[0]])
    ended = project.end(project.start("run", "--run-id", "r1"), timeout=OUT_WITHIN)
    assert ended.code == 2
    assert "score() failed" in ended.err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_blocking_load_tasks_does_not_delay_it(
    project: RunnerProject, pipe: Pipe, number: int, code: int
) -> None:
    """A load_tasks() that blocks does not delay the end."""
    project.set_in_class(f"def load_tasks(self, dataset_file):\n        announce('t2'); {BLOCK}")
    process = start(project, pipe, "--json")
    process.send_signal(number)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == code
    assert ended.json["error"]["type"] == "Interrupted"
    assert not project.results.exists()


def test_blocking_reference_load_does_not_delay(project: RunnerProject, pipe: Pipe) -> None:
    """Loading references that blocks does not delay the end."""
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
        assert project.read("r1", "t1", "eval.json")["status"] == "evaluated"
        assert_first_is_kept_and_rest_resumed(project, ended)

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize(
        ("how", "number"),
        [(SLEEP, signal.SIGINT), (SPIN, signal.SIGTERM)],
        ids=["asleep", "computing"],
    )
    def test_blocked_loop_keeps_finished_work(
        self, project: RunnerProject, pipe: Pipe, how: str, number: int
    ) -> None:
        """If the agent blocks the loop, finished work is kept and resumed."""
        end_in_order_within(project, SOON)
        block_the_loop(project, how)
        process = start(project, pipe)
        process.send_signal(number)
        self.check(project, project.end(process, timeout=OUT_WITHIN), number)

    @pytest.mark.full
    @pytest.mark.parametrize("how", [SLEEP, SPIN], ids=["asleep", "computing"])
    def test_blocked_loop_ends_in_the_promised_time(
        self, project: RunnerProject, pipe: Pipe, how: str
    ) -> None:
        """If the agent blocks the loop, the end comes in the promised time."""
        block_the_loop(project, how)
        process = start(project, pipe)
        process.send_signal(signal.SIGTERM)
        self.check(project, project.end(process, timeout=OUT_WITHIN), signal.SIGTERM)

    def test_blocked_loop_gives_one_json_object(self, project: RunnerProject, pipe: Pipe) -> None:
        """If the agent blocks the loop, --json still gives one object."""
        end_in_order_within(project, SOON)
        block_the_loop(project)
        process = start(project, pipe, "--json")
        process.send_signal(signal.SIGTERM)
        ended = project.end(process, timeout=OUT_WITHIN)
        assert ended.code == 143
        assert ended.json["error"]["type"] == "Interrupted"
        assert ended.json["counts"]["scored"] == 1
        assert "run --run-id r1" in ended.json["resume_command"]

    def test_blocked_loop_ends_at_a_second_signal(self, project: RunnerProject, pipe: Pipe) -> None:
        """If the agent blocks the loop, a second signal ends it at once."""
        end_in_order_within(project, NEVER)
        block_the_loop(project)
        process = start(project, pipe)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert project.end(process, timeout=OUT_WITHIN).code in {130, 143}


def test_agents_thread_does_not_keep_it_alive(project: RunnerProject, pipe: Pipe) -> None:
    """A thread of the agent's own does not keep the process alive."""
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
def test_forked_process_can_be_terminated(project: RunnerProject, generate: str) -> None:
    """A process that the agent forks can be terminated and stops nothing else."""
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


def test_unclosed_generator_does_not_keep_it_alive(
    project: RunnerProject,
) -> None:
    """A generator that does not close does not keep a finished run alive."""
    project.change_agent(
        (SAY, "                return GenerationResult(answer=await anext(kept))\n"),
        ("def announce", NEVER_CLOSES),
    )
    ended = project.end(project.start("run", "--run-id", "r1", "t1"), timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert project.read("r1", "t1", "generation.json")["data"] == "one"
