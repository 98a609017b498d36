"""``compare``: whether one run is better than another; nothing is touched."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import state
from tests.unit.results.compare.two_runs import (
    FAILED,
    FAILED_GRADING,
    MISSING,
    TIMED_OUT,
    TwoRuns,
    passes,
)

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject
    from tests.fakes import ScriptedService

COLUMNS = 80
WHOLE = passes(25, 15)


@pytest.fixture
def runs(project: RunnerProject) -> TwoRuns:
    return TwoRuns(project.results)


def compare(project: RunnerProject, *args: str, code: int = 0) -> Ended:
    """What it says, once it is sure that it has touched nothing."""
    before = state(project.root)
    ended = project.run("compare", *args)
    assert ended.code == code, ended.err
    assert ended.err == ""
    assert state(project.root) == before
    return ended


def lines_of(project: RunnerProject, *args: str, code: int = 0) -> list[str]:
    lines = compare(project, *args, code=code).out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("Way out")) <= COLUMNS
    return lines


def as_json(project: RunnerProject, *args: str) -> dict[str, Any]:
    return compare(project, *args, "--json").json


def verdict_in(lines: list[str]) -> str:
    start = next(n for n, line in enumerate(lines) if line.startswith("Verdict"))
    return " ".join(" ".join(lines[start:]).split()).removeprefix("Verdict ")


class TestInWords:
    def test_two_real_runs_are_compared(self, project: RunnerProject) -> None:
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
        assert graded.startswith("  graded   by local (legacy API, version ")
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
            "Lost       9: t3, t4, t5, t6, t7 and 4 more",
            "Power      a true difference of 0.37 would show in 80 of 100 such comparisons; a",
            "           smaller one less often",
            "Note       12 task(s) are few: the interval is rough",
            "Verdict    Worse: B scores lower, and the 95 % interval of the difference leaves",
            "           out 0.",
            "           One run each does not show how much each varies from run to run.",
        ]

    def test_what_is_left_out_is_listed_with_the_reason(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        runs.write("a", WHOLE | {"x": 1.0, "y": FAILED, "gone": 1.0, "z": MISSING})
        runs.write(
            "b", WHOLE | {"x": FAILED_GRADING, "y": 0.0, "z": FAILED} | passes(7, 0, start=50)
        )

        lines = lines_of(project, "a", "b")

        start = lines.index("Tasks      40 compared, 11 left out")
        assert lines[start + 1 : start + 6] == [
            "           1 only in A: gone",
            "           7 only in B: t50, t51, t52, t53, t54 and 2 more",
            "           1 no score in A (failed in generation): y",
            "           1 no score in B (failed in grading): x",
            "           1 no score in A nor B (A not generated yet, B failed in generation):",
        ]
        assert "Note       A is not complete: 2 of 44 task(s) are not done" in lines
        assert "  done     42 of 44" in lines
        assert any("none yet; mean so far" in line and "not complete" in line for line in lines)

    def test_scores_that_are_no_passes_have_their_changes_shown(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        runs.write("a", {"x": 0.5, "y": 0.5, "z": 1.0})
        runs.write("b", {"x": 0.75, "y": 0.0, "z": TIMED_OUT})

        lines = lines_of(project, "a", "b")

        assert "Gained     1: x (+0.25)" in lines
        assert "Lost       2: z (-1), y (-0.5)" in lines
        assert not any("McNemar" in line for line in lines)

    def test_what_is_not_recorded_is_said(self, project: RunnerProject, runs: TwoRuns) -> None:
        runs.write("a", WHOLE)
        spent = {"duration": 150.0, "cost": 0.001}
        runs.write("b", WHOLE, generation=spent, silent=["t0", "t1"])

        lines = lines_of(project, "a", "b")

        assert lines.count("  cost     not recorded") == 1
        assert lines.count("  time     not recorded") == 1
        unknown = "not known of 2 generation(s)"
        text = " ".join(" ".join(lines).split())
        assert f"cost $0.038 in all, {unknown}; $0.001 a compared task (known of 38) " in text
        average = "2 min 30 s a compared task (known of 38)"
        assert f"time 1 h 35 min in all, {unknown}; {average}, " in text
        assert "Changed    nothing of model, settings and code, as far as is recorded" in lines

    def test_what_floats_leave_of_0_is_0(self, project: RunnerProject, runs: TwoRuns) -> None:
        runs.write("a", {"x": 0.4, "y": 0.4})
        runs.write("b", {"x": 0.7, "y": 0.1})

        assert "B - A      +0 ± 0.3 (paired standard error, n=2)" in lines_of(project, "a", "b")

    def test_that_no_difference_is_shown_is_not_taken_for_none(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        runs.write("a", WHOLE)
        runs.write("b", passes(27, 13))

        lines = lines_of(project, "a", "b")

        assert verdict_in(lines) == (
            "No difference shown: the 95 % interval of the difference includes 0. "
            "That does not show that they are alike. "
            "One run each does not show how much each varies from run to run."
        )
        assert any(line.startswith("Power      a true difference of 0.098 ") for line in lines)

    def test_a_real_run_of_a_deployed_service_is_not_compared_with_a_local_one(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        project.run("run", "--run-id", "first")
        project.run("run", "--run-id", "second", "--service-url", scripted.url)
        asked = len(scripted.asked)

        lines = lines_of(project, "first", "second")

        assert verdict_in(lines) == (
            "Not comparable: - A was graded by an embedded service (local), B by a deployed one"
        )
        assert len(scripted.asked) == asked, "the service was asked"


class TestWaysOut:
    def test_the_older_run_is_graded_again_where_the_grader_changed(
        self, project: RunnerProject
    ) -> None:
        project.run("run", "--run-id", "first")
        project.write_grader("def grade(task, response):\n    return 1.0\n")
        project.run("run", "--run-id", "second")

        lines = lines_of(project, "first", "second")

        assert "Verdict    Not comparable:" in lines
        command = lines[-1].removeprefix("Way out    ")
        assert command == "bin/sample-runner evaluate --run-id first --regrade"
        assert project.shell(command.removeprefix("bin/")).code == 0
        assert as_json(project, "first", "second")["verdict"] == "no_difference_shown"

    def test_changed_tasks_of_the_older_run_are_done_again(self, project: RunnerProject) -> None:
        project.run("run", "--run-id", "first")
        tasks = json.loads(project.dataset.read_text())["tests"]
        project.write_tasks([tasks[0] | {"question": "say  three"}, *tasks[1:]])
        project.run("run", "--run-id", "second")

        lines = lines_of(project, "first", "second")

        assert "           - 1 task(s) of the same id have another content in B: t3" in lines
        commands = [line.removeprefix("Way out    bin/") for line in lines[-2:]]
        assert commands == [
            "sample-runner run --run-id first --accept-changed-tasks",
            "sample-runner evaluate --run-id first --regrade",
        ]
        calls = len(project.calls)
        for command in commands:
            assert project.shell(command).code == 0
        assert project.calls[calls:] == ["t3"]
        assert as_json(project, "first", "second")["verdict"] == "no_difference_shown"

    def test_a_candidate_that_lacks_scores_is_resumed(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        runs.write("a", passes(40, 0))
        runs.write("b", passes(20, 0) | {f"t{n}": FAILED for n in range(20, 40)})

        lines = lines_of(project, "a", "b")

        assert verdict_in(lines).startswith(
            "Not comparable: - B has no score for 20 task(s) that A has one for; counted as 0, "
            "they make B worse (a difference of -0.5): t20, t21, t22, t23, t24 and 15 more"
        )
        assert lines[-1].startswith("Way out    bin/sample-runner run --run-id b")

    @pytest.mark.parametrize(
        "b",
        [
            {"grader": {"service_url": "https://x", "evaluator_version": "e2"}, "service_url": "x"},
            {"dataset_file": "/elsewhere.json", "task_hashes": {"t0": "changed"}},
        ],
        ids=["service", "file"],
    )
    def test_there_is_none_to_what_is_elsewhere(
        self, project: RunnerProject, runs: TwoRuns, b: dict[str, Any]
    ) -> None:
        runs.write("a", WHOLE)
        runs.write("b", WHOLE, **b)

        (obstacle,) = as_json(project, "a", "b")["obstacles"]
        assert obstacle["way_out"] is None


class TestExitCodes:
    @pytest.mark.parametrize(
        ("b", "code"),
        [(passes(40, 0), 0), (passes(26, 14), 0), (passes(10, 30), 3), (passes(9, 0, start=90), 4)],
        ids=["better", "no difference shown", "worse", "not comparable"],
    )
    @pytest.mark.parametrize("form", [[], ["--json"]], ids=["words", "json"])
    def test_only_on_demand_they_tell_the_verdict(
        self,
        project: RunnerProject,
        runs: TwoRuns,
        b: dict[str, float | str],
        code: int,
        form: list[str],
    ) -> None:
        runs.write("a", WHOLE)
        runs.write("b", b)

        compare(project, "a", "b", *form)
        compare(project, "a", "b", "--fail-if-worse", *form, code=code)

    def test_not_comparable_goes_before_worse(self, project: RunnerProject, runs: TwoRuns) -> None:
        runs.write("a", WHOLE)
        runs.write("b", passes(10, 30), payload_schema="sample.text.v2")

        compare(project, "a", "b", "--fail-if-worse", code=4)


class TestAsJson:
    def test_everything_is_in_it_with_all_ids(self, project: RunnerProject, runs: TwoRuns) -> None:
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

    def test_obstacles_are_in_it_with_the_way_out(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        runs.write("a", passes(20, 0))
        runs.write("b", passes(20, 0), task_hashes=dict.fromkeys(passes(2, 0), "changed"))

        document = as_json(project, "a", "b")

        assert document["verdict"] == "not_comparable"
        (obstacle,) = document["obstacles"]
        assert (obstacle["about"], obstacle["task_ids"]) == ("task_content", ["t0", "t1"])
        assert obstacle["way_out"].endswith("run --run-id a --accept-changed-tasks")
        assert document["effect"]["count"] == 18

    def test_without_a_common_score_there_is_no_effect(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        runs.write("a", passes(1, 0))
        runs.write("b", passes(1, 0, start=1))

        document = as_json(project, "a", "b")

        assert (document["effect"], document["worst_case"], document["compared"]) == (None, None, 0)


class TestFields:
    @pytest.fixture
    def topical(self, project: RunnerProject) -> RunnerProject:
        """Two runs of nine tasks in two topics, and one without a topic."""
        topics = ["sums"] * 5 + ["names"] * 3 + [None]
        project.write_tasks(
            [
                {"id": f"t{n}", "question": f"say {n}", "answer": str(n)}
                | ({"topic": topic} if topic else {})
                for n, topic in enumerate(topics)
            ]
        )
        project.change_agent(
            (
                "return GenerationResult(answer=rest)",
                'return GenerationResult(answer=rest if model == "large" or int(rest) < 5 else "")',
            )
        )
        project.run("run", "--run-id", "first", "--model", "small")
        project.run("run", "--run-id", "second", "--model", "large")
        return project

    def test_tasks_are_clustered_by_one(self, topical: RunnerProject) -> None:
        lines = lines_of(topical, "first", "second", "--cluster", "topic")
        document = as_json(topical, "first", "second", "--cluster", "topic")

        # Four differences of 1, of which three are in one cluster, and five of 0 in another.
        spread = 4 * 5 / 9 / 8
        clusters = (5 * 4 / 9) ** 2 + (3 * 5 / 9) ** 2 + (5 / 9) ** 2
        error = (spread + clusters) ** 0.5 / 9
        assert (document["cluster"], document["clusters"]) == ("topic", 3)
        assert document["effect"]["stderr"] == pytest.approx(error)
        how = "paired standard error, n=9, in 3 cluster(s) by topic"
        assert f"B - A +0.4444 ± {error:.2g} ({how})" in " ".join(" ".join(lines).split())
        assert any(line.endswith(", which takes tasks for unrelated") for line in lines)
        assert "Note       3 cluster(s) are few: the interval is rough" in lines
        note = "1 compared task(s) have no topic: each is a cluster of its own"
        assert f"Note       {note}" in lines
        assert document["notes"] == [note]

    def test_groups_are_shown_by_one_the_greatest_loss_first(self, topical: RunnerProject) -> None:
        lines = lines_of(topical, "second", "first", "--by", "topic")
        document = as_json(topical, "second", "first", "--by", "topic")

        start = lines.index("By         topic, the greatest loss first")
        assert lines[start + 1 : start + 4] == [
            "           names: A 1, B 0, -1 ± 0 (n=3)",
            "           (none): A 1, B 0, -1 (n=1)",
            "           sums: A 1, B 1, +0 ± 0 (n=5)",
        ]
        assert [(each["group"], each["difference"]) for each in document["groups"]] == [
            ("sums", 0), ("names", -1), ("(none)", -1),
        ]  # fmt: skip

    def test_tasks_that_have_changed_since_are_said(self, topical: RunnerProject) -> None:
        tasks = json.loads(topical.dataset.read_text())["tests"]
        topical.write_tasks([tasks[0] | {"topic": "others"}, *tasks[1:]])

        lines = lines_of(topical, "first", "second", "--cluster", "topic")

        assert "Note       1 compared task(s) have changed since, maybe in the field, too" in lines

    def test_an_unknown_one_is_told(self, topical: RunnerProject) -> None:
        ended = topical.run("compare", "first", "second", "--cluster", "topics")

        assert (ended.code, ended.out) == (2, "")
        assert "no task of run 'second' has a field 'topics'" in ended.err
        assert "Did you mean topic?" in ended.err


class TestErrors:
    def test_a_run_is_not_compared_with_itself(self, project: RunnerProject, runs: TwoRuns) -> None:
        runs.write("a", WHOLE)

        ended = project.run("compare", "a", "a", "--fail-if-worse")

        assert (ended.code, ended.out) == (2, "")
        assert ended.err.splitlines() == [
            "UsageError: A and B are the same run, 'a': there is nothing to compare",
            "Name two runs: the baseline, then the candidate.",
        ]

    @pytest.mark.parametrize("order", [["first", "other"], ["other", "first"]])
    def test_an_unknown_run_is_told_with_what_is_near(
        self, project: RunnerProject, runs: TwoRuns, order: list[str]
    ) -> None:
        runs.write("first-1", WHOLE)
        runs.write("other", WHOLE)

        ended = project.run("compare", *order)

        assert (ended.code, ended.out) == (2, "")
        assert ended.err.splitlines() == [
            f"UsageError: there is no run 'first' in {project.results}",
            "Did you mean first-1? Check --results-dir. List the runs: bin/sample-runner runs",
        ]

    def test_it_is_an_object_with_json(self, project: RunnerProject) -> None:
        ended = project.run("compare", "a", "b", "--json")

        assert ended.code == 2
        assert (ended.json["command"], ended.json["error"]["type"]) == ("compare", "UsageError")


def test_a_run_that_is_going_on_is_compared_and_not_disturbed(project: RunnerProject) -> None:
    project.write_tasks(
        [
            {"id": "t1", "question": "say yes", "answer": "yes"},
            {"id": "t9", "question": "wait", "answer": "", "timeout": 0},
        ]
    )
    project.run("run", "--run-id", "first", "t1")
    waiting, ready = os.pipe()
    with project.start("run", "--run-id", "second", "--parallelism", "1", ready=ready) as run:
        os.close(ready)
        try:
            assert os.read(waiting, 100) == b"t9\n"
            document = project.execute("compare", "first", "second", "--json").json
            assert run.poll() is None
        finally:
            run.send_signal(signal.SIGINT)
            os.close(waiting)
        assert run.wait(30) == 130
    states = [(each["in_a"], each["in_b"]) for each in document["excluded"]]
    assert states[-1] == ("not generated yet", "not generated yet")
    assert not document["b"]["complete"]


def test_a_secret_and_an_escape_in_what_is_recorded_are_not_shown(
    project: RunnerProject, runs: TwoRuns
) -> None:
    secret = "sk-4b5c6d7e8f9a0b1c"
    runs.write("a", WHOLE)
    runs.write("b", WHOLE, grader={"service_version": f"\x1b[2J\n{secret}"}, model="m\x1b[2J\n2")

    ended = project.execute("compare", "a", "b", OPENAI_API_KEY=secret)

    assert "***" in ended.out
    assert secret not in ended.out
    assert "\x1b" not in ended.out
    assert "  model    m 2" in ended.out.splitlines()
