"""A model that does not answer: timeouts without any sign of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject

ASK = "async def ask():\n    await asyncio.Event().wait()\n\n\n"
RUN = ("run", "--run-id", "r1")


def silent(count: int) -> list[dict[str, object]]:
    task = {"question": "wait", "answer": "", "timeout": 0.3}
    return [{"id": f"w{n}", **task} for n in range(count)]


def say(count: int) -> list[dict[str, object]]:
    return [{"id": f"t{n}", "question": "say x", "answer": "x"} for n in range(count)]


def assert_paused(ended: Ended) -> None:
    assert ended.code == 1
    assert "RunPausedError: paused after 1" in ended.err
    assert "ran out of time, without a success and without any sign of an answer" in ended.err
    assert "--retry-timeouts" in ended.resume_command
    assert "No score yet: " in ended.out


def test_ten_silent_timeouts_pause_the_run(project: RunnerProject) -> None:
    """Ten timeouts without a sign of an answer pause the run; the printed command redoes them."""
    project.write_tasks([*say(2), *silent(14)])
    ended = project.run(*RUN, "--parallelism", "1")
    assert_paused(ended)
    assert len(project.calls) == 12
    assert "No sign of an answer in 10 timeouts (no token, no turn): w0, w1, w2" in ended.out
    assert "4 not generated" in ended.out
    project.heal()
    ended = project.shell(ended.resume_command)
    assert ended.code == 0, ended.err
    assert len(project.calls) == 12 + 14
    assert project.read("r1", "final_score.json")["complete"] is True


def test_run_of_silent_timeouts_only_has_no_score(project: RunnerProject) -> None:
    """A run whose tasks all ran out of time at once, silently, is paused and has no score."""
    project.write_tasks(silent(12))
    assert_paused(project.run(*RUN, "--parallelism", "12"))
    assert "r1/final_score.json" not in project.files()


@pytest.mark.parametrize("skip_eval", [True, False])
def test_few_timeouts_are_outcomes(project: RunnerProject, skip_eval: bool) -> None:
    """A few timeouts are outcomes: the run is complete, and counts them apart."""
    project.write_tasks([*silent(9), *say(1)])
    ended = project.run(*RUN, *(["--skip-eval"] if skip_eval else []))
    assert ended.code == 0, ended.err
    assert "9 timed out" in ended.out
    assert "No sign of an answer in 9 timeouts" in ended.out
    for command in (("status", "r1"), ("run", "--run-id", "r1")):
        document = project.run(*command, "--json").json
        assert document["timeouts_without_answer"] == 9
        assert document["counts"]["max_time"] == 9


def test_timeouts_after_answers_are_outcomes(project: RunnerProject) -> None:
    """Hard tasks that end last do not pause a run whose other tasks were answered."""
    project.write_tasks([*say(1), *silent(11)])
    ended = project.run(*RUN, "--parallelism", "12")
    assert ended.code == 0, ended.err
    assert project.read("r1", "final_score.json")["complete"] is True


@pytest.mark.parametrize("first", ["", "task.id = None; ", "task.id = '../other'; "])
def test_timeout_tells_where_the_agent_waited(project: RunnerProject, first: str) -> None:
    """The message has the line at which the agent waited, and its log has the stack."""
    project.write_tasks(silent(1))
    waiting = "await asyncio.Event().wait()\n            case"
    project.change_agent(
        (
            f'{waiting} "cling',
            waiting.replace("await asyncio.Event().wait", f"{first}await ask") + ' "cling',
        ),
        ("class SampleRunner", f"{ASK}class SampleRunner"),
    )
    assert project.run(*RUN).code == 0
    error = project.read("r1", "w0", "generation.json")["error"]
    assert error.startswith("no answer within 0.3 s; it waited in ask() (benchmark.py, line ")
    log = (project.results / "r1" / "w0" / "agent_logs" / "timeout.log").read_text()
    assert log.index("await ask()\n") < log.index("await asyncio.Event().wait()\n")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("reason", ["content_filter", "length", "refusal", "tool_calls", "empty"])
def test_answers_that_are_not_whole_are_counted(project: RunnerProject, reason: str) -> None:
    """More than a few answers that are not whole ones are counted by their reason."""
    stop = f"GenerationResult(answer=rest, stop_reason={reason!r} if rest == 'cut' else 'stop')"
    project.change_agent(("GenerationResult(answer=rest)", stop))
    cut = [{"id": f"c{n}", "question": "say cut", "answer": "x"} for n in range(4)]
    project.write_tasks([*cut, *say(16)])
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0
    assert f"Stopped by {reason!r}: 4 answers: c0, c1, c2, c3" in ended.out
    assert project.run("status", "r1", "--json").json["stop_reasons"] == {reason: 4}
    project.write_tasks([*cut[:3], *say(16)])
    assert "Stopped by" not in project.run("run", "--run-id", "r2").out
