"""Repeats in the commands that look: strips, spread, and the texts of each repeat."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from tests.unit.results.compare.two_runs import FAILED, MISSING, TIMED_OUT, TwoRuns

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

#: Three repeats of three tasks, of which one is always passed.
REPEATS = [
    {"steady": 1.0, "flaky": 1.0, "mixed": 0.5},
    {"steady": 1.0, "flaky": 0.0, "mixed": TIMED_OUT},
    {"steady": 1.0, "flaky": FAILED, "mixed": MISSING},
]


@pytest.fixture
def runs(project: RunnerProject) -> TwoRuns:
    made = TwoRuns(project.results)
    made.write_repeats("r3", REPEATS, generation={"question": "What?", "cost": 0.25})
    made.write("r1", REPEATS[0])
    return made


class TestStatus:
    def test_generations_are_counted(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The states count generations, and the line before them says of how many tasks."""
        shown = project.run("status", "r3").out

        assert "Tasks    3 x 3 repeats: 9 generations" in shown
        assert "       6 scored" in shown
        assert "Spread   0.4 within tasks (standard deviation of one repeat, in 3 tasks)" in shown
        assert "One run does not show" not in shown

    def test_json_has_tasks_repeats_and_spread(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The JSON has the numbers of tasks and repeats, and the spread within tasks."""
        found = project.run("status", "r3", "--json").json
        single = project.run("status", "r1", "--json").json

        assert (found["tasks"], found["repeats"], found["counts"]["total"]) == (3, 3, 9)
        assert found["spread"] == {"within_tasks": pytest.approx(0.3953, abs=1e-4), "tasks": 3}
        assert found["flaky"] is None
        assert (single["tasks"], single["repeats"], single["spread"]) == (3, 1, None)

    def test_flaky_tasks_are_listed(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The tasks whose repeats differ are listed, those that vary most first."""
        ended = project.run("status", "r3", "--flaky")
        found = project.run("status", "r3", "--flaky", "--json").json["flaky"]

        lines = ended.out.splitlines()
        place = lines.index(
            "Flaky    2 of 3 tasks (P passed, F failed, ~ partly, T timed out, E error, - not yet)"
        )
        assert lines[place + 1 : place + 3] == ["  PFE  0.5     flaky", "  ~T-  0.25    mixed"]
        assert [(each["task_id"], each["outcomes"]) for each in found] == [
            ("flaky", ["passed", "failed", "error"]),
            ("mixed", ["partly", "timed out", "not yet"]),
        ]

    def test_one_repeat_does_not_show_flakiness(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        """Of one repeat it is not known which tasks are flaky, which is not none."""
        shown = project.run("status", "r1", "--flaky").out

        assert "Flaky    not known: one repeat does not show it" in shown


class TestRuns:
    def test_repeats_are_marked(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The list marks a run of several repeats, and counts its generations."""
        lines = project.run("runs").out.splitlines()
        found = {run["run_id"]: run for run in project.run("runs", "--json").json["runs"]}

        assert [line.split()[:3] for line in lines if line.startswith("r3")] == [
            ["r3", "7/9", "(x3)"]
        ]
        assert (found["r3"]["total"], found["r3"]["tasks"], found["r3"]["repeats"]) == (9, 3, 3)

    def test_finished_run_is_read_from_its_score(self, project: RunnerProject) -> None:
        """A finished run of several repeats needs no look at its tasks."""
        project.run("run", "--run-id", "done", "--repeats", "2")
        (project.results / "done" / "t1" / "eval.json").unlink()

        assert "all 6 (x2)" in project.run("runs").out


class TestShow:
    def test_strip_stands_before_the_repeat(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The strip of a task's repeats, with what its signs mean, is before the first one."""
        lines = project.run("show", "r3", "flaky").out.splitlines()

        assert lines[:4] == [
            "Task flaky of run r3: 1 passed, 1 failed, 1 error",
            "  score    0.5, the mean of 2 of 3 repeats; their standard deviation is 0.71",
            "  repeats  PFE (P passed, F failed, E error)",
            "Repeat 1: scored, counts 1",
        ]

    def test_other_repeat_shows_its_own_texts(self, project: RunnerProject, runs: TwoRuns) -> None:
        """With --repeat, the facts, texts and files are those of that repeat."""
        second = project.run("show", "r3", "flaky", "--repeat", "2")
        first = project.run("show", "r3", "flaky", "--json").json

        assert "Repeat 2: scored, counts 0" in second.out
        assert "results/r3/flaky/repeats/2/eval.json" in second.out
        assert "results/r3/flaky/eval.json" not in second.out
        assert [name for name in first["files"] if "repeats" in name] == []

    def test_json_has_all_repeats(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The JSON is of one repeat, and lists them all with the score of the task."""
        found = project.run("show", "r3", "flaky", "--repeat", "2", "--json").json

        assert (found["repeat"], found["score"], found["task_score"]) == (2, 0, 0.5)
        assert [(each["repeat"], each["state"], each["score"]) for each in found["repeats"]] == [
            (1, "scored", 1),
            (2, "scored", 0),
            (3, "failed in generation", None),
        ]

    def test_unknown_repeat_is_an_error(self, project: RunnerProject, runs: TwoRuns) -> None:
        """A repeat that the run has not is an error, which says how many there are."""
        ended = project.run("show", "r3", "flaky", "--repeat", "4")

        assert ended.code == 2
        assert "run 'r3' has no repeat 4 of its tasks" in ended.err
        assert "It has 3 repeats of each." in ended.err

    def test_single_repeat_is_shown_as_before(self, project: RunnerProject, runs: TwoRuns) -> None:
        """A task of one repeat has no strip."""
        assert project.run("show", "r1", "flaky").out.startswith(
            "Task flaky of run r1: scored, counts 1\n"
        )


def test_export_has_a_row_for_each_repeat(project: RunnerProject, runs: TwoRuns) -> None:
    """Each repeat has a row, with its number and the score of its task."""
    rows = [*csv.DictReader(io.StringIO(project.run("export", "r3").out))]

    assert [(row["task_id"], row["repeat"], row["score"], row["task_score"]) for row in rows] == [
        ("steady", "1", "1.0", "1.0"),
        ("steady", "2", "1.0", "1.0"),
        ("steady", "3", "1.0", "1.0"),
        ("flaky", "1", "1.0", "0.5"),
        ("flaky", "2", "0.0", "0.5"),
        ("flaky", "3", "", "0.5"),
        ("mixed", "1", "0.5", "0.25"),
        ("mixed", "2", "0.0", "0.25"),
        ("mixed", "3", "", "0.25"),
    ]


def test_compare_says_the_repeats_of_each(project: RunnerProject, runs: TwoRuns) -> None:
    """The comparison says how many repeats each run has, and what a task of all of them costs."""
    shown = project.run("compare", "r1", "r3").out
    found = project.run("compare", "r1", "r3", "--json").json

    assert "  repeats  1 of each task" in shown
    assert "  repeats  3 of each task" in shown
    assert "a compared task, all 3 repeats" in shown
    assert (found["a"]["repeats"], found["b"]["repeats"]) == (1, 3)
    assert found["a"]["spread"] is None
    assert found["b"]["spread"]["tasks"] == 3
