"""The end of a command with all of its processes, whatever they do."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner import GenerationResult, current_generation, run_command_agent
from benchmark_runner._concurrency.deadline import call_within
from benchmark_runner.base.current_generation import CurrentGeneration, use_generation
from benchmark_runner.command_agent.outcome import Ended
from tests.unit.command_agent.conftest import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.alive import Alive
    from tests.unit.command_agent.conftest import Agent, Children

#: Programs that stay, by name.
STAYING = {
    "a sleeper": "hold(); time.sleep(1000)",
    "one that ignores SIGTERM": "ignore_sigterm(); hold(); time.sleep(1000)",
    "a fork": "hold(); os.fork(); ignore_sigterm(); time.sleep(1000)",
    "forks of forks": "[os.fork() for _ in range(4)]; hold(); time.sleep(1000)",
    "a stopped one": "hold(); os.kill(0, signal.SIGSTOP)",
    "a flood": "hold()\nwhile True: os.write(1, b'x' * 65536)",
    "closed pipes": "hold(); os.close(1); os.close(2); time.sleep(1000)",
}
if sys.platform == "linux":
    STAYING["a session of its own"] = (
        "if os.fork() == 0: os.setsid(); ignore_sigterm()\nhold(); time.sleep(1000)"
    )
#: Programs that end and leave a process behind.
LEAVING = {
    "a child with the pipes": "if os.fork() == 0: time.sleep(1000)",
    "a child that ignores SIGTERM": "if os.fork() == 0: ignore_sigterm(); time.sleep(1000)",
    "a daemon of its group": "if os.fork() == 0:\n    os.fork(); time.sleep(1000)",
    "a flooding child": "if os.fork() == 0:\n    while True: os.write(2, b'x' * 65536)",
}
OF_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of sessions")


async def until_ready(agent: Agent) -> None:
    """Wait until the program has printed that it holds the pipe."""
    while not (agent.logs / "stdout.log").exists() or b"ready" not in agent.stdout():  # noqa: ASYNC110 (another process writes it)
        await asyncio.sleep(0.01)


async def within(seconds: float | None, call: Callable[[], Any]) -> Any:
    """Call it as a run calls ``generate()``, under a time limit."""

    async def generate() -> GenerationResult:
        use_generation(CurrentGeneration("t1"))
        return await call()

    return await call_within(generate, generate, seconds)


class TestExitCodes:
    def test_an_exit_code_is_an_error(self, agent: Agent) -> None:
        """Another exit code than 0 is an error, with the end of standard error."""
        failed = agent.fail("print('x'); print('no', 'luck', file=sys.stderr); sys.exit(3)")
        assert str(failed) == "python ended with exit code 3; the end of its stderr:\nno luck"
        assert failed.returncode == 3
        assert failed.result.metadata == {"command": {"exit_code": 3}}

    def test_a_signal_is_an_error(self, agent: Agent) -> None:
        """So is the end by a signal, which is named."""
        failed = agent.fail("os.kill(os.getpid(), signal.SIGSEGV)")
        assert str(failed) == "python was ended by SIGSEGV"
        assert failed.returncode == -signal.SIGSEGV

    def test_a_long_message_is_cut(self, agent: Agent) -> None:
        """Of a long standard error, the error has the last lines."""
        program = "for n in range(9999): print('line', n, file=sys.stderr)\nsys.exit(1)"
        text = str(agent.fail(program))
        assert text.endswith("line 9997\nline 9998")
        assert len(text) < 2500

    def test_an_author_may_allow_it(self, agent: Agent) -> None:
        """With ``check=False`` the exit code is told, and the answer counts."""
        result = agent.run("print('x'); sys.exit(3)", check=False)
        assert (result.status, result.answer) == ("success", "x")
        assert result.metadata == {"command": {"exit_code": 3}}

    def test_it_may_be_unknown(self, agent: Agent) -> None:
        """The command counts as failed if other code has taken its exit code."""
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            failed = agent.fail("print('x')")
        finally:
            signal.signal(signal.SIGCHLD, before)
        assert "other code of the runner took its exit code" in str(failed)


class TestTheTimeLimit:
    @pytest.mark.parametrize("name", STAYING)
    def test_all_of_it_ends(self, agent: Agent, alive: Alive, name: str) -> None:
        """Every process of the command ends when the time is up."""
        result = agent.run(STAYING[name], timeout=0.5, grace=0.2)
        assert (result.status, result.stop_reason) == ("max_time", "max_time")
        alive.assert_all_ended()

    def test_it_may_end_in_order(self, agent: Agent) -> None:
        """A command has the grace to print what it has; the answer is kept."""
        program = "signal.signal(15, lambda *_: sys.exit(print('best so far')))\n"
        result = agent.run(program + "print('ready', flush=True); time.sleep(1000)", timeout=0.5)
        assert (result.status, result.answer) == ("max_time", "best so far")
        assert "its time was up" in str(result.error)

    def test_there_may_be_no_answer(self, agent: Agent) -> None:
        """Without an answer, the outcome is still that the time was up."""
        result = agent.run("time.sleep(1000)", timeout=0.3, answer_file="out.txt")
        assert (result.status, result.answer) == ("max_time", "")

    def test_that_of_the_generation_leaves_time(self, agent: Agent, alive: Alive) -> None:
        """A command is stopped so early that the answer is there before the generation ends."""

        async def generate() -> GenerationResult:
            result = await agent.start(STAYING["a fork"], grace=0.2)
            assert current_generation().time_left() > 0
            return result

        # Long enough for a busy machine: a fifth of it is for the end, most of that after SIGKILL.
        result = asyncio.run(within(5, generate))
        assert (result.status, result.answer) == ("max_time", "ready")
        alive.assert_all_ended()


class TestCancellation:
    @pytest.mark.parametrize("name", STAYING)
    def test_all_of_it_ends(
        self, agent: Agent, alive: Alive, new_children: Children, name: str
    ) -> None:
        """A cancelled call leaves no process behind, and no zombie."""

        async def cancel() -> None:
            call = asyncio.create_task(agent.start(STAYING[name], grace=0.2))
            await until_ready(agent)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            alive.assert_all_ended(within=0)

        asyncio.run(cancel())
        assert not new_children()

    def test_a_second_one_kills_at_once(self, agent: Agent, alive: Alive) -> None:
        """A second cancellation does not wait for the grace."""

        async def cancel() -> None:
            program = STAYING["one that ignores SIGTERM"]
            call = asyncio.create_task(agent.start(program, grace=NEVER))
            await until_ready(agent)
            call.cancel()
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        asyncio.run(asyncio.wait_for(cancel(), 2.5))
        alive.assert_all_ended()

    def test_one_before_the_start(self, agent: Agent, new_children: Children) -> None:
        """A call that is cancelled while the program starts leaves nothing either."""

        async def cancel() -> None:
            call = asyncio.create_task(agent.start(STAYING["a sleeper"]))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        asyncio.run(cancel())
        assert not new_children()

    def test_an_ended_command_is_not_lost(
        self, agent: Agent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A call that is cancelled after its command has ended returns the result all the same."""
        reading, go_on = threading.Event(), threading.Event()
        result = Ended.result

        def slow(ended: Ended, *, check: bool) -> GenerationResult:
            reading.set()
            go_on.wait()
            return result(ended, check=check)

        async def cancel() -> GenerationResult:
            call = asyncio.create_task(agent.start("print(42)"))
            await asyncio.to_thread(reading.wait)
            call.cancel()
            await asyncio.sleep(0)
            go_on.set()
            return await call

        monkeypatch.setattr(Ended, "result", slow)
        assert asyncio.run(cancel()).answer == "42"


class TestWhatIsLeft:
    @pytest.mark.parametrize("name", LEAVING)
    def test_left_processes_end_too(self, agent: Agent, alive: Alive, name: str) -> None:
        """Processes that a command leaves running end soon after it; its answer counts."""
        result = agent.run(f"hold()\n{LEAVING[name]}\nelse: print('42')")
        assert (result.status, result.answer) == ("success", "42")
        assert result.metadata == {"command": {"exit_code": 0, "processes_left": True}}
        alive.assert_all_ended(within=0)

    def test_a_child_that_ends_by_itself(self, agent: Agent) -> None:
        """A child that ends just after its parent gets no signal, and its output counts."""
        program = "if os.fork() == 0: time.sleep(0.05); print('late', flush=True)"
        result = agent.run(program)
        assert result.answer == "late"
        assert result.metadata == {"command": {"exit_code": 0}}

    @OF_LINUX
    def test_a_group_of_its_own_ends_too(self, agent: Agent, alive: Alive) -> None:
        """A job that a shell has put into a group of its own ends with the rest."""
        program = "if os.fork() == 0: os.setpgid(0, 0); hold(); time.sleep(1000)\n"
        result = agent.run(program + "time.sleep(1000)", timeout=0.5, grace=0.2)
        assert result.status == "max_time"
        alive.assert_all_ended(within=0)

    def test_one_that_got_away_is_not_awaited(self, agent: Agent, alive: Alive) -> None:
        """A process that has left the session, with the pipes open, holds up nothing."""
        program = "hold()\nif os.fork() == 0:\n    os.setsid(); print(os.getpid(), flush=True)\n"
        result = agent.run(program + "    time.sleep(1000)\ntime.sleep(0.3)")
        os.kill(int(result.answer), signal.SIGKILL)
        alive.assert_all_ended()


class TestTrajectories:
    def test_one_in_the_workspace_is_found(self, agent: Agent, tmp_path: Path) -> None:
        """A trajectory that the command leaves in a workspace elsewhere is copied to the logs."""
        program = "os.mkdir('out'); open('out/trajectory.json', 'w').write('{}')\nprint(1)"
        agent.run(program, workspace=tmp_path / "elsewhere")
        assert (agent.logs / "trajectory.json").read_text() == "{}"

    def test_none_is_copied_through_a_link(self, agent: Agent, tmp_path: Path) -> None:
        """A link in its place is not followed."""
        (tmp_path / "secret").write_text("secret")
        program = f"os.symlink({os.fspath(tmp_path / 'secret')!r}, 'trajectory.json'); print(1)"
        agent.run(program, workspace=tmp_path / "elsewhere")
        assert not (agent.logs / "trajectory.json").exists()


class TestResources:
    def test_nothing_is_left_open(
        self, agent: Agent, descriptors: Callable[[], int], new_children: Children
    ) -> None:
        """Commands leave no descriptor and no zombie, however they end."""
        agent.run("print(1)")
        before = descriptors()
        agent.run("print(1)")
        agent.fail("sys.exit(1)")
        agent.run("time.sleep(1000)", timeout=0.1, grace=0)
        with pytest.raises(Exception, match="was not found"):
            asyncio.run(run_command_agent(["no-such-agent"], "q", log_dir=agent.logs))
        assert descriptors() == before
        assert not new_children()

    def test_a_flood_takes_no_memory(self, agent: Agent) -> None:
        """Of hundreds of megabytes, the log has the beginning and the end, memory nothing."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        program = "for _ in range(300): os.write(1, b'x' * 2**20)\nprint('\\n42')"
        result = agent.run(program, output_limit=2**20)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
        assert result.answer == "42"
        told = result.metadata["command"]
        left_out = told["stdout_left_out"] if isinstance(told, dict) else None
        assert isinstance(left_out, int)
        assert f"{left_out:,} bytes left out".encode() in agent.stdout()
        assert len(agent.stdout()) < 2**20 + 100
        assert left_out > 298 * 2**20

    def test_the_loop_goes_on(self, agent: Agent) -> None:
        """Other tasks go on while a command floods its output."""

        async def both() -> int:
            call = asyncio.create_task(agent.start(STAYING["a flood"], timeout=1, grace=0))
            count = 0
            while not call.done():
                await asyncio.sleep(0.01)
                count += 1
            return count

        assert asyncio.run(both()) > 20

    def test_logs_are_not_needed(self) -> None:
        """Without a folder of logs the answer is the same."""
        command = [Path("/bin/sh"), "-c", "echo 42"]
        assert asyncio.run(run_command_agent(command, "q")).answer == "42"

    def test_a_second_command_has_logs_of_its_own(self, agent: Agent) -> None:
        """Two commands of one generation do not share a log."""
        agent.run("print(1)")
        agent.run("print(2)")
        assert agent.stdout() == b"1\n"
        assert (agent.logs / "stdout-2.log").read_bytes() == b"2\n"

    def test_input_is_empty(self, agent: Agent) -> None:
        """A program that reads its input gets none, and has no terminal."""
        program = "print(repr(sys.stdin.read()), os.getsid(0) == os.getpid())"
        assert agent.run(program).answer == "'' True"
