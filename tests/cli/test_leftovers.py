"""Processes, threads and pools that an author's code starts and leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.interruption import OUT_WITHIN
from tests.cli.misdeeds import (
    OTHERS,
    assert_others_are_done,
    give_deeds,
    run_with,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import RunnerProject
    from tests.cli.interruption import Pipe

#: Sleeps in a process of its own, whose number goes into a file; a test ends it.
STAYS = "if (pid := os.fork()) == 0: time.sleep(600); os._exit(0)\n"
NOTE = "(ROOT / 'pids').open('a').write(f'{pid} ')\n"


@pytest.fixture
def pids(project: RunnerProject) -> Iterator[list[int]]:
    """Return the processes that the deeds note, once they have; they end with the test."""
    found: list[int] = []
    yield found
    noted = project.root / "pids"
    for pid in (noted.read_text() if noted.exists() else "").split():
        os.kill(int(pid), signal.SIGKILL)


def start(
    project: RunnerProject, pipe: Pipe, *program: str, new_session: bool = False
) -> subprocess.Popen[str]:
    """Start the run, perhaps under another program, and return when its agent is in ``t1``."""
    process = subprocess.Popen(
        [*program, sys.executable, str(project.script), "run", "--run-id", "r1"],
        cwd=project.root,
        env=project.environment(READY_FD=str(pipe.write_end)),
        pass_fds=(pipe.write_end,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=new_session,
    )
    pipe.wait_for("t1")
    return process


LEFT = {
    "thread": "threading.Thread(target=threading.Event().wait).start()",
    "pool": "ThreadPoolExecutor(1).submit(threading.Event().wait)",
    "to-thread": "asyncio.create_task(asyncio.to_thread(threading.Event().wait))",
    "task": "asyncio.create_task(asyncio.Event().wait())",
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
def test_threads_left_do_not_keep_it_alive(project: RunnerProject, flags: list[str]) -> None:
    """Threads, pools and tasks that are left behind do not keep a finished run alive."""
    ended = run_with(project, LEFT, *flags)
    assert ended.code == 0, ended.out + ended.err
    assert f"{len(LEFT) + len(OTHERS)} scored" in ended.out or ended.json["complete"]


CHILDREN = {
    "fork": STAYS + NOTE,
    "popen": "pid = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL, "
    "stderr=subprocess.DEVNULL).pid\n" + NOTE,
    "process": "child = multiprocessing.get_context('fork').Process(target=time.sleep, "
    "args=(600,))\nchild.start(); pid = child.pid\n" + NOTE,
}


def test_children_left_are_named(project: RunnerProject, pids: list[int]) -> None:
    """Processes that are left running keep neither the run nor its output; they are named."""
    ended = run_with(project, CHILDREN)  # it reads the output to its end
    assert ended.code == 0, ended.out + ended.err
    left = next(line for line in ended.out.splitlines() if line.startswith("Left running"))
    for pid in (project.root / "pids").read_text().split():
        assert f"({pid})" in left
    assert "sleep (" in left


def test_no_child_is_named_without_one(project: RunnerProject) -> None:
    """A process that has ended is not named."""
    deed = "await (await asyncio.create_subprocess_exec('true')).wait()"
    ended = run_with(project, {"t1": deed}, "--json")
    assert ended.json["children"] == []


def test_forked_output_goes_into_a_log(project: RunnerProject) -> None:
    """A forked process prints into its task's log where the output is a pipe."""
    deed = (
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    print('from the child', flush=True); os.write(2, b'raw'); os._exit(0)\n"
        "os.waitpid(pid, 0)"
    )
    ended = run_with(project, {"t1": deed})
    assert ended.code == 0, ended.out + ended.err
    assert "from the child" not in ended.out + ended.err
    log = project.results / "r1" / "t1" / "agent_logs" / "forked.log"
    assert log.read_text() == "from the child\nraw"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("child", [STAYS, CHILDREN["process"]], ids=["fork", "process"])
def test_lock_goes_with_the_runner(
    project: RunnerProject, pipe: Pipe, pids: list[int], child: str
) -> None:
    """A process that a killed run left behind does not hold its lock."""
    note = "" if NOTE in child else NOTE
    give_deeds(project, {"t1": f"{child}{note}announce('t1'); await asyncio.sleep(600)"})
    process = start(project, pipe)
    process.kill()
    process.communicate()
    project.heal()
    (project.root / "over-t1").touch()
    ended = project.execute("run", "--run-id", "r1")
    assert ended.code == 0, ended.out + ended.err


#: Ends with a thread left over, while the system begins no thread at once.
LATE_THREAD = """
import _thread, threading
from benchmark_runner.cli.process_end import leave_in_time
leftover, begun = threading.Event(), []
threading.Thread(target=leftover.wait).start()
def start_late(function, args):
    timer = threading.Timer(0.2, lambda: begun.append(True) or function(*args))
    timer.daemon = True
    timer.start()
_thread.start_new_thread = start_late
leave_in_time(0)
print(begun)
leftover.set()
"""


def test_watch_begins_before_python_ends() -> None:
    """Python does not end before the thread that watches its end has begun: that would crash it."""
    command = [sys.executable, "-c", LATE_THREAD]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == "[True]\n", ended.stderr


#: Ways in which a forked process comes back, and whether its task is then done.
BACK = {
    "returns": "pid = os.fork()",
    "raises": "if (pid := os.fork()) == 0: raise ValueError('from the child')",
    "exits": "if (pid := os.fork()) == 0: sys.exit(7)",
    "awaits": "if (pid := os.fork()) == 0: await asyncio.sleep(0)",
    "in-a-task": "async def fork():\n    return os.fork()\npid = await asyncio.create_task(fork())",
    "in-a-thread": "pid = await asyncio.to_thread(os.fork)",
    "in-a-callback": (
        "done = loop.create_future()\nloop.call_soon(lambda: done.set_result(os.fork()))\n"
        "pid = await done"
    ),
    "in-an-exit": "if (pid := os.fork()) == 0: await asyncio.create_task(leave(3))",
}
AND_WAIT = "\nif pid: await asyncio.to_thread(os.waitpid, pid, 0)"


def test_forked_process_ends_where_it_comes_back(project: RunnerProject) -> None:
    """A forked process that comes back ends there, and nothing is done twice."""
    ended = run_with(project, {name: deed + AND_WAIT for name, deed in BACK.items()})
    assert ended.code == 0, ended.out + ended.err
    assert sorted(project.calls) == sorted([*BACK, *OTHERS])
    assert_others_are_done(project)
    events = (project.results / "r1" / "events.jsonl").read_text()
    assert events.count('"generation_finished"') == len(BACK) + len(OTHERS)
    assert events.count('"evaluation_finished"') == len(BACK) + len(OTHERS)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("method", ["generate", "evaluate", "score", "load_tasks", "task_score"])
def test_fork_in_a_plain_method_ends(project: RunnerProject, method: str) -> None:
    """A process that is forked in a plain method ends where the method returns."""
    give_deeds(project, {"t1": "return 'done'"})
    (project.root / "over-t1").touch()
    project.set_in_class(
        f"def {method}(self, *args, **kwargs):\n"
        "        if (pid := os.fork()): os.waitpid(pid, 0)\n"
        f"        return self.and_then(*args, **kwargs)\n"
    )
    then = {
        "generate": "def and_then(self, *_, **__): return GenerationResult(answer='x')",
        "evaluate": (
            "def and_then(self, task_id, generation): "
            "return EvalResult(task_id=task_id, status='evaluated', result=1.0)"
        ),
        "score": "def and_then(self, _): return ScoreResult(final_score=1, tasks_evaluated=[])",
        "load_tasks": "def and_then(self, file): return BenchmarkRunner.load_tasks(self, file)",
        "task_score": "def and_then(self, result): return 1.0",
    }
    project.set_in_class(then[method])
    ended = project.execute("run", "--run-id", "r1")
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.count("Score ") == 1
    assert ended.out.count("Resume ") == 1


HANDLERS = {
    "add_signal_handler": (
        "loop.add_signal_handler(signal.SIGUSR1, (ROOT / 'usr1').touch)\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n"
        "while not (ROOT / 'usr1').exists(): await asyncio.sleep(0.02)\n"
        "for n in (signal.SIGINT, signal.SIGTERM): loop.add_signal_handler(n, lambda: None)"
    ),
    "ignored": "for n in (2, 15): signal.signal(n, signal.SIG_IGN)",
    "ignored-behind-our-back": (
        "import _signal\nfor n in (2, 15): _signal.signal(n, int(signal.SIG_IGN))\n"
        "await asyncio.sleep(1.5)"
    ),
    "handled-behind-our-back": (
        "import _signal\nfor n in (2, 15): _signal.signal(n, lambda *_: None)\n"
        "_signal.set_wakeup_fd(-1)\nawait asyncio.sleep(1.5)"
    ),
    "wakeup": "signal.set_wakeup_fd(-1)",
    "blocked": "signal.pthread_sigmask(signal.SIG_BLOCK, {2, 15})",
    "loop-of-its-own": (
        "await asyncio.to_thread(asyncio.run, asyncio.sleep(0))\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)"
    ),
    "pool": (
        "await loop.run_in_executor(ProcessPoolExecutor(1, multiprocessing.get_context('fork')), "
        "os.getpid)"
    ),
    "policy": (  # as of uvloop.install(), which has no watcher of child processes
        "class Policy(asyncio.AbstractEventLoopPolicy):\n    pass\n"
        "asyncio.set_event_loop_policy(Policy())\n"
        "await (await asyncio.create_subprocess_exec('true')).wait()"
    ),
    "clinging": (
        "async def cling():\n"
        "    while True:\n"
        "        with contextlib.suppress(BaseException): await asyncio.sleep(600)\n"
        "asyncio.create_task(cling())"
    ),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("deed", HANDLERS.values(), ids=HANDLERS)
def test_signals_end_it_whatever_is_replaced(
    project: RunnerProject, pipe: Pipe, deed: str, number: int
) -> None:
    """A signal ends the run in time, whatever handlers an agent has set."""
    give_deeds(project, {"t1": f"{deed}\nannounce('t1')\nawait asyncio.sleep(600)"})
    process = start(project, pipe)
    process.send_signal(number)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 128 + number
    assert "run --run-id r1" in ended.resume_command


def test_second_signal_is_not_lost_either(project: RunnerProject, pipe: Pipe) -> None:
    """A second signal ends the run at once, whatever handlers an agent has set."""
    deed = (
        f"{HANDLERS['handled-behind-our-back']}\n{HANDLERS['add_signal_handler']}\n"
        "try:\n    announce('t1'); await asyncio.sleep(600)\n"
        "finally:\n    announce('cancelled'); await asyncio.sleep(600)"
    )
    give_deeds(project, {"t1": deed})
    process = start(project, pipe)
    process.send_signal(signal.SIGTERM)
    pipe.wait_for("cancelled")
    process.send_signal(signal.SIGINT)
    assert project.end(process, timeout=3).code == 130


class TestHangup:
    @pytest.fixture(autouse=True)
    def _not_under_nohup(self) -> Iterator[None]:
        """Let processes get SIGHUP, also where the tests themselves ignore it."""
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        yield
        signal.signal(signal.SIGHUP, before)

    def hang_up(self, project: RunnerProject, pipe: Pipe, *program: str) -> subprocess.Popen[str]:
        give_deeds(project, {"t1": "announce('t1'); await asyncio.sleep(600)"})
        process = start(project, pipe, *program)
        process.send_signal(signal.SIGHUP)
        return process

    def test_hangup_ends_it_as_sigterm_does(self, project: RunnerProject, pipe: Pipe) -> None:
        """A SIGHUP ends the run as SIGTERM does."""
        ended = project.end(self.hang_up(project, pipe), timeout=OUT_WITHIN)
        assert ended.code == 143
        assert "Stopped by SIGHUP" in ended.err
        assert "run --run-id r1" in ended.resume_command

    def test_hangup_that_is_ignored_stays_so(self, project: RunnerProject, pipe: Pipe) -> None:
        """A SIGHUP that was ignored at the start, as by nohup, ends nothing."""
        process = self.hang_up(project, pipe, "nohup")
        process.send_signal(signal.SIGTERM)
        assert "Stopped by SIGTERM" in project.end(process, timeout=OUT_WITHIN).err


#: A child that dies of the signal, and what the agent makes of it.
WITH_CHILD = """\
child = await asyncio.create_subprocess_exec('sleep', '600')
announce('t1')
await child.wait()
return 'partial'
"""


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "deed",
    [WITH_CHILD, "try:\n    announce('t1'); await asyncio.sleep(600)\nfinally:\n    return 'late'"],
    ids=["child", "cancelled"],
)
def test_answer_after_a_signal_is_no_result(project: RunnerProject, pipe: Pipe, deed: str) -> None:
    """An answer that comes after a signal is kept as an attempt, and owed."""
    give_deeds(project, {"t1": deed})
    process = start(project, pipe, new_session=True)
    os.killpg(process.pid, signal.SIGINT)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 130
    assert not (project.results / "r1" / "t1" / "generation.json").exists()
    attempt = project.results / "r1" / "t1" / "attempts" / "1" / "generation.json"
    if "late" in deed or attempt.exists():  # the cancellation may come before the child's end
        assert project.read(attempt)["data"] in {"partial", "late"}
    project.heal()
    (project.root / "over-t1").touch()
    resumed = project.shell(ended.resume_command)
    assert resumed.code == 0, resumed.out + resumed.err
    assert project.calls.count("t1") == 2
