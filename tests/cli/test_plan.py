"""``plan``: the tasks and repeats that a study needs."""

from __future__ import annotations

import random
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.files import state
from tests.unit.results.compare.two_runs import FAILED, TwoRuns

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject

TASKS = [f"t{number}" for number in range(40)]


@pytest.fixture
def runs(project: RunnerProject) -> TwoRuns:
    return TwoRuns(project.results)


def write(runs: TwoRuns, run_id: str, *, repeats: int, **fields: object) -> None:
    chance = random.Random(run_id)
    outcomes = [
        {
            task: float(chance.random() < 0.3 + 0.4 * (number % 2))
            for number, task in enumerate(TASKS)
        }
        for _ in range(repeats)
    ]
    runs.write_repeats(run_id, outcomes, dataset_size=400, **fields)


def plan(project: RunnerProject, *args: str, code: int = 0) -> Ended:
    """Return what it says, once it is sure that it has touched nothing."""
    before = state(project.root)
    ended = project.run("plan", *args)
    assert ended.code == code, ended.err
    assert state(project.root) == before
    return ended


def test_mixes_are_listed_with_cost_and_time(project: RunnerProject, runs: TwoRuns) -> None:
    """The mixes are listed, the cheapest first, with all that is assumed, in 80 columns."""
    write(
        runs,
        "base",
        repeats=3,
        generation={"cost": 0.5, "duration": 30.0},
        operational={"parallelism": 5},
    )

    lines = plan(project, "--detect", "0.15", "--from", "base").out.splitlines()

    assert lines[0] == "To show a difference of 0.15 in 80 of 100 comparisons, each run needs"
    assert lines[1].split() == ["TASKS", "REPEATS", "GENERATIONS", "COST", "TIME"]
    tasks, repeats, generations, cost, *time = lines[2].split()
    assert repeats == "1"
    assert tasks == generations
    assert cost == f"${int(tasks) / 2:.2f}"
    assert " ".join(time) == f"{int(tasks) * 6 // 60} min {int(tasks) * 6 % 60} s"
    labels = [line.split()[0] for line in lines if line[0].isupper()]
    assert labels == [
        "To",
        "Dataset",
        "From",
        "Variance",
        "Assumed",
        "Noise",
        "Cost",
        "Time",
        "Next",
    ]
    assert "From      base: 120 scores of 40 tasks" in lines
    assert "Cost      $0.50 a generation with its retries; of each run" in lines
    assert "Time      30 s a generation, 5 at a time; without evaluation" in lines
    assert max(len(line) for line in lines if not line.startswith("Next")) <= 80


@pytest.mark.parametrize("detect", ["0.15", "0.09"])
def test_next_command_is_the_first_mix(project: RunnerProject, runs: TwoRuns, detect: str) -> None:
    """The next command is a run of so many tasks and repeats, as far as they are no default."""
    write(runs, "base", repeats=3)

    found = plan(project, "--detect", detect, "--from", "base", "--json").json

    (first, *_) = found["mixes"]
    assert first["fits"]
    typed = shlex.split(found["next_command"])
    flags = dict(pairwise(typed))
    assert flags.get("--limit", "400") == str(first["tasks"])
    assert flags.get("--repeats", "1") == str(first["repeats"])
    assert ("--repeats" in flags) == (detect == "0.09")
    assert found["basis"] == "one_run"
    assert found["cost_per_generation"] is None
    assert found["repeated_tasks"] == 40


def test_too_many_tasks_are_marked(project: RunnerProject, runs: TwoRuns) -> None:
    """A mix of more tasks than the dataset has is marked, and nothing is proposed."""
    write(runs, "base", repeats=2)

    lines = plan(project, "--detect", "0.01", "--from", "base").out.splitlines()

    assert all(line.endswith("more than there are") for line in lines[2:4])
    text = " ".join(" ".join(lines).split())
    assert "even 100 repeats do not show 0.01" in text
    assert "Cost not known: no generation records one" in text
    assert "Next" not in text


def test_run_without_repeats_says_how_to_repeat(project: RunnerProject, runs: TwoRuns) -> None:
    """Without repeats there is the command that adds them."""
    write(runs, "base", repeats=1)

    lines = plan(project, "--detect", "0.3", "--from", "base").out.splitlines()

    assert "How much repeats would help is not known" in " ".join(" ".join(lines).split())
    (repeat,) = (line for line in lines if line.startswith("Repeat"))
    assert repeat.endswith("sample-runner run --run-id base --repeats 2")


def test_two_runs_or_none_are_planned_from(project: RunnerProject, runs: TwoRuns) -> None:
    """Two runs tell how systems differ, and without a run the worst case is said to be one."""
    write(runs, "base", repeats=2)
    write(runs, "other", repeats=2)

    two = plan(project, "--detect", "0.1", "--from", "base", "--from", "other").out
    none = plan(project, "--detect", "0.1").out

    assert "systems that differ from task to task as these two do" in two
    assert "the worst case of scores between 0 and 1" in " ".join(none.split())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--detect", "0"), "--detect 0: a difference to show is above 0"),
        (("--detect", "-0.1"), "--detect -0.1: a difference to show is above 0"),
        (("--detect", "nan"), "--detect nan: a difference to show is above 0"),
        (("--detect", "3"), "--detect 3: the means of scores from 0 to 1 can't differ so much"),
        (("--detect", "0.1", "--power", "1"), "--power 1: the share of comparisons is from 0.5"),
        (("--detect", "0.1", "--power", "0.1"), "--power 0.1: the share of comparisons"),
        (("--detect", "0.1", "--from", "half"), "run 'half' is not finished: 1 failed"),
        (("--detect", "0.1", "--from", "none"), "there is no run 'none'"),
        (("--detect", "0.1", "--from", "a", "--from", "a"), "--from names a, a"),
    ],
)
def test_nonsense_is_refused(
    project: RunnerProject, runs: TwoRuns, flags: tuple[str, ...], message: str
) -> None:
    """A request that makes no sense ends with 2 and says why."""
    runs.write("half", {"t1": 1.0, "t2": FAILED})

    assert message in plan(project, *flags, code=2).err
