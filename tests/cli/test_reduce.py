"""Repeats in the commands that look: ``--reduce``, and the noise floor of single runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.results.compare.two_runs import FAILED, MISSING, TwoRuns

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

TASKS = [f"t{number}" for number in range(20)]


@pytest.fixture
def runs(project: RunnerProject) -> TwoRuns:
    return TwoRuns(project.results)


def write(runs: TwoRuns, run_id: str, passed: list[int], **fields: object) -> None:
    """Write a run of three repeats, in which the tasks are passed so many times."""
    repeats = [
        {task: float(number < times) for task, times in zip(TASKS, passed, strict=True)}
        for number in range(3)
    ]
    runs.write_repeats(run_id, repeats, **fields)


class TestStatus:
    def test_noise_floor_is_said(self, project: RunnerProject, runs: TwoRuns) -> None:
        """With repeats there is the noise floor of single runs, and no warning of one run."""
        write(runs, "run", [3, 2, 1, 0] * 5)

        ended = project.run("status", "run")

        # Within: 10 of 20 tasks have the variance 1/3, with 40 degrees of freedom.
        floor = 2.0211 * (2 * (1 / 6) / 20) ** 0.5
        assert f"Noise    two single runs of this differ by up to {floor:.2g} (95 %)" in ended.out
        assert "One run does not show" not in ended.out
        found = project.run("status", "run", "--json").json
        assert found["noise_floor"] == pytest.approx(floor, rel=1e-4)

    def test_equal_repeats_show_no_noise(self, project: RunnerProject, runs: TwoRuns) -> None:
        """Repeats that all agree are said to, and are not taken for a floor of 0."""
        write(runs, "run", [3, 0] * 10)

        shown = project.run("status", "run").out

        assert "Noise    none seen: all repeats of 20 tasks scored alike" in shown

    def test_single_repeats_have_no_floor(self, project: RunnerProject, runs: TwoRuns) -> None:
        """Without repeats nothing is said about noise but that it is not known."""
        runs.write("run", dict.fromkeys(TASKS, 1.0))

        assert "One run does not show how much" in project.run("status", "run").out
        assert project.run("status", "run", "--json").json["noise_floor"] is None

    def test_other_reductions_stand_beside_the_mean(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        """The score by another reduction has its error over tasks, and stands beside the mean."""
        write(runs, "run", [3, 2, 1, 0] * 5)

        lines = project.run("status", "run", "--reduce", "pass^2").out.splitlines()

        assert "Mean     0.5 ± 0.085 (standard error, n=20) so far" in lines
        place = lines.index("pass^2   0.3333 ± 0.094 (standard error, n=20)")
        assert lines[place + 1].startswith("         95 % interval 0.1")
        found = project.run("status", "run", "--reduce", "pass^2", "--json").json
        assert found["mean"] == 0.5
        assert found["reduced"]["reduce"] == "pass^2"
        assert found["reduced"]["mean"] == pytest.approx(1 / 3)

    def test_left_out_tasks_are_named(self, project: RunnerProject, runs: TwoRuns) -> None:
        """Tasks with too few scored repeats are counted and named."""
        runs.write_repeats("run", [{"t1": 1.0, "t2": 1.0}, {"t1": 0.0, "t2": FAILED}])

        shown = project.run("status", "run", "--reduce", "pass@2").out

        assert "1 task with fewer than 2 scored repeats left out: t2" in shown
        assert "pass@2   1 (no standard error: fewer than 2 scored tasks)" in shown
        assert "differ by up to 1 (95 %), as far as 1 task can tell" in shown

    @pytest.mark.parametrize(
        ("way", "message"),
        [
            ("median", "--reduce 'median' is none of mean, max, pass@K or pass^K"),
            ("pass@4", "--reduce pass@4: run 'run' has 3 repeats of each task"),
        ],
    )
    def test_reductions_that_say_nothing_are_refused(
        self, project: RunnerProject, runs: TwoRuns, way: str, message: str
    ) -> None:
        """A reduction that is none, or of more repeats than there are, is an error of usage."""
        write(runs, "run", [3, 2, 1, 0] * 5)

        ended = project.run("status", "run", "--reduce", way)

        assert ended.code == 2
        assert message in ended.err


class TestCompare:
    def test_noise_is_never_better(self, project: RunnerProject, runs: TwoRuns) -> None:
        """A difference that two single runs of one thing may have is not *better*."""
        write(runs, "a", [1, 2] * 10)
        write(runs, "b", [2, 2] * 10)

        ended = project.run("compare", "a", "b")

        # Within: each task has the variance 1/3 in both, with 80 degrees of freedom.
        floor = 1.990 * (2 / 3 / 20) ** 0.5
        assert f"two single runs of A, or of B, differ by up to {floor:.2g} (95 %)" in ended.out
        assert "Verdict    No difference shown: B scores higher, but by no more than" in ended.out
        assert "One run each" not in ended.out
        found = project.run("compare", "a", "b", "--json").json
        assert found["effect"]["interval"]["low"] > 0
        assert found["verdict"] == "no_difference_shown"
        assert found["noise_floor"] == pytest.approx(floor, rel=1e-3)
        # 80 of 100 differences of this size are above the floor.
        error = found["effect"]["stderr"]
        detectable = found["effect"]["minimum_detectable_effect"]
        assert detectable == pytest.approx(floor + 0.8416 * error, rel=1e-3)
        assert f"a true difference of {detectable:.2g} would show" in ended.out

    def test_more_than_noise_is_better(self, project: RunnerProject, runs: TwoRuns) -> None:
        """A larger difference is *better*, as before."""
        write(runs, "a", [0, 1] * 10)
        write(runs, "b", [3, 2] * 10)

        found = project.run("compare", "a", "b", "--json").json

        assert found["verdict"] == "better"
        assert found["effect"]["difference"] > found["noise_floor"]

    def test_one_run_with_repeats_tells_the_noise(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        """The noise floor is that of the run that has repeats, if only one has."""
        write(runs, "a", [1, 2] * 10)
        runs.write("b", dict.fromkeys(TASKS, 1.0))

        ended = project.run("compare", "a", "b")

        assert "two single runs of A, differ" not in ended.out
        assert "two single runs of A differ by up to" in ended.out

    def test_worse_may_be_as_small_as_noise(self, project: RunnerProject, runs: TwoRuns) -> None:
        """A run that is shown to be lower is *worse*, so that a regression is not let through."""
        write(runs, "a", [2, 2] * 10)
        write(runs, "b", [1, 2] * 10)

        assert project.run("compare", "a", "b", "--fail-if-worse").code == 3

    def test_tasks_are_compared_as_reduced(self, project: RunnerProject, runs: TwoRuns) -> None:
        """With another reduction its scores are compared, and single runs' noise is not theirs."""
        write(runs, "a", [1, 2] * 10)
        write(runs, "b", [3, 3] * 10)

        found = project.run("compare", "a", "b", "--reduce", "pass^2", "--json").json

        assert found["effect"]["mean_a"] == pytest.approx(1 / 6)
        assert found["effect"]["mean_b"] == 1
        assert (found["reduce"], found["noise_floor"]) == ("pass^2", None)
        text = project.run("compare", "a", "b", "--reduce", "pass^2").out
        assert "each scored by pass^2 of its repeats" in text

    def test_tasks_with_too_few_repeats_are_left_out(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        """A task with too few scored repeats is left out, and the reason is said."""
        runs.write_repeats("a", [{"t1": 1.0, "t2": 1.0}, {"t1": 1.0, "t2": MISSING}])
        runs.write_repeats("b", [{"t1": 1.0, "t2": 1.0}, {"t1": 1.0, "t2": 1.0}])

        text = project.run("compare", "a", "b", "--reduce", "pass@2").out

        assert "1 compared, 1 left out" in text
        assert "no score in A (not generated yet): t2" in text

    def test_unequal_maxima_are_not_compared(self, project: RunnerProject, runs: TwoRuns) -> None:
        """Maxima of unequal numbers of repeats are not comparable."""
        write(runs, "a", [1, 2] * 10)
        runs.write("b", dict.fromkeys(TASKS, 1.0))

        ended = project.run("compare", "a", "b", "--reduce", "max", "--fail-if-worse")

        assert ended.code == 4
        assert "unequal numbers of repeats" in " ".join(ended.out.split())

    def test_runs_with_too_few_repeats_are_refused(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        """A reduction that one of the runs cannot have is an error of usage."""
        write(runs, "a", [1, 2] * 10)
        runs.write("b", dict.fromkeys(TASKS, 1.0))

        ended = project.run("compare", "a", "b", "--reduce", "pass@2")

        assert ended.code == 2
        assert "--reduce pass@2: run 'b' has 1 repeat of each task" in ended.err


class TestReport:
    def test_report_says_noise_and_reduced_score(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        """The page of a run has its noise floor, and the score by the reduction asked for."""
        write(runs, "run", [3, 2, 1, 0] * 5)

        ended = project.run("report", "run", "--reduce", "pass^2", "--json")

        page = (project.results / "run" / "report.html").read_text()
        assert "Noise: two single runs of this differ by up to 0.26 (95 %)." in page
        assert "<b>pass^2</b> 0.3333 (" in page
        assert "All else on this page is of the mean of each task's repeats." in page
        (found,) = ended.json["runs"]
        assert found["noise_floor"] == pytest.approx(0.261, abs=1e-3)
        assert found["reduced"]["tasks"] == 20
        assert found["mean"] == 0.5

    def test_report_of_runs_has_a_row_for_each(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The page of several runs has a row for the noise floor, and for the reduced scores."""
        write(runs, "a", [3, 2, 1, 0] * 5)
        write(runs, "b", [3, 2, 2, 0] * 5)

        project.run("report", "a", "b", "--reduce", "max")

        page = (project.results / "report-a+b.html").read_text()
        assert page.count("two single runs of this differ by up to") == 2
        assert page.count("A maximum grows with the number of repeats.") == 2
        assert "All but the row max is of the mean of each task's repeats" in page


class TestTheOthers:
    def test_incomplete_run_is_listed_so_far(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The list marks the reduced score of a run that is not complete."""
        runs.write_repeats("run", [{"t1": 1.0, "t2": 1.0}, {"t1": 0.0, "t2": FAILED}])

        shown = project.run("runs", "--reduce", "pass@2").out

        assert " 1 so far " in shown

    def test_runs_list_the_reduced_score(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The list has the reduced score of each run that has one, and says so in its heading."""
        write(runs, "run", [3, 2, 1, 0] * 5)
        runs.write("single", dict.fromkeys(TASKS, 1.0))

        heading, *lines = project.run("runs", "--reduce", "pass^2").out.splitlines()

        assert heading.split()[2] == "PASS^2"
        (line,) = (line for line in lines if line.startswith("run "))
        assert " 0.3333 ± 0.094 " in line
        listed = project.run("runs", "--reduce", "pass^2", "--json").json["runs"]
        reduced = {run["run_id"]: run["reduced"] for run in listed}
        assert reduced["single"] is None
        assert reduced["run"]["mean"] == pytest.approx(1 / 3)

    def test_show_has_the_reduced_score(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The page of a task has its score by the reduction."""
        write(runs, "run", [3, 2, 1, 0] * 5)

        shown = project.run("show", "run", "t1", "--reduce", "pass@2").out

        assert "score    1, the pass@2 of 3 repeats" in shown
        assert project.run("show", "run", "t1", "--reduce", "pass@9").code == 2

    def test_export_has_the_reduced_score(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The rows of a task have its score by the reduction beside that of each repeat."""
        write(runs, "run", [3, 2, 1, 0] * 5)

        out = project.run("export", "run", "--format", "jsonl", "--reduce", "pass^2").out

        rows = [json.loads(line) for line in out.splitlines()][:6]
        assert [row["score"] for row in rows] == [1, 1, 1, 1, 1, 0]
        assert [row["task_score"] for row in rows] == pytest.approx([1, 1, 1] + [1 / 3] * 3)

    @pytest.mark.parametrize("command", ["runs", "show r t", "compare a b", "report r", "export r"])
    def test_unknown_reduction_is_refused(self, project: RunnerProject, command: str) -> None:
        """A text that names no reduction is refused before anything is read."""
        ended = project.run(*command.split(), "--reduce", "pass@")

        assert ended.code == 2
        assert "--reduce 'pass@' is none of mean, max, pass@K or pass^K" in ended.err
