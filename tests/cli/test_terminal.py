"""What an operator sees: on a terminal of 80 columns, in a log, and with ``--quiet``."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import termios
import threading
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import COLUMNS, CONTROL, Screen, read, read_until, start, watch

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


def test_bar_ends_on_a_clean_screen(project: RunnerProject) -> None:
    """On a terminal a bar with counts ends on a clean screen."""
    code, text, lines = watch(project, "run", "--run-id", "r1")
    assert code == 0
    assert "\x1b[?25l" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor stays hidden"
    assert lines[0] == "Starting run r1"
    bars = [line for line in lines if "━" in line]
    assert len(bars) == 1, lines
    assert bars[0].startswith("━━━━━━━━━━━━━━━━━━━━ 3/3 done  0:00:0")
    assert not [line for line in lines if "generating" in line], "half of a drawing is left"
    mean, *end = lines[lines.index(bars[0]) + 1 :]
    assert mean == "mean 0.6667 ± 0.33 (n=3)"
    assert end[0].startswith("Score    0.6667 ± 0.33")
    assert end[-2].startswith("Resume   ")
    assert end[-1] == ""
    assert max(map(len, lines)) <= COLUMNS


def test_agents_output_does_not_garble_the_bar(
    project: RunnerProject,
) -> None:
    """Output of the agent does not garble the bar."""
    project.change_agent(
        ("        word, _, rest", "        print('thinking about', task.id)\n        word, _, rest")
    )
    code, _, lines = watch(project, "run", "--run-id", "r1")
    assert code == 0
    thoughts = [line for line in lines if "thinking" in line]
    assert sorted(thoughts) == [f"thinking about {task_id}" for task_id in ("t1", "t2", "t3")]
    assert len([line for line in lines if "━" in line]) == 1


def test_long_reason_is_cut(project: RunnerProject) -> None:
    """A long reason is cut and not wrapped into the bar."""
    project.write_tasks(
        [{"id": f"t{n}", "question": "raise " + "very " * 40, "answer": ""} for n in range(3)]
    )
    code, _, lines = watch(project, "run", "--run-id", "r1")
    assert code == 1
    assert len([line for line in lines if "━" in line]) == 1
    assert any(line.startswith("Generation failed for 3 tasks") for line in lines)


def test_plain_lines_without_a_terminal(
    project: RunnerProject,
) -> None:
    """Without a terminal there are plain lines on standard error."""
    ended = project.execute("run", "--run-id", "r1")
    assert ended.err.splitlines() == [
        "0/3 done, 0 generating, 0 evaluating",
        "3/3 done, 0 generating, 0 evaluating, mean 0.6667 ± 0.33",
    ]
    assert "\x1b" not in ended.out + ended.err
    assert "done," not in ended.out


MANY = 300


def test_many_tasks_have_a_few_rows(
    project: RunnerProject,
) -> None:
    """Hundreds of parallel tasks have a few rows and leave a clean screen."""
    project.change_agent(
        ('            case "say":', '            case "say":\n                await all_at_once()'),
        ("def announce", ALL_AT_ONCE.format(count=MANY)),
    )
    project.write_tasks([{"id": f"t{n}", "question": "say 1", "answer": "1"} for n in range(MANY)])
    code, text, lines = watch(project, "run", "--run-id", "r1", "--parallelism", str(MANY))
    assert code == 0
    assert f"{MANY} generating" in text
    assert max(drawn.count("\n") for drawn in text.split("\x1b[2K")[1:-1]) < 8
    assert len([line for line in lines if "━" in line]) == 1
    assert not [line for line in lines if "generating" in line]
    assert max(map(len, lines)) <= COLUMNS
    found = (project.results / "r1" / "events.jsonl").read_text().splitlines()
    assert len(found) == 4 * MANY + 3
    assert json.loads(found[-1])["outcome"] == "complete"


#: None returns before all have been called, and that has been seen on the screen.
ALL_AT_ONCE = """\
here = 0
gathered = asyncio.Event()


async def all_at_once():
    global here
    here += 1
    if here == {count}:
        await asyncio.sleep(1)
        gathered.set()
    await gathered.wait()


def announce"""


def test_narrower_terminal_gets_narrower_rows(project: RunnerProject) -> None:
    """A terminal that becomes narrower gets narrower rows."""
    project.write_tasks(
        [{"id": f"t{n}-{'long' * 30}", "question": "wait", "answer": ""} for n in "12"]
    )
    process, master = start(project, "run", "--run-id", "r1")
    text = read_until(master, "generating")
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    process.send_signal(signal.SIGWINCH)
    text = read_until(master, "0:00:06  t1")
    process.send_signal(signal.SIGINT)
    text += read(master)
    assert process.wait(30) == 130
    *drawn, end = text.split("\x1b[2K")
    rows = [row for part in drawn[1:] for row in part.splitlines()]
    assert max(map(len, (CONTROL.sub("", row) for row in rows))) <= 39
    assert "…" in "".join(rows)
    assert end.index("\x1b[?25h") < end.index("Stopped by SIGINT")


def test_ctrl_c_shows_the_cursor_again(
    project: RunnerProject,
) -> None:
    """Ctrl-C shows the cursor again and leaves a complete last drawing."""
    project.write_tasks([{"id": f"t{n}", "question": "wait", "answer": ""} for n in range(50)])
    process, master = start(project, "run", "--run-id", "r1", "--parallelism", "50")
    text = read_until(master, "50 generating")
    os.write(master, b"\x03")
    process.send_signal(signal.SIGINT)  # the terminal is not its controlling one
    text += read(master)
    assert process.wait(30) == 130
    screen = Screen()
    screen.feed(text)
    lines = [line.rstrip() for line in screen.lines]
    assert len([line for line in lines if "0/50 done" in line]) == 1, lines
    assert not [line for line in lines if "generating" in line], lines
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor stays hidden"
    last = (project.results / "r1" / "events.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["outcome"] == "interrupted"


def test_quiet_shows_only_the_result(project: RunnerProject) -> None:
    """--quiet shows no progress and still the result."""
    ended = project.run("run", "--run-id", "r1", "--quiet")
    assert ended.code == 0
    assert ended.err == ""
    assert ended.out.startswith("Score    0.6667")
    assert "Results  results/r1" in ended.out
    assert "run --run-id r1" in ended.resume_command


def test_quiet_shows_errors(project: RunnerProject) -> None:
    """--quiet does not hide an error."""
    ended = project.run("run", "--quiet", "t9")
    assert ended.code == 2
    assert "t9" in ended.err


def test_plain_lines_come_without_events(project: RunnerProject) -> None:
    """Plain lines come also while nothing happens."""
    patch = "from benchmark_runner._progress import display\n\ndisplay.PLAIN_INTERVAL = 0.2\n"
    script = project.script.read_text()
    project.script.write_text(script.replace("from runner.cli", f"{patch}\nfrom runner.cli"))
    project.write_tasks([{"id": "t1", "question": "wait", "answer": "", "timeout": 1}])
    ended = project.execute("run", "--run-id", "r1")
    lines = ended.err.splitlines()
    # No event comes between the start of the agent and its end.
    assert lines[:2] == [
        "0/1 done, 0 generating, 0 evaluating",
        "0/1 done, 1 generating, 0 evaluating",
    ]
    assert lines[-1].startswith("1/1 done, 0 generating, 0 evaluating, 1 timed out, mean 0")
    assert max(map(len, lines)) <= 100


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("orderly_within", "signals"),
    [(0.5, [signal.SIGINT]), (1000, [signal.SIGINT, signal.SIGTERM])],
    ids=["first", "second"],
)
def test_cursor_is_shown_if_the_agent_blocks(
    project: RunnerProject, orderly_within: float, signals: list[signal.Signals]
) -> None:
    """A signal shows the cursor again, also if the agent blocks the loop."""
    script = project.script.read_text()
    shorter = (
        f"from benchmark_runner.cli import signals\n\nsignals.ORDERLY_WITHIN = {orderly_within}\n"
    )
    project.script.write_text(script.replace("from runner.cli", f"{shorter}\nfrom runner.cli"))
    project.change_agent(("await asyncio.Event().wait()", "__import__('time').sleep(1000)"))
    project.write_tasks([{"id": "t1", "question": "wait", "answer": ""}])
    blocked, write_end = os.pipe()
    process, master = start(project, "run", "--run-id", "r1", ready=write_end)
    os.close(write_end)
    assert os.read(blocked, 100) == b"t1\n"
    os.close(blocked)
    for number in signals:
        process.send_signal(number)
    too_late = threading.Timer(12, process.kill)
    too_late.start()
    text = read(master)
    assert process.wait() in {130, 143}
    too_late.cancel()
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor stays hidden"
    if len(signals) == 1:  # then there is time for a summary, below the bar
        screen = Screen()
        screen.feed(text)
        below = "\n".join(screen.lines).rpartition("━")[2]
        assert "Stopped by SIGINT" in below
        last = (project.results / "r1" / "events.jsonl").read_text().splitlines()[-1]
        assert json.loads(last)["outcome"] == "interrupted"
        assert "\nResume   " in below


def test_blocking_task_is_named(
    project: RunnerProject,
) -> None:
    """A task that blocks the loop is named, with its code in a log."""
    script = project.script.read_text()
    sooner = (
        "from benchmark_runner._concurrency import loop_watch\n\nloop_watch.BLOCKED_AFTER = 0.3\n"
    )
    project.script.write_text(script.replace("from runner.cli", f"{sooner}\nfrom runner.cli"))
    project.change_agent(
        ("await asyncio.Event().wait()", "await asyncio.gather(computes(log_dir), other())"),
        ("def announce", COMPUTES),
    )
    project.write_tasks(
        [
            {"id": "t1", "question": "wait", "answer": ""},
            {"id": "t2", "question": "say two", "answer": "two"},
        ]
    )
    ended = project.execute("run", "--run-id", "r1")
    assert "Kept everything else waiting: t1" in ended.out.splitlines()
    assert "where it was: results/r1/t1/agent_logs/blocked.log" in ended.out
    assert "task t1 has not yielded for" in ended.err
    stack = (project.results / "r1" / "t1" / "agent_logs" / "blocked.log").read_text()
    assert "while not (log_dir / 'blocked.log').exists():" in stack

    project.heal()
    again = project.execute("run", "--run-id", "r2", "--json")
    assert again.json["blocked"] == []
    (project.root / "healed").unlink()
    again = project.execute("run", "--run-id", "r3", "--json")
    assert again.json["blocked"] == ["t1"]


COMPUTES = """\
async def computes(log_dir):
    while not (log_dir / 'blocked.log').exists():
        pass
    raise ValueError("found out")


async def other():
    pass


def announce"""
