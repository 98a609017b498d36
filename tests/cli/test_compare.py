"""``compare``: the way out, exit codes, fields and errors; nothing is touched."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.compare_command import as_json, compare, lines_of, verdict_in
from tests.unit.results.compare.two_runs import FAILED, WHOLE, TwoRuns, passes

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


@pytest.fixture
def runs(project: RunnerProject) -> TwoRuns:
    return TwoRuns(project.results)


class TestWaysOut:
    def test_older_run_is_evaluated_again(self, project: RunnerProject) -> None:
        """If the grader changed, the way out evaluates the older run again."""
        project.run("run", "--run-id", "first")
        project.write_grader("def grade(task, response):\n    return 1.0\n")
        project.run("run", "--run-id", "second")

        lines = lines_of(project, "first", "second")

        assert "Verdict    Not comparable:" in lines
        command = lines[-1].removeprefix("Way out    ")
        assert command == "bin/sample-runner evaluate --run-id first --regrade"
        assert project.shell(command.removeprefix("bin/")).code == 0
        assert as_json(project, "first", "second")["verdict"] == "no_difference_shown"

    def test_changed_tasks_of_older_run_are_redone(self, project: RunnerProject) -> None:
        """If tasks changed, the way out redoes them in the older run."""
        project.run("run", "--run-id", "first")
        tasks = json.loads(project.dataset.read_text())["tests"]
        project.write_tasks([tasks[0] | {"question": "say  three"}, *tasks[1:]])
        project.run("run", "--run-id", "second")

        lines = lines_of(project, "first", "second")

        assert "           - B has other content for 1 task of the same id: t3" in lines
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

    def test_candidate_without_scores_is_resumed(
        self, project: RunnerProject, runs: TwoRuns
    ) -> None:
        """If the candidate lacks scores, the way out resumes it."""
        runs.write("a", passes(40, 0))
        runs.write("b", passes(20, 0) | {f"t{n}": FAILED for n in range(20, 40)})

        lines = lines_of(project, "a", "b")

        assert verdict_in(lines).startswith(
            "Not comparable: - B has no score for 20 tasks that A has one for; counting each "
            "as 0 makes B worse (a difference of -0.5): t20, t21, t22, t23, t24, …"
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
    def test_no_way_out_for_other_places(
        self, project: RunnerProject, runs: TwoRuns, b: dict[str, Any]
    ) -> None:
        """There is no way out to another service or file."""
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
    def test_exit_code_follows_the_verdict(
        self,
        project: RunnerProject,
        runs: TwoRuns,
        b: dict[str, float | str],
        code: int,
        form: list[str],
    ) -> None:
        """With --fail-if-worse the exit code follows the verdict."""
        runs.write("a", WHOLE)
        runs.write("b", b)

        compare(project, "a", "b", *form)
        compare(project, "a", "b", "--fail-if-worse", *form, code=code)

    def test_not_comparable_wins_over_worse(self, project: RunnerProject, runs: TwoRuns) -> None:
        """Not comparable has its exit code even if B is worse."""
        runs.write("a", WHOLE)
        runs.write("b", passes(10, 30), payload_schema="sample.text.v2")

        compare(project, "a", "b", "--fail-if-worse", code=4)


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
        """--cluster groups related tasks for the standard error."""
        lines = lines_of(topical, "first", "second", "--cluster", "topic")
        document = as_json(topical, "first", "second", "--cluster", "topic")

        # Four differences of 1, of which three are in one cluster, and five of 0 in another.
        spread = 4 * 5 / 9 / 8
        clusters = (5 * 4 / 9) ** 2 + (3 * 5 / 9) ** 2 + (5 / 9) ** 2
        error = (spread + clusters) ** 0.5 / 9
        assert (document["cluster"], document["clusters"]) == ("topic", 3)
        assert document["effect"]["stderr"] == pytest.approx(error)
        how = "paired standard error, n=9, in 3 clusters by topic"
        assert f"B - A +0.4444 ± {error:.2g} ({how})" in " ".join(" ".join(lines).split())
        assert any(line.endswith(", which takes tasks for unrelated") for line in lines)
        assert "Note       the interval is rough with only 3 clusters" in lines
        note = "no topic for 1 compared task, each a cluster of its own"
        assert f"Note       {note}" in lines
        assert document["notes"] == [note]

    def test_groups_are_sorted_by_loss(self, topical: RunnerProject) -> None:
        """--by shows the groups, the largest loss first."""
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

    def test_changed_tasks_are_a_note(self, topical: RunnerProject) -> None:
        """Tasks that have changed since are noted."""
        tasks = json.loads(topical.dataset.read_text())["tests"]
        topical.write_tasks([tasks[0] | {"topic": "others"}, *tasks[1:]])

        lines = lines_of(topical, "first", "second", "--cluster", "topic")

        assert "Note       1 compared task changed since, maybe in the field, too" in lines

    def test_unknown_field_is_refused(self, topical: RunnerProject) -> None:
        """An unknown field is refused with similar ones."""
        ended = topical.run("compare", "first", "second", "--cluster", "topics")

        assert (ended.code, ended.out) == (2, "")
        assert "no task of run 'second' has a field 'topics'" in ended.err
        assert "Did you mean topic?" in ended.err


class TestErrors:
    def test_a_run_is_not_compared_with_itself(self, project: RunnerProject, runs: TwoRuns) -> None:
        """A run is not compared with itself."""
        runs.write("a", WHOLE)

        ended = project.run("compare", "a", "a", "--fail-if-worse")

        assert (ended.code, ended.out) == (2, "")
        assert ended.err.splitlines() == [
            "UsageError: A and B are the same run, 'a': there is nothing to compare",
            "Name two runs: the baseline, then the candidate.",
        ]

    @pytest.mark.parametrize("order", [["first", "other"], ["other", "first"]])
    def test_unknown_run_suggests_similar_ones(
        self, project: RunnerProject, runs: TwoRuns, order: list[str]
    ) -> None:
        """An unknown run is refused with similar names."""
        runs.write("first-1", WHOLE)
        runs.write("other", WHOLE)

        ended = project.run("compare", *order)

        assert (ended.code, ended.out) == (2, "")
        assert ended.err.splitlines() == [
            f"UsageError: there is no run 'first' in {project.results}",
            "Did you mean first-1? Check --results-dir. List the runs: bin/sample-runner runs",
        ]

    def test_error_is_json_with_the_flag(self, project: RunnerProject) -> None:
        """With --json an error is an object."""
        ended = project.run("compare", "a", "b", "--json")

        assert ended.code == 2
        assert (ended.json["command"], ended.json["error"]["type"]) == ("compare", "UsageError")


def test_running_run_is_compared(project: RunnerProject) -> None:
    """A run in progress is compared and not disturbed."""
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


def test_secrets_and_escapes_are_not_shown(project: RunnerProject, runs: TwoRuns) -> None:
    """Secrets and escapes in recorded values are not shown."""
    secret = "sk-4b5c6d7e8f9a0b1c"
    runs.write("a", WHOLE)
    runs.write("b", WHOLE, grader={"service_version": f"\x1b[2J\n{secret}"}, model="m\x1b[2J\n2")

    ended = project.execute("compare", "a", "b", OPENAI_API_KEY=secret)

    assert "***" in ended.out
    assert secret not in ended.out
    assert "\x1b" not in ended.out
    assert "  model    m 2" in ended.out.splitlines()
