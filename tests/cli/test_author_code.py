"""An author's code can't leave its task: what it does there fails that task, and no other."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.cli.misdeeds import (
    OTHERS,
    assert_failed,
    assert_others_are_done,
    give_deeds,
    run_with,
)

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

#: Ways to end the program from what ``generate()`` starts.
EXITS = {
    "task": "await asyncio.create_task(leave())",
    "gather": "await asyncio.gather(leave(), asyncio.sleep(1))",
    "wait-for": "await asyncio.wait_for(leave(), 9)",
    "group": "async with asyncio.TaskGroup() as group:\n    group.create_task(leave())",
    "thread": "await asyncio.to_thread(sys.exit)",
    "executor": "await loop.run_in_executor(None, sys.exit, 0)",
    "callback": "loop.call_soon(sys.exit); await asyncio.sleep(9)",
    "later": "loop.call_later(0.05, sys.exit, 0); await asyncio.sleep(9)",
    "from-a-thread": (
        "await asyncio.to_thread(lambda: loop.call_soon_threadsafe(sys.exit))\n"
        "await asyncio.sleep(9)"
    ),
    "done-callback": (
        "task = asyncio.create_task(asyncio.sleep(0))\n"
        "task.add_done_callback(lambda _: sys.exit())\n"
        "await asyncio.sleep(9)"
    ),
    "not-awaited": "asyncio.create_task(leave()); await asyncio.sleep(9)",
    "task-of-a-task": (
        "async def nest():\n    await asyncio.create_task(leave())\n"
        "await asyncio.create_task(nest())"
    ),
    "at-once": "os._exit(0)",
    "replaced": "os.execlp('true', 'true')",
    "generator": (
        "async def words():\n    yield await leave()\nasync for word in words():\n    pass"
    ),
}


def test_exit_fails_its_task(project: RunnerProject) -> None:
    """A sys.exit() in anything that generate() starts fails that task."""
    ended = run_with(project, EXITS)
    assert_failed(project, ended, dict.fromkeys(EXITS, "SystemExit"))


INTERRUPTS = {
    "itself": "raise KeyboardInterrupt",
    "task": "await asyncio.create_task(interrupt())",
    "callback": (
        "def interrupt():\n    raise KeyboardInterrupt\n"
        "loop.call_soon(interrupt)\nawait asyncio.sleep(9)"
    ),
}


def test_keyboard_interrupt_fails_its_task(project: RunnerProject) -> None:
    """A KeyboardInterrupt that code raises, without a signal, fails its task."""
    ended = run_with(project, INTERRUPTS)
    assert_failed(project, ended, dict.fromkeys(INTERRUPTS, "KeyboardInterrupt"))


#: What is not the task's own, and why it is refused.
REACHES = {
    "cancel-all": (
        (
            "others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]\n"
            "for t in others: t.cancel()"
        ),
        "may cancel only tasks that it started",
    ),
    "cancel-all-whatever-happens": (
        (
            "others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]\n"
            "for t in others:\n"
            "    with contextlib.suppress(RuntimeError): t.cancel()\n"
            "await asyncio.sleep(0.1)\n"
            "raise OSError('gave up')"
        ),
        "gave up",
    ),
    "cancel-gathered": (
        "asyncio.gather(*asyncio.all_tasks()).cancel()",
        "may cancel only tasks that it started",
    ),
    "wait-for-all": (
        (
            "others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]\n"
            "await asyncio.wait_for(asyncio.wait(others), 0.1)"
        ),
        "TimeoutError",
    ),
    "cancel-itself": ("asyncio.current_task().cancel(); await asyncio.sleep(9)", "CancelledError"),
    "stop": ("loop.stop()", "can't be stopped"),
    "close": ("loop.close()", "running event loop"),
    "end-the-threads": ("await loop.shutdown_default_executor()", "can't be shut down"),
    "end-the-generators": ("await loop.shutdown_asyncgens()", "can't be shut down"),
    "run-the-loop": ("loop.run_forever()", "already running"),
}


def test_reaching_for_the_run_fails_its_task(project: RunnerProject) -> None:
    """Code that reaches for all tasks or for the event loop fails its task."""
    ended = run_with(project, {name: deed for name, (deed, _) in REACHES.items()})
    assert_failed(project, ended, {name: reason for name, (_, reason) in REACHES.items()})


CALLBACKS = {
    "stop-from-a-thread": "await asyncio.to_thread(lambda: loop.call_soon_threadsafe(loop.stop))",
    "stop-in-a-callback": "loop.call_soon(loop.stop); await asyncio.sleep(0.1)",
    "cancel-from-a-thread": (
        "def cancel():\n"
        "    for t in asyncio.all_tasks(loop): loop.call_soon_threadsafe(t.cancel)\n"
        "thread = threading.Thread(target=cancel); thread.start(); thread.join()"
    ),
}


def test_reaching_in_a_callback_ends_nothing(project: RunnerProject) -> None:
    """A callback that reaches for the run ends no other task."""
    ended = run_with(project, CALLBACKS)
    assert ended.code in {0, 1}, ended.err
    assert_others_are_done(project)
    assert sorted(project.calls) == sorted([*CALLBACKS, *OTHERS])


ALARM = """\
def ring(*_):
    raise {error}
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.05)
"""


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("TimeoutError('alarm')", "TimeoutError: alarm"),
        ("SystemExit(3)", "SystemExit: 3"),
        ("BadText()", "BadText: its message can't be shown"),
    ],
)
def test_raising_signal_handler_fails_its_task(
    project: RunnerProject, error: str, reason: str
) -> None:
    """A signal handler that raises while others run fails the task that set it."""
    ended = run_with(project, {"t1": ALARM.format(error=error) + "await asyncio.sleep(9)"})
    assert_failed(project, ended, {"t1": reason})


def test_alarm_ends_its_own_calculation(project: RunnerProject) -> None:
    """A signal handler raises in the code of its own task, as usual."""
    calculation = ALARM.format(error="TimeoutError('alarm')") + "while True: pass"
    deed = (
        f"try:\n{textwrap.indent(calculation, '    ')}\n"
        "except TimeoutError as error:\n    return f'ended: {error}'"
    )
    ended = run_with(project, {"t1": deed})
    assert project.read("r1", "t1", "generation.json")["data"] == "ended: alarm"
    assert "4 scored" in ended.out


#: What would end the program or stop its event loop.
UNHANDLED = {
    "alarm": "signal.setitimer(signal.ITIMER_REAL, 0.01); await asyncio.sleep(0.1)",
    "calculation": (
        "signal.setitimer(signal.ITIMER_VIRTUAL, 0.01); end = time.process_time() + 0.1\n"
        "while time.process_time() < end: pass"
    ),
    "signal": "signal.raise_signal(signal.SIGUSR1); await asyncio.sleep(0.1)",
    "exit-in-a-hook": (
        "threading.excepthook = lambda _: os._exit(9)\n"
        "thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()"
    ),
    "frozen-clock": "time.monotonic = lambda: 0.0; await asyncio.sleep(0.1)",
}


def test_unhandled_signals_end_nothing(project: RunnerProject) -> None:
    """A signal without a handler ends nothing, nor does a thread's hook, nor a replaced clock."""
    ended = run_with(project, UNHANDLED)
    assert ended.code == 0, ended.out + ended.err
    assert_others_are_done(project)


AT_EXIT = {
    "exit": "import atexit; atexit.register(os._exit, 0); raise OSError('failed')",
    "error": "import atexit; atexit.register(lambda: 1 / 0); raise OSError('failed')",
}


def test_code_at_exit_changes_no_exit_code(project: RunnerProject) -> None:
    """Code that an agent leaves for the end changes no exit code, and prints nothing."""
    ended = run_with(project, AT_EXIT)
    assert "ZeroDivisionError" not in ended.err
    assert_failed(project, ended, dict.fromkeys(AT_EXIT, "OSError: failed"))


UNPRINTABLE = {
    "itself": "raise BadText",
    "thread": "await asyncio.to_thread(lambda: (_ for _ in ()).throw(BadText))",
    "cause": "try:\n    raise BadText\nexcept BadText as error:\n    raise OSError from error",
    "group": "raise ExceptionGroup('several', [BadText(), ValueError('other')])",
    "note": "error = ValueError('noted'); error.__notes__ = [BadText()]; raise error",
}


def test_unprintable_error_fails_its_task(project: RunnerProject) -> None:
    """An exception whose text can't be made fails its task, with a traceback in the log."""
    ended = run_with(project, UNPRINTABLE)
    for name in UNPRINTABLE:
        log = project.results / "r1" / name / "agent_logs" / "traceback.log"
        assert 'File "<string>", line' in log.read_text()
    assert_failed(project, ended, dict.fromkeys(UNPRINTABLE, ""))


BACKGROUND = {
    "task": "task = asyncio.create_task(fail()); await asyncio.sleep(0.1); del task",
    "callback": "loop.call_soon(lambda: 1 / 0); await asyncio.sleep(0.1)",
    "thread": "thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()",
    "finalizer": ("class Thing:\n    def __del__(self): 1 / 0\nThing(); await asyncio.sleep(0.1)"),
    "future": "loop.create_future().set_exception(ZeroDivisionError()); await asyncio.sleep(0.1)",
    "asked-for": "loop.call_exception_handler({'message': 'ZeroDivisionError of mine'})",
}


def test_background_errors_are_in_the_log(project: RunnerProject) -> None:
    """An error that nobody waits for is in its task's log, masked, and not on the terminal."""
    secret = "sk-12345-secret"
    fail = f"async def fail(): raise ZeroDivisionError('{secret}')\n"
    give_deeds(project, {name: fail + deed for name, deed in BACKGROUND.items()})
    ended = project.execute("run", "--run-id", "r1", CUSTOM_API_KEY=secret)
    assert f"{len(BACKGROUND) + len(OTHERS)} scored" in ended.out
    assert "ZeroDivisionError" not in ended.err + ended.out
    for name in BACKGROUND:
        log = project.results / "r1" / name / "agent_logs" / "background.log"
        assert "ZeroDivisionError" in log.read_text(), name
        assert secret not in log.read_text()


@pytest.mark.sampled
@pytest.mark.parametrize(
    "method",
    [
        "async def load_tasks(self, dataset_file): await asyncio.gather(leave())",
        "def load_tasks(self, dataset_file): sys.exit()",
        "async def load_tasks(self, dataset_file): asyncio.get_running_loop().stop()",
        "async def load_tasks(self, dataset_file): [t.cancel() for t in asyncio.all_tasks()]",
        "async def load_tasks(self, dataset_file): raise BadText",
        "async def score(self, evals): await asyncio.gather(leave())",
        "def score(self, evals): sys.exit()",
        (
            "async def score(self, evals): asyncio.get_running_loop().call_soon(sys.exit); "
            "await asyncio.sleep(9)"
        ),
        "def score(self, evals): raise BadText",
        "def __init__(self, **_): sys.exit()",
        "sys.exit()",
    ],
)
def test_other_methods_end_with_a_message(project: RunnerProject, method: str) -> None:
    """Another method that tries to end the program ends the command with a message."""
    give_deeds(project, {"t1": "return 'done'"})
    project.set_in_class(method)
    ended = project.execute("run", "--run-id", "r1")
    assert ended.code == 2, ended.out + ended.err
    assert ended.err.splitlines()[-2].startswith("RunnerDefinitionError: ")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("deed", ["sys.exit()", "raise KeyboardInterrupt", "raise BadText"])
def test_task_score_ends_no_program(project: RunnerProject, deed: str) -> None:
    """A task_score() that tries to end the program is an error of the evaluations."""
    give_deeds(project, {"t1": "return 'done'"})
    project.set_in_class(f"def task_score(self, result): {deed}")
    ended = project.execute("run", "--run-id", "r1")
    assert ended.code == 1, ended.out + ended.err
    assert "task_score() raised" in ended.out
    assert "run --run-id r1" in ended.resume_command


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "grade",
    [
        "async def grade(task, response): await asyncio.gather(leave(task)); return 1.0",
        (
            "async def grade(task, response): asyncio.create_task(leave(task)); "
            "await asyncio.sleep(0.3); return 1.0"
        ),
        "def grade(task, response):\n    if task['id'] == 't1': sys.exit()\n    return 1.0",
    ],
)
def test_exit_in_a_grader_fails_one_evaluation(project: RunnerProject, grade: str) -> None:
    """A grader that starts something which exits fails that evaluation only."""
    give_deeds(project, {"t1": "return 'done'"})
    project.write_grader(
        "import asyncio, sys\n\n\nasync def leave(task):\n"
        "    if task['id'] == 't1': sys.exit()\n\n\n" + grade
    )
    ended = project.execute("run", "--run-id", "r1")
    assert ended.code == 1, ended.out + ended.err
    assert project.read("r1", "t1", "eval.json")["status"] == "error"
    for name in OTHERS:
        assert project.read("r1", name, "eval.json")["status"] == "evaluated"
