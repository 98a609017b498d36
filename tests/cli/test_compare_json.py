"""The JSON of ``compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.compare_command import as_json
from tests.unit.results.compare.two_runs import (
    FAILED,
    TwoRuns,
    passes,
)

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


@pytest.fixture
def runs(project: RunnerProject) -> TwoRuns:
    return TwoRuns(project.results)


class TestAsJson:
    def test_json_has_everything(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The JSON has all figures with all task ids."""
        spent = {"cost": 0.5, "duration": 2.0}
        runs.write("a", passes(10, 10) | {"x": 1.0, "gone": 1.0}, generation=spent)
        runs.write("b", passes(19, 1) | {"x": FAILED}, model="m2", local=None)

        document = as_json(project, "a", "b")

        assert (document["schema"], document["command"]) == (1, "compare")
        assert document["results_dir"] == str(project.results)
        a, b = document["a"], document["b"]
        assert (a["run_id"], a["model"], a["local"], a["complete"]) == ("a", "m", False, True)
        assert (b["run_id"], b["model"], b["local"], b["complete"]) == ("b", "m2", None, False)
        assert a["counts"]["scored"] == 22
        assert (a["cost"], a["cost_unknown"], a["cost_per_compared_task"]) == (11, 0, 0.5)
        assert (a["generation_seconds"], a["seconds_per_compared_task"]) == (44, 2)
        assert (b["cost"], b["cost_unknown"], b["cost_per_compared_task"]) == (None, 21, None)
        assert b["compared_with_cost"] == 0
        (by,) = a["graded_by"]
        assert (by["evaluator_version"], by["tasks"]) == ("e1", 22)
        assert document["verdict"] == "better"
        assert document["reason"].startswith("B scores higher")
        assert document["obstacles"] == []
        assert [each["about"] for each in document["warnings"]] == [
            "local", "incomplete", "few_tasks",
        ]  # fmt: skip
        assert document["differences"] == [{"name": "model", "a": "m", "b": "m2"}]
        assert document["compared"] == 20
        assert document["excluded"] == [
            {"because": "only_in_a", "in_a": None, "in_b": None, "task_ids": ["gone"]},
            {
                "because": "no_score_in_b",
                "in_a": None,
                "in_b": "failed in generation",
                "task_ids": ["x"],
            },
        ]
        effect = document["effect"]
        assert (effect["count"], effect["mean_a"], effect["mean_b"]) == (20, 0.5, 0.95)
        assert effect["difference"] == pytest.approx(0.45)
        # 9 differences of 1, and 11 of 0.
        error = (9 * 11 / 20 / 19 / 20) ** 0.5
        assert effect["stderr"] == pytest.approx(error)
        assert effect["interval"]["low"] == pytest.approx(0.45 - 2.093024 * error, abs=1e-6)
        assert (effect["interval"]["level"], effect["interval"]["method"]) == (0.95, "student_t")
        assert effect["minimum_detectable_effect"] == pytest.approx(2.801585 * error, abs=1e-6)
        assert effect["pass_fail"]["p_value"] == pytest.approx(2 / 512)
        counted = {name: n for name, n in effect["pass_fail"].items() if name != "p_value"}
        assert counted == {"both_passed": 10, "both_failed": 1, "only_a": 0, "only_b": 9}
        assert document["worst_case"]["count"] == 21
        assert document["lower"] == []
        assert document["higher"] == [
            {"task_id": f"t{n}", "a": 0, "b": 1} for n in range(10, 19)
        ]  # fmt: skip

    def test_json_has_obstacles_with_ways_out(self, project: RunnerProject, runs: TwoRuns) -> None:
        """The JSON has the obstacles with their ways out."""
        runs.write("a", passes(20, 0))
        runs.write("b", passes(20, 0), task_hashes=dict.fromkeys(passes(2, 0), "changed"))

        document = as_json(project, "a", "b")

        assert document["verdict"] == "not_comparable"
        (obstacle,) = document["obstacles"]
        assert (obstacle["about"], obstacle["task_ids"]) == ("task_content", ["t0", "t1"])
        assert obstacle["way_out"].endswith("run --run-id a --accept-changed-tasks")
        assert document["effect"]["count"] == 18

    def test_json_without_effect(self, project: RunnerProject, runs: TwoRuns) -> None:
        """Without a common score the JSON has no effect."""
        runs.write("a", passes(1, 0))
        runs.write("b", passes(1, 0, start=1))

        document = as_json(project, "a", "b")

        assert (document["effect"], document["worst_case"], document["compared"]) == (None, None, 0)
