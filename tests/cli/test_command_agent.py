"""Outside agents in a run: signals to the runner, time limits, failures with what they cost."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.interruption import OUT_WITHIN, SLEEP, SOON, end_in_order_within

if TYPE_CHECKING:
    from tests.alive import Alive
    from tests.cli.conftest import RunnerProject

AGENT = """\
import sys
from pathlib import Path

from benchmark_runner import BenchmarkRunner, run_command_agent

PROGRAM = Path(__file__).with_name("program.py")


class SampleRunner(BenchmarkRunner):
    NAME = "sample"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        return await run_command_agent(
            [Path(sys.executable), PROGRAM, "{question}"],
            task.question,
            log_dir=log_dir,
            {options}
        )
"""
#: It stays, with a child, and ignores what it is asked.
STUBBORN = """\
import os, signal, sys

signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0 and sys.platform == "linux":
    os.setsid()
os.write(os.open(os.environ["ALIVE"], os.O_WRONLY), b"r")
signal.pause()
"""
#: What blocks the event loop once it is told to, and tells that it does.
BLOCKED = f"""\
if task.question == "block":
            import asyncio, os
            await asyncio.to_thread(Path(os.environ["GO"]).read_bytes)
            os.write(os.open(os.environ["ALIVE"], os.O_WRONLY), b"r")
            {SLEEP}
        return await"""
KEY = "sk-0123456789abcdefghij"


def use(project: RunnerProject, program: str, options: str = "") -> None:
    """Have the runner start this program."""
    project.write_agent(AGENT.replace("{options}", options))
    (project.root / "runner" / "program.py").write_text(program)
    project.write_tasks([{"id": "t1", "question": "q", "answer": "42"}])


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_the_agent_ends_with_the_run(
        self, project: RunnerProject, alive: Alive, number: int
    ) -> None:
        """A signal to the runner ends the agent and all that it has started, in time."""
        use(project, STUBBORN)
        process = project.start("run", "--run-id", "r1", ALIVE=str(alive.path))
        alive.wait_for(2)
        process.send_signal(number)
        ended = project.end(process, timeout=OUT_WITHIN)
        assert ended.code == 128 + number
        alive.assert_all_ended(within=0)
        assert "still running" not in ended.out
        assert not (project.results / "r1" / "t1" / "generation.json").exists()

    def test_a_second_signal_ends_it_too(self, project: RunnerProject, alive: Alive) -> None:
        """A second signal, which ends the runner at once, leaves no agent behind either."""
        use(project, STUBBORN)
        process = project.start("run", "--run-id", "r1", ALIVE=str(alive.path))
        alive.wait_for(2)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert project.end(process, timeout=OUT_WITHIN).code in (130, 143)
        alive.assert_all_ended()

    def test_an_agent_beside_a_blocked_loop(self, project: RunnerProject, alive: Alive) -> None:
        """An agent ends also if other code blocks the event loop."""
        end_in_order_within(project, SOON)
        use(project, STUBBORN)
        tasks = [{"id": f"t{n}", "question": "q", "answer": "42"} for n in (1, 2)]
        tasks[1]["question"] = "block"
        project.write_tasks(tasks)
        project.change_agent(("return await", BLOCKED))
        os.mkfifo(go := alive.path.with_name("go"))
        process = project.start("run", "--run-id", "r1", ALIVE=str(alive.path), GO=str(go))
        alive.wait_for(2)
        go.write_bytes(b"")
        alive.wait_for(1)
        process.send_signal(signal.SIGTERM)
        assert project.end(process, timeout=OUT_WITHIN).code == 143
        alive.assert_all_ended()

    def test_a_killed_runner_leaves_no_agent(self, project: RunnerProject, alive: Alive) -> None:
        """An agent does not survive a runner that was killed, which could do nothing."""
        use(project, STUBBORN)
        process = project.start("run", "--run-id", "r1", ALIVE=str(alive.path))
        alive.wait_for(2)
        process.kill()
        project.end(process, timeout=OUT_WITHIN)
        alive.assert_all_ended()


class TestOutcomes:
    def test_time_limit_leaves_an_answer(self, project: RunnerProject, alive: Alive) -> None:
        """A command that is stopped as its time is up is out of time, with what it has."""
        use(project, "import signal; print('so far', flush=True); signal.pause()")
        ended = project.run("run", "--run-id", "r1", "--timeout", "2")
        assert ended.code == 0, ended.err
        generation = project.read("r1", "t1", "generation.json")
        assert (generation["status"], generation["data"]) == ("max_time", "so far")
        assert project.read("r1", "t1", "eval.json")["status"] == "did_not_complete"

    def test_a_failure_keeps_what_it_cost(self, project: RunnerProject) -> None:
        """A failed command is its task's error, with the tokens and the cost that it told."""
        report = {
            "type": "result", "subtype": "success", "is_error": True, "num_turns": 3,
            "result": "API Error: 529 overloaded", "total_cost_usd": 0.25,
            "usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 7},
        }  # fmt: skip
        use(project, f"print({json.dumps(report)!r}); exit(1)", 'output="claude-code"')
        assert project.run("run", "--run-id", "r1").code == 1
        generation = project.read("r1", "t1", "generation.json")
        assert generation["status"] == "error"
        assert generation["error"].startswith("CommandError: python")
        assert "API Error: 529 overloaded" in generation["error"]
        assert (generation["cost"], generation["total_turns"]) == (0.25, 3)
        assert generation["usage"]["cache_read"] == 7

    def test_keys_are_masked(self, project: RunnerProject, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key that the command prints is in no file of the run."""
        monkeypatch.setenv("AGENT_API_KEY", KEY)
        program = "import os, sys; key = os.environ['AGENT_API_KEY']; print('a', key)\n"
        use(project, program + "sys.exit('no ' + key)", 'keys=["AGENT_API_KEY"]')
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 1
        assert "no ***" in project.read("r1", "t1", "generation.json")["error"]
        for name in project.files():
            assert KEY not in (project.results / name).read_text(), name
        assert "a ***" in (project.results / "r1/t1/agent_logs/stdout.log").read_text()
        assert KEY not in ended.out + ended.err

    def test_a_missing_program_is_explained(self, project: RunnerProject) -> None:
        """A program that is not there is an error with a hint."""
        use(project, "")
        project.change_agent(("Path(sys.executable)", '"no-such-agent"'))
        assert project.run("run", "--run-id", "r1").code == 1
        generation = project.read("r1", "t1", "generation.json")
        assert "'no-such-agent' was not found" in generation["error"]
        assert "PATH" in generation["failure"]["hint"]
