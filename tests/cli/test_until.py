"""A run that stops once its question is settled."""

from __future__ import annotations

import json
from signal import SIGKILL
from typing import TYPE_CHECKING

import pytest

from tests.cli.questions import (
    ERROR,
    NO,
    NOT_COMPARABLE,
    RUN,
    USAGE,
    YES,
    make_hopeless,
    settled,
    tasks,
)

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

DIE_AT_THE_EIGHTH = """\
        calls = (ROOT / "calls.txt").read_text().split()
        if len(calls) == 8 and not (ROOT / "healed").exists():
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def hopeless(project: RunnerProject) -> RunnerProject:
    """Sixty tasks, of which one in ten passes, at a dollar each."""
    return make_hopeless(project)


def test_a_settled_run_starts_nothing_more(hopeless: RunnerProject) -> None:
    """Once the mean is below the threshold, no task is started, and there is no final score."""
    ended = hopeless.run(*RUN, "--until-score", "0.7")

    line, count = settled(ended, NO), len(hopeless.calls)
    assert count < 30
    assert line == (
        f"Settled  after {count} of 60 tasks: below 0.7 (at 95 %), ${count}.00 of about $60.00"
    )
    assert not (hopeless.results / "r1" / "final_score.json").exists()
    assert "Mean " not in ended.out
    assert "each bound at 95 %" in ended.out
    assert "the question is settled" in ended.out
    assert "--until" not in ended.resume_command


def test_yes_ends_with_0(project: RunnerProject) -> None:
    """A run that is settled with yes ends with 0."""
    project.write_tasks(tasks(60, passed=58))

    ended = project.run(*RUN, "--until-score", "0.5")

    assert "at least 0.5 (at 95 %)" in settled(ended, YES)
    assert len(project.calls) < 40


def test_order_is_random_and_frozen(hopeless: RunnerProject) -> None:
    """The tasks start in a random order, which is that of the recorded seed."""
    hopeless.run(*RUN, "--until-score", "0.7")
    until = hopeless.read("r1", "run_config.json")["until"]

    assert hopeless.calls != [f"t{n}" for n in range(len(hopeless.calls))]
    assert until.keys() == {"score", "against", "alpha", "seed", "baseline"}
    assert (until["score"], until["alpha"]) == (0.7, 0.05)


def test_settled_run_resumed_starts_nothing(hopeless: RunnerProject) -> None:
    """The same question put again to a settled run starts nothing and has the same answer."""
    first = settled(hopeless.run(*RUN, "--until-score", "0.7"), NO)
    before = len(hopeless.calls)

    again = settled(hopeless.run(*RUN, "--until-score", "0.7"), NO)

    assert (again, len(hopeless.calls)) == (first, before)


def test_without_its_question_it_is_completed(hopeless: RunnerProject) -> None:
    """The same command without the question completes a settled run, which then has a score."""
    hopeless.run(*RUN, "--until-score", "0.7")

    ended = hopeless.run(*RUN)

    assert ended.code == 0
    assert sorted(hopeless.calls) == sorted(f"t{n}" for n in range(60))
    assert hopeless.read("r1", "final_score.json")["final_score"] == 0.1
    assert "below 0.7 (certain)" in ended.out
    assert settled(hopeless.run(*RUN, "--until-score", "0.7"), NO)


def test_forced_score_of_a_settled_run_has_no_error(hopeless: RunnerProject) -> None:
    """A score that is forced on a settled run has no standard error, for the true reason."""
    hopeless.run(*RUN, "--until-score", "0.7")

    ended = hopeless.run("score", "--run-id", "r1", "--force")

    assert "no standard error: the run stops once its question is settled" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "…." not in ended.out
    assert "below 0.7" in hopeless.run("runs").out
    assert "numeric" not in ended.out


def test_capped_run_resumes_its_question(hopeless: RunnerProject) -> None:
    """A cap before the question is settled ends with 1, and the resume command asks it again."""
    question = ["--until-score", "0.7", "--alpha", "0.01"]
    ended = hopeless.run(*RUN, *question, "--max-cost", "3")

    assert settled(ended, ERROR).startswith("Not settled after 3 of 60 tasks: at least 0.7?")
    assert "--until-score 0.7 --alpha 0.01" in ended.resume_command
    assert "(at 99 %)" in settled(hopeless.run(*RUN, *question), NO)
    order = hopeless.calls
    assert len(order) == len({*order})


def test_json_has_the_verdict(hopeless: RunnerProject) -> None:
    """With --json, run and status give the verdict, its interval and no bare mean."""
    ended = hopeless.run(*RUN, "--until-score", "0.7", "--json")
    status = hopeless.run("status", "r1", "--json").json

    found = ended.json
    assert (ended.code, found["complete"], found["mean"]) == (NO, False, None)
    assert found["until"] == status["until"]
    assert found["until"]["answer"] == "below 0.7"
    assert found["until"]["interval"]["low"] <= 0.1 <= found["until"]["interval"]["high"] <= 0.7
    assert status["mean"] is status["interval"] is None


def test_status_says_what_is_settled(hopeless: RunnerProject) -> None:
    """The status of a settled run has the line of the run, and its resume completes it."""
    line = settled(hopeless.run(*RUN, "--until-score", "0.7"), NO)

    ended = hopeless.run("status", "r1")

    assert settled(ended, 0) == line
    assert "Mean " not in ended.out
    assert "--until" not in ended.resume_command


def test_a_killed_run_reaches_the_same_verdict(hopeless: RunnerProject) -> None:
    """A run that is killed and resumed ends as one with the same seed that was not."""
    hopeless.change_agent(("        match word:", f"{DIE_AT_THE_EIGHTH}        match word:"))
    question = [*RUN, "--until-score", "0.45", "--alpha", "0.001"]
    assert hopeless.execute(*question).code == -SIGKILL
    killed, frozen = hopeless.calls, hopeless.read("r1", "run_config.json")
    hopeless.heal()

    resumed = settled(hopeless.run(*question), NO)

    after = hopeless.calls[len(killed) :]
    (hopeless.results / "r2").mkdir()
    (hopeless.results / "r2" / "run_config.json").write_text(json.dumps({**frozen, "run_id": "r2"}))
    (hopeless.root / "calls.txt").unlink()
    uninterrupted = settled(hopeless.run(*question, "--run-id", "r2"), NO)
    for line in (resumed, uninterrupted):
        assert "below 0.45 (at 99.9 %)" in line
    # A task may start while the one before it is evaluated.
    both = zip([*killed[:-1], *after], hopeless.calls, strict=False)
    assert all(one == other for one, other in both)
    assert abs(len(killed) - 1 + len(after) - len(hopeless.calls)) <= 1


def test_a_settled_run_is_not_compared(hopeless: RunnerProject) -> None:
    """A settled run is not comparable, and has its answer in place of a score in the list."""
    assert hopeless.run("run", "--run-id", "r0").code == 0
    hopeless.run(*RUN, "--until-score", "0.7")

    ended = hopeless.run("compare", "r0", "r1", "--fail-if-worse")
    listed = hopeless.run("runs").out.splitlines()
    answers = [run["answer"] for run in hopeless.run("runs", "--json").json["runs"]]

    assert ended.code == NOT_COMPARABLE
    printed = " ".join(ended.out.split())
    assert "- B stops once its question is settled (below 0.7), and its scores" in printed
    assert "counting each as 0" not in printed
    assert "Way out" in printed
    assert any("r1" in line and "below 0.7" in line for line in listed)
    assert answers == ["below 0.7", None]


def test_a_settled_run_is_reported(hopeless: RunnerProject) -> None:
    """The report of a settled run has its verdict and interval, and no mean."""
    assert hopeless.run("run", "--run-id", "r0").code == 0
    hopeless.run(*RUN, "--until-score", "0.7")

    for runs in (["r1"], ["r0", "r1"]):
        assert hopeless.run("report", *runs, "--output", "r.html").code == 0

        page = (hopeless.root / "r.html").read_text()
        assert "below 0.7 (at 95 %)" in page
        assert "<li>Settled: below 0.7</li>" in page or len(runs) > 1
        assert "each bound at 95 %" in page
        assert "Mean so far" not in page


def test_a_settled_run_has_no_reduced_score(hopeless: RunnerProject) -> None:
    """A settled run has no score by any reduction, but says why."""
    hopeless.run(*RUN, "--repeats", "2", "--until-score", "0.7")

    ended = hopeless.run("status", "r1", "--reduce", "pass@2")

    assert "pass@2   none: the run stops once its question is settled" in ended.out


def test_errors_count_at_their_worst(project: RunnerProject) -> None:
    """Tasks that fail hold up a verdict, and never make one."""
    project.write_tasks([{**task, "question": "raise no"} for task in tasks(6, passed=0)])

    ended = project.run(*RUN, "--until-score", "0.5")

    assert settled(ended, ERROR).startswith("Not settled after 6 of 6 tasks")
    assert "--until-score 0.5" in ended.resume_command


def test_running_tasks_finish(hopeless: RunnerProject) -> None:
    """Generations that run when the question is settled are finished and evaluated."""
    ended = hopeless.run("run", "--run-id", "r1", "--parallelism", "8", "--until-score", "0.7")

    settled(ended, NO)
    assert len(hopeless.calls) < 40
    for task_id in hopeless.calls:
        assert hopeless.read("r1", task_id, "eval.json")["status"] == "evaluated"


def test_repeats_of_a_task_start_in_succession(hopeless: RunnerProject) -> None:
    """With a question, all repeats of a task start before the next task does."""
    ended = hopeless.run(*RUN, "--repeats", "2", "--until-score", "0.7")

    settled(ended, NO)
    calls = hopeless.calls
    assert calls[::2][: len(calls) // 2] == calls[1::2]
    assert "of 120 generations" in ended.out


def test_dry_run_of_a_settled_run_starts_nothing(hopeless: RunnerProject) -> None:
    """Once the question is settled, a dry run that asks it again plans no generation."""
    hopeless.run(*RUN, "--until-score", "0.7")

    asked = hopeless.run(*RUN, "--until-score", "0.7", "--dry-run")
    completed = hopeless.run(*RUN, "--dry-run")

    assert "  generate 0 tasks" in asked.out.splitlines()
    assert f"  generate {60 - len(hopeless.calls)} tasks" in completed.out.splitlines()


def test_more_repeats_drop_the_question(hopeless: RunnerProject) -> None:
    """A run that gets more repeats has no question any more: it was about fewer."""
    hopeless.run(*RUN, "--until-score", "0.7")

    ended = hopeless.run(*RUN, "--repeats", "2")

    assert ended.code == 0
    assert "Settled" not in ended.out
    assert "final_score" in hopeless.read("r1", "final_score.json")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--until-score", "0.7", "--skip-eval"], "excludes --skip-eval"),
        (["--until-score", "0.7", "--problem", "q.txt", "t1"], "excludes --problem"),
        (["--until-score", "0.7", "--rerun", "t1"], "excludes --rerun"),
        (["--until-score", "0.7", "--retry-timeouts"], "excludes --retry-timeouts"),
        (["--until-score", "0.7", "t1"], "excludes TASK_IDS"),
        (["--until-score", "0.7", "--until-decided-against", "r0"], "exclude each other"),
        (["--until-score", "1.1"], "is not from 0 to 1"),
        (["--until-score", "-0.1"], "is not from 0 to 1"),
        (["--until-score", "nan"], "not"),
        (["--alpha", "0.05"], "--alpha needs --until-score"),
        (["--until-score", "0.7", "--alpha", "1"], "--alpha 1 is no probability"),
        (["--until-decided-against", "r1"], "no such run"),
        (["--until-decided-against", "../r0"], "run id"),
    ],
)
def test_bad_questions_are_refused(project: RunnerProject, args: list[str], message: str) -> None:
    """A question that makes no sense is refused with the reason, and nothing is run."""
    (project.root / "q.txt").write_text("say x")

    ended = project.run(*RUN, *args)

    assert ended.code == USAGE, ended.err
    assert message in " ".join(ended.err.split())
    assert not project.calls


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--until-score", "0.8"], "was started with --until-score 0.7"),
        (
            ["--until-score", "0.7", "--alpha", "0.1"],
            "was started with --until-score 0.7 --alpha 0.05",
        ),
        (["--until-score", "0.7", "--repeats", "2"], "is about 1 repeat of each task"),
    ],
)
def test_another_question_is_refused(
    hopeless: RunnerProject, args: list[str], message: str
) -> None:
    """A run has one question: another one, or another alpha, is refused."""
    hopeless.run(*RUN, "--until-score", "0.7", "--max-cost", "3")

    ended = hopeless.run(*RUN, *args)

    assert ended.code == USAGE
    assert message in " ".join(ended.err.split())


def test_started_run_takes_no_question(hopeless: RunnerProject) -> None:
    """A run that started without a question takes none."""
    hopeless.run(*RUN, "--max-cost", "3")

    ended = hopeless.run(*RUN, "--until-score", "0.7")

    assert ended.code == USAGE
    assert "started without a question" in ended.err


def test_unusable_scores_stop_the_run(project: RunnerProject) -> None:
    """A score outside 0 to 1 stops the run with the reason, and so does a resume."""
    project.write_tasks(tasks(30, passed=30))
    project.write_grader('def grade(task, response):\n    return {"score": 7}\n')

    for _ in range(2):
        ended = project.run(*RUN, "--until-score", "0.7")

        assert ended.code == ERROR
        assert "the score 7" in ended.err
        assert "each bound at" not in ended.out
        assert "without its question" in " ".join(ended.err.split())
        assert len(project.calls) < 5
    assert project.run(*RUN).code == 0
