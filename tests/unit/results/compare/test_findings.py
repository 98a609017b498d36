"""The obstacles to a comparison, and the warnings about it."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark_runner.results.compare.findings import Concern
from benchmark_runner.results.compare.verdict import Verdict, judge
from tests.unit.results.compare.two_runs import (
    FAILED,
    MISSING,
    NO_TASK_SCORE,
    TIMED_OUT,
    WHOLE,
    TwoRuns,
    about,
    judged,
    passes,
)

GRADED = "https://grader.example"
NO_VERSION = {"evaluator_version": None}
UNKNOWN = {"evaluator_version": None, "service_version": None}


class TestObstacles:
    @pytest.mark.parametrize(
        ("concern", "b", "said"),
        [
            (
                Concern.PAYLOAD_SCHEMA,
                {"payload_schema": "sample.text.v2"},
                "A has answers of the schema sample.text.v1, B of sample.text.v2",
            ),
            (
                Concern.TASK_CONTENT,
                {
                    "task_hashes": dict.fromkeys(WHOLE, "x")
                    | {t: f"hash of {t}" for t in [*WHOLE][3:]}
                },
                "B has other content for 3 tasks of the same id",
            ),
            (
                Concern.LOCAL,
                {"local": True, "grader": {"service_url": "local"}},
                "B was evaluated by an embedded service (local), A by a deployed one",
            ),
            (
                Concern.EVALUATION_API,
                {"grader": {"evaluation_api": "v1"}},
                (
                    f"A was evaluated by {GRADED} (legacy API, version e1), "
                    f"B by {GRADED} (v1 API, version e1)"
                ),
            ),
            (
                Concern.EVALUATOR_VERSION,
                {"grader": {"evaluator_version": "e2"}},
                (
                    f"A was evaluated by {GRADED} (legacy API, version e1), "
                    f"B by {GRADED} (legacy API, version e2)"
                ),
            ),
        ],
    )
    def test_each_obstacle_prevents_a_comparison(
        self, runs: TwoRuns, concern: Concern, b: dict[str, Any], said: str
    ) -> None:
        """Each obstacle makes the runs not comparable and is the reason."""
        runs.write("a", WHOLE)
        runs.write("b", passes(10, 30), **b)

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NOT_COMPARABLE
        assert about(judgement) == ([concern], [])
        assert judgement.reason == said

    @pytest.mark.parametrize(
        "b", [{"service_url": "https://other.example"}, {"service_version": "1.1"}]
    )
    def test_other_service_needs_the_same_evaluator(self, runs: TwoRuns, b: dict[str, Any]) -> None:
        """Another service is an obstacle unless its evaluator has the same version."""
        runs.write("a", WHOLE)
        runs.write("b", WHOLE, grader=b)
        known = about(judged(runs))
        runs.write("b", WHOLE, grader=NO_VERSION | b)
        known_of_a = about(judged(runs))
        runs.write("a", WHOLE, grader=NO_VERSION)

        assert known == ([], [Concern.SERVICE])
        assert known_of_a == about(judged(runs)) == ([Concern.SERVICE], [])

    def test_embedded_service_on_a_port_is_the_same(self, runs: TwoRuns) -> None:
        """An embedded service on a port is the same one at the same version."""
        embedded = {"local": True, "grader": NO_VERSION | {"service_url": "local"}}
        runs.write("a", WHOLE, **embedded)
        runs.write("b", WHOLE, local=True, grader=NO_VERSION)
        same = about(judged(runs))
        runs.write("b", WHOLE, local=True, grader=NO_VERSION | {"service_version": "1.1"})

        assert same == ([], [Concern.SERVICE])
        assert about(judged(runs)) == ([Concern.SERVICE], [])

    def test_embedded_service_has_other_references(self, runs: TwoRuns) -> None:
        """Another version of the dataset has references of its own, which is no obstacle."""
        for name, version in {"a": "1.2", "b": "1.3"}.items():
            of = {"service_version": f"hash of {version}", "dataset_version": version}
            runs.write(name, WHOLE, local=True, grader=NO_VERSION | of)

        assert about(judged(runs)) == ([], [Concern.DATASET_VERSION, Concern.SERVICE])

    def test_grader_change_names_the_tasks(self, runs: TwoRuns) -> None:
        """A grader that changed for some tasks is an obstacle that names them."""
        runs.write("a", WHOLE)
        runs.write("b", WHOLE, graders={"t3": {"evaluator_version": "e2"}})

        (obstacle,) = judged(runs).obstacles

        assert (obstacle.about, obstacle.task_ids) == (Concern.EVALUATOR_VERSION, ("t3",))

    @pytest.mark.parametrize(
        ("version", "is_obstacle"),
        [("2.0.0", True), ("2026-01-02", True), ("1.3.0", False), ("v1", False)],
    )
    def test_other_major_version_is_an_obstacle(
        self, runs: TwoRuns, version: str, is_obstacle: bool
    ) -> None:
        """Another major version of the dataset is an obstacle, a minor one a warning."""
        runs.write("a", WHOLE, grader={"dataset_version": "1.2.0"})
        runs.write("b", WHOLE, grader={"dataset_version": version})

        judgement = judged(runs)
        (found,) = [*judgement.obstacles, *judgement.warnings]

        assert (found.about, found.is_obstacle) == (Concern.DATASET_VERSION, is_obstacle)
        assert found.text == f"A was evaluated with dataset version 1.2.0, B with {version}"
        assert found.task_ids == ()

    def test_results_without_task_score_are_named(self, runs: TwoRuns) -> None:
        """Results in which task_score() finds no score are an obstacle if all are such."""
        runs.write("a", WHOLE)
        runs.write("b", WHOLE | {"t3": NO_TASK_SCORE})
        (some,) = judged(runs).warnings
        runs.write("b", dict.fromkeys(WHOLE, NO_TASK_SCORE))

        assert (some.about, some.task_ids) == (Concern.NO_TASK_SCORE, ("t3",))
        obstacles = [Concern.NO_COMMON_SCORES, Concern.NO_TASK_SCORE]
        assert about(judged(runs)) == (obstacles, [])

    def test_grader_of_other_tasks_is_ignored(self, runs: TwoRuns) -> None:
        """The grader of tasks that are not compared does not count."""
        runs.write("a", WHOLE)
        runs.write("b", WHOLE | {"x": 1.0}, graders={"x": {"evaluator_version": "e2"}})

        assert about(judged(runs)) == ([], [])

    @pytest.mark.parametrize("b", [{"x": 1.0}, dict.fromkeys(WHOLE, FAILED), {}])
    def test_nothing_to_compare_is_an_obstacle(self, runs: TwoRuns, b: dict[str, Any]) -> None:
        """Runs without a common score are not comparable."""
        runs.write("a", WHOLE)
        runs.write("b", b)

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NOT_COMPARABLE
        assert about(judgement)[0] == [Concern.NO_COMMON_SCORES]

    def test_other_dataset_needs_known_tasks(self, runs: TwoRuns) -> None:
        """Another dataset is an obstacle unless its tasks are known to be the same."""
        runs.write("a", WHOLE)
        runs.write("b", WHOLE, dataset_name="others")
        known = about(judged(runs))
        runs.write("b", WHOLE, dataset_name="others", task_hashes={})

        assert known == ([], [Concern.DATASET_NAME])
        assert about(judged(runs)) == ([Concern.DATASET_NAME], [Concern.TASK_CONTENT])

    def test_all_obstacles_are_in_the_reason(self, runs: TwoRuns) -> None:
        """All obstacles are in the reason."""
        runs.write("a", WHOLE)
        runs.write("b", WHOLE, payload_schema="x.text.v1", local=True)

        judgement = judged(runs)

        assert about(judgement)[0] == [Concern.PAYLOAD_SCHEMA, Concern.LOCAL]
        assert judgement.reason.count(";") == 1


class TestWarnings:
    @pytest.mark.parametrize(
        ("concern", "b", "said"),
        [
            (
                Concern.TASK_CONTENT,
                {"task_hashes": {}},
                "of 40 compared tasks it is not recorded whether the content is the same",
            ),
            (
                Concern.LOCAL,
                {"local": None},
                "of B it is not recorded whether an embedded service evaluated it",
            ),
            (
                Concern.EVALUATOR_VERSION,
                {"grader": UNKNOWN},
                "of B it is not recorded which version of the grader evaluated it",
            ),
            (
                Concern.PART_OF_DATASET,
                {"limit": 40, "dataset_size": 90},
                "B is the first 40 of 90 tasks",
            ),
        ],
    )
    def test_warning_does_not_change_the_verdict(
        self, runs: TwoRuns, concern: Concern, b: dict[str, Any], said: str
    ) -> None:
        """A warning is listed and does not change the verdict."""
        runs.write("a", WHOLE)
        runs.write("b", passes(10, 30), **b)

        judgement = judged(runs)

        assert judgement.verdict is Verdict.WORSE
        assert [(each.about, each.text) for each in judgement.warnings] == [(concern, said)]

    def test_few_tasks_are_a_warning(self, runs: TwoRuns) -> None:
        """Few tasks are a warning."""
        runs.write("a", passes(20, 9))
        runs.write("b", passes(9, 20))

        judgement = judged(runs)

        assert judgement.verdict is Verdict.WORSE
        (warning,) = judgement.warnings
        assert warning.text == "the interval is rough with only 29 tasks"

    def test_few_clusters_are_a_warning(self, runs: TwoRuns) -> None:
        """Few clusters are a warning."""
        runs.write("a", WHOLE)
        runs.write("b", WHOLE)

        judgement = judge(
            runs.comparison(clusters={task_id: int(task_id[1:]) % 4 for task_id in WHOLE})
        )

        assert [each.text for each in judgement.warnings] == [
            "the interval is rough with only 4 clusters"
        ]

    def test_incomplete_run_is_a_warning(self, runs: TwoRuns) -> None:
        """A run that is not complete is named in a warning."""
        runs.write("a", WHOLE | {"x": MISSING, "y": FAILED, "z": TIMED_OUT})
        runs.write("b", WHOLE)

        assert [each.text for each in judged(runs).warnings] == [
            "A is not complete, with 2 of 43 tasks not done"
        ]
