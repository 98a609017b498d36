"""The text of ``compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.compare_command import lines_of, verdict_in
from tests.unit.results.compare.two_runs import (
    FAILED,
    FAILED_GRADING,
    MISSING,
    TIMED_OUT,
    WHOLE,
    TwoRuns,
    passes,
)

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


@pytest.fixture
def runs(project: RunnerProject) -> TwoRuns:
    return TwoRuns(project.results)


class TestInWords:
    def test_two_real_runs_are_compared(self, project: RunnerProject) -> None:
        """Two real runs are compared, with each line of the output."""
        project.write_tasks(
            [{"id": f"t{n}", "question": f"say {n}", "answer": str(n)} for n in range(12)]
        )
        project.change_agent(
            ("answer=rest", 'cost=0.25, answer="" if model == "small" and int(rest) > 2 else rest')
        )
        project.run("run", "--run-id", "first", "--model", "large")
        project.run("run", "--run-id", "second", "--model", "small", "--temperature", "0.5")

        lines = lines_of(project, "first", "second")

        graded = lines[5]
        assert graded.startswith("  evals    by local (legacy API, version ")
        assert [line for line in lines if not line.startswith("  time ")] == [
            "Run        first (A, the baseline)",
            "  model    large",
            "  tasks    12, from data/validation.json",
            "  done     all",
            "  score    1 ± 0 (n=12)  [local]",
            graded,
            "  cost     $3.00 in all; $0.25 a compared task",
            "Run        second (B, the candidate)",
            "  model    small",
            "  tasks    12, from data/validation.json",
            "  done     all",
            "  score    0.25 ± 0.13 (n=12)  [local]",
            graded,
            "  cost     $3.00 in all; $0.25 a compared task",
            "Changed    model: large -> small",
            "           temperature: not set -> 0.5",
            "Tasks      12 compared, none left out",
            "Means      A 1, B 0.25",
            "B - A      -0.75 ± 0.13 (paired standard error, n=12)",
            "           95 % interval -1.037 to -0.4626 (Student's t)",
            "Passed     3 in both, 0 in neither, 9 in A only, 0 in B only",
            "           exact McNemar test: p = 0.0039",
            "Lost       9: t3, t4, t5, t6, t7, …",
            "Power      a true difference of 0.37 would show in 80 of 100 such comparisons; a",
            "           smaller one less often",
            "Note       the interval is rough with only 12 tasks",
            "Verdict    Worse: B scores lower, and the 95 % interval of the difference leaves",
            "           out 0.",
            "           One run each does not show how much each varies from run to run.",
        ]

    def test_excluded_tasks_are_listed(self, project: RunnerProject, runs: TwoRuns) -> None:
        """Tasks that are left out are listed with the reason."""
        runs.write("a", WHOLE | {"x": 1.0, "y": FAILED, "gone": 1.0, "z": MISSING})
        runs.write(
            "b", WHOLE | {"x": FAILED_GRADING, "y": 0.0, "z": FAILED} | passes(7, 0, start=50)
        )

        lines = lines_of(project, "a", "b")

        start = lines.index("Tasks      40 compared, 11 left out")
        assert lines[start + 1 : start + 6] == [
            "           1 only in A: gone",
            "           7 only in B: t50, t51, t52, t53, t54, …",
            "           1 no score in A (failed in generation): y",
            "           1 no score in B (failed in grading): x",
            "           1 no score in A nor B (A not generated yet, B failed in generation):",
        ]
        assert "Note       A is not complete, with 2 of 44 tasks not done" in lines
        assert "  done     42 of 44" in lines
        assert any("none yet; mean so far" in line and "not complete" in line for line in lines)

    def test_changes_of_partial_scores_are_shown(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        """Changes of scores between 0 and 1 are shown."""
        runs.write("a", {"x": 0.5, "y": 0.5, "z": 1.0})
        runs.write("b", {"x": 0.75, "y": 0.0, "z": TIMED_OUT})

        lines = lines_of(project, "a", "b")

        assert "Gained     1: x (+0.25)" in lines
        assert "Lost       2: z (-1), y (-0.5)" in lines
        assert not any("McNemar" in line for line in lines)

    def test_unrecorded_values_are_reported(self, project: RunnerProject, runs: TwoRuns) -> None:
        """Values that are not recorded are reported as such."""
        runs.write("a", WHOLE)
        spent = {"duration": 150.0, "cost": 0.001}
        runs.write("b", WHOLE, generation=spent, silent=["t0", "t1"])

        lines = lines_of(project, "a", "b")

        assert lines.count("  cost     not recorded") == 1
        assert lines.count("  time     not recorded") == 1
        unknown = "not known of 2 generations"
        text = " ".join(" ".join(lines).split())
        assert f"cost $0.038 in all, {unknown}; $0.001 a compared task (known of 38) " in text
        average = "2 min 30 s a compared task (known of 38)"
        assert f"time 1 h 35 min in all, {unknown}; {average}, " in text
        assert "Changed    nothing of model, settings and code, as far as is recorded" in lines

    def test_rounding_error_is_0(self, project: RunnerProject, runs: TwoRuns) -> None:
        """A rounding error is shown as 0."""
        runs.write("a", {"x": 0.4, "y": 0.4})
        runs.write("b", {"x": 0.7, "y": 0.1})

        assert "B - A      +0 ± 0.3 (paired standard error, n=2)" in lines_of(project, "a", "b")

    def test_no_difference_shown_is_explained(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The verdict explains that no shown difference is not equality."""
        runs.write("a", WHOLE)
        runs.write("b", passes(27, 13))

        lines = lines_of(project, "a", "b")

        assert verdict_in(lines) == (
            "No difference shown: the 95 % interval of the difference includes 0. "
            "That does not show that they are alike. "
            "One run each does not show how much each varies from run to run."
        )
        assert any(line.startswith("Power      a true difference of 0.098 ") for line in lines)

    def test_deployed_and_local_are_not_compared(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A run of a deployed service is not compared with a local one."""
        project.run("run", "--run-id", "first")
        project.run("run", "--run-id", "second", "--service-url", scripted.url)
        asked = len(scripted.asked)

        lines = lines_of(project, "first", "second")

        assert verdict_in(lines) == (
            "Not comparable: - A was evaluated by an embedded service (local), B by a deployed one"
        )
        assert len(scripted.asked) == asked, "the service was asked"
