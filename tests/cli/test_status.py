"""``status``: how a run stands and how to go on with it; nothing is touched."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.outcomes import TASKS, run_to_all_ends
from tests.files import state

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject
    from tests.scripted_service import ScriptedService

COLUMNS = 80


def status(project: RunnerProject, *args: str) -> Ended:
    """What it says, once it is sure that it has touched nothing."""
    before = state(project.root)
    ended = project.run("status", *args)
    assert ended.code == 0, ended.err
    assert ended.err == ""
    assert state(project.root) == before
    return ended


def as_json(project: RunnerProject, *args: str) -> dict[str, Any]:
    return status(project, *args, "--json").json


class TestInWords:
    def test_finished_run_shows_its_score(self, project: RunnerProject) -> None:
        """A finished run is shown with its score and its plan."""
        project.run("run", "--run-id", "r1")

        lines = status(project, "r1").out.splitlines()

        assert max(map(len, lines)) <= COLUMNS
        assert lines[:4] == [
            "Run r1",
            "  model    sample-model",
            "  tasks    3, from data/validation.json",
            "  results  results/r1",
        ]
        assert lines[4].startswith("  evals    by local (legacy API, version ")
        assert lines[5].startswith("  started  20")
        assert lines[5].endswith(" s ago")
        assert lines[6:] == [
            "Score    0.6667 ± 0.33 (standard error, n=3)  [local]",
            "Interval 0.2077 to 0.9385 (95 %, Wilson), for tasks like these",
            "         One run does not show how much the model varies from run to run.",
            "Tasks    3",
            "       3 scored",
            "A resume would",
            "  reuse    3 tasks",
            "    3 evaluated: t3, t1, t2",
            "  evaluate 0 tasks",
            "  generate 0 tasks",
            "Resume   bin/sample-runner run --run-id r1",
        ]

    def test_every_outcome_is_counted_and_explained(self, project: RunnerProject) -> None:
        """Every outcome of a task is counted and explained."""
        run_to_all_ends(project)

        lines = status(project, "r1").out.splitlines()

        start = lines.index("Tasks    9")
        assert lines[start + 1 : start + 8] == [
            "       2 scored",
            "       1 timed out",
            "       1 out of turns",
            "       2 failed in generation",
            "       1 failed in grading",
            "       1 not graded yet",
            "       1 not generated yet",
        ]
        assert "No score yet: 1 not generated, 1 not evaluated, 3 failed" in lines
        assert "Mean     0.25 ± 0.25 (standard error, n=4) so far  [local]" in lines
        place = lines.index("Generation failed for 2 tasks: broken, broken-2")
        assert lines[place + 1] == "  ValueError: no luck with …"
        assert lines[place + 3] == "  traceback in results/r1/broken/agent_logs/traceback.log"
        assert any(line.startswith("Evaluation failed for 1 task: unfair") for line in lines)
        assert "    2 the generation failed: broken, broken-2" in lines
        assert "    1 not generated yet: missing" in lines
        assert "Retry    bin/sample-runner run --run-id r1 --retry-timeouts" in lines

    def test_part_of_a_dataset_is_marked(self, project: RunnerProject) -> None:
        """A part of the dataset is marked as such."""
        project.run("run", "--run-id", "r1", "--limit", "2")

        lines = status(project, "r1").out.splitlines()

        assert "  tasks    first 2 of 3, from data/validation.json" in lines
        assert "Tasks    first 2 of 3" in lines

    def test_costs_and_tokens_are_summed(self, project: RunnerProject) -> None:
        """Costs and tokens of all attempts are summed."""
        project.change_agent(
            (
                "return GenerationResult(answer=rest)",
                "return GenerationResult(answer=rest, cost=0.5, usage=USAGE)",
            ),
            ("ROOT =", 'USAGE = {"input": 1000, "output": 10}\nROOT ='),
        )
        project.run("run", "--run-id", "r1")
        project.run("run", "--run-id", "r1", "--rerun", "t1")

        lines = status(project, "r1").out.splitlines()
        document = as_json(project, "r1")

        assert "Cost     $2.00" in lines
        assert "Tokens   4,000 in, 40 out" in lines
        assert (document["cost"], document["cost_unknown"]) == (2, 0)
        assert document["tokens"] == {
            "input": 4000,
            "output": 40,
            "reasoning": None,
            "cache_read": None,
            "cache_write": None,
        }

    def test_invalid_score_is_not_shown(self, project: RunnerProject) -> None:
        """A score that is no longer valid is not shown."""
        project.run("run", "--run-id", "r1")
        path = project.results / "r1" / "t1" / "eval.json"
        grade = json.loads(path.read_text())
        path.write_text(json.dumps(grade | {"result": {"pass_percentage": 0}}))

        lines = status(project, "r1").out.splitlines()

        assert "No score yet: the one on disk is not that of the evaluations on disk" in lines
        assert as_json(project, "r1")["final_score"] is None

    def test_a_forced_score_is_marked(self, project: RunnerProject) -> None:
        """A score of an incomplete run is marked."""
        project.run("run", "--run-id", "r1", "t1")
        project.run("score", "--run-id", "r1", "--force")

        lines = status(project, "r1").out.splitlines()

        assert any(line.endswith("[local; incomplete, missing tasks count 0]") for line in lines)
        assert as_json(project, "r1")["complete"] is False

    def test_unreadable_file_is_named_and_stays(self, project: RunnerProject) -> None:
        """A file that can't be read is named and stays in its place."""
        project.run("run", "--run-id", "r1")
        torn = project.results / "r1" / "t1" / "generation.json"
        torn.write_text("{")

        lines = status(project, "r1").out.splitlines()

        assert "Can't be read: results/r1/t1/generation.json" in lines
        assert "    1 the generation could not be read: t1" in lines
        assert as_json(project, "r1")["unreadable"] == [str(torn)]


class TestAsJson:
    def test_json_has_the_fields_of_run(self, project: RunnerProject) -> None:
        """The JSON has the fields that run has."""
        ran = project.run("run", "--run-id", "r1", "--json").json

        document = as_json(project, "r1")

        same = [
            "run_id", "results_dir", "local", "complete", "final_score", "mean", "stderr",
            "counts", "limit", "dataset_size", "failures", "bounds", "cost", "cost_unknown",
            "resume_command",
        ]  # fmt: skip
        assert {name: document[name] for name in same} == {name: ran[name] for name in same}
        assert (document["schema"], document["command"]) == (1, "status")
        assert document["counts"]["scored"] == 3

    def test_json_has_every_outcome(self, project: RunnerProject) -> None:
        """The JSON has every outcome with all task ids."""
        run_to_all_ends(project)

        document = as_json(project, "r1")

        assert (document["complete"], document["final_score"]) == (False, None)
        assert document["counts"] == {
            "total": 9,
            "attempted": 8,
            "scored": 2,
            "error": 3,
            "max_time": 1,
            "max_turns": 1,
        }
        assert document["states"] == {
            "scored": 2,
            "timed_out": 1,
            "out_of_turns": 1,
            "did_not_complete": 0,
            "failed_generating": 2,
            "failed_grading": 1,
            "not_graded": 1,
            "not_generated": 1,
        }
        (generating, grading) = document["failures"]
        assert (generating["phase"], generating["task_ids"]) == ("generate", ["broken", "broken-2"])
        assert (grading["phase"], grading["task_ids"]) == ("evaluate", ["unfair"])
        planned = {
            action: [task_id for group in groups for task_id in group["task_ids"]]
            for action, groups in document["plan"].items()
        }
        assert planned == {
            "reuse": ["right", "wrong", "slow", "chatty"],
            "regrade": ["unfair", "ungraded"],
            "rerun": ["broken", "broken-2", "missing"],
        }
        (by,) = document["graded_by"]
        assert (by["service_url"], by["tasks"]) == ("local", 2)


class TestTheCommandsThatFollow:
    def test_resume_command_is_that_of_run(self, project: RunnerProject) -> None:
        """The resume command is the one that run prints, and it works."""
        project.write_tasks([*TASKS[:2], {"id": "t9", "question": "raise no", "answer": ""}])
        flags = ["--parallelism", "3", "--timeout", "2.5", "--no-durable", "--eval-timeout", "60"]
        printed = project.run("run", "--run-id", "r1", *flags).resume_command

        ended = status(project, "r1")

        assert ended.resume_command == printed
        assert "--timeout 2.5" in printed
        project.heal()
        again = project.shell(ended.resume_command.replace("bin/", ""))
        assert (again.code, sorted(project.calls)) == (0, ["right", "t9", "t9", "wrong"])

    def test_retry_timeouts_command_works(self, project: RunnerProject) -> None:
        """The command to retry timeouts works."""
        project.write_tasks([TASKS[0], TASKS[3]])
        project.run("run", "--run-id", "r1")
        project.heal()

        command = as_json(project, "r1")["retry_timeouts_command"]

        assert project.shell(command.replace("bin/", "")).code == 0
        assert sorted(project.calls) == ["chatty", "chatty", "right"]
        assert as_json(project, "r1")["retry_timeouts_command"] is None

    def test_skipped_evaluations_name_the_command(self, project: RunnerProject) -> None:
        """Without evaluations the command to evaluate is shown."""
        project.run("run", "--run-id", "r1", "--skip-eval")

        ended = status(project, "r1")

        assert "    3 generated, and not to be evaluated: t3, t1, t2" in ended.out.splitlines()
        assert ended.resume_command.endswith("run --run-id r1 --skip-eval")
        (grade,) = [line for line in ended.out.splitlines() if line.startswith("Evaluate ")]
        assert project.shell(grade.removeprefix("Evaluate bin/")).code == 0
        assert as_json(project, "r1")["counts"]["scored"] == 3

    def test_problem_says_what_run_needs(self, project: RunnerProject) -> None:
        """A run of problems says what run needs."""
        (project.root / "problem.txt").write_text("raise no luck")
        project.run("run", "--run-id", "r1", "--problem", "problem.txt", "--skip-eval", "p1")

        ended = status(project, "r1")

        assert "  tasks    p1, from --problem" in ended.out.splitlines()
        assert "give run --problem FILE TASK_ID as before" in ended.out
        assert ended.resume_command.endswith("evaluate --run-id r1")

    def test_own_service_and_folder_are_named(
        self, project: RunnerProject, scripted: ScriptedService, tmp_path: Path
    ) -> None:
        """The run's own service and folder are in the resume command."""
        elsewhere = str(tmp_path / "elsewhere")
        where = ["--results-dir", elsewhere]
        project.run("run", "--run-id", "r1", "--service-url", scripted.url, *where)
        asked = len(scripted.asked)

        ended = status(project, "r1", *where)

        assert ended.resume_command == (
            f"bin/sample-runner run --run-id r1 --results-dir {elsewhere} "
            f"--service-url {scripted.url}"
        )
        assert as_json(project, "r1", *where)["local"] is False
        assert len(scripted.asked) == asked, "the service was asked"


class TestWhileARunIsGoing:
    def test_running_run_is_not_disturbed(self, project: RunnerProject) -> None:
        """A run in progress is shown and not disturbed."""
        project.write_tasks(
            [TASKS[0], {"id": "t9", "question": "wait", "answer": "", "timeout": 0}]
        )
        waiting, ready = os.pipe()
        with project.start("run", "--run-id", "r1", ready=ready) as run:
            os.close(ready)
            try:
                assert os.read(waiting, 100) == b"t9\n"
                for command in (["runs"], ["show", "r1", "t9"], ["export", "r1"]):
                    looked = project.execute(*command)
                    assert looked.code == 0, looked.err
                document = project.execute("status", "r1", "--json").json
                assert document["complete"] is False
                assert document["states"]["not_generated"] == 1
                assert document["counts"]["total"] == 2
                assert run.poll() is None
            finally:
                run.send_signal(signal.SIGINT)
                os.close(waiting)
            assert run.wait(30) == 130
        assert project.execute("status", "r1", "--json").json["counts"]["attempted"] == 1


class TestErrors:
    @pytest.mark.parametrize("command", ["status first", "show first t1", "export first"])
    def test_unknown_run_suggests_similar_ones(self, project: RunnerProject, command: str) -> None:
        """An unknown run is refused with similar names."""
        project.run("run", "--run-id", "first-1")

        ended = project.run(*command.split())

        assert (ended.code, ended.out) == (2, "")
        assert ended.err.splitlines() == [
            f"UsageError: there is no run 'first' in {project.results}",
            "Did you mean first-1? Check --results-dir. List the runs: bin/sample-runner runs",
        ]

    def test_error_is_json_with_the_flag(self, project: RunnerProject) -> None:
        """With --json an error is an object."""
        ended = project.run("status", "r9", "--json")

        assert ended.code == 2
        assert ended.json["command"] == "status"
        assert ended.json["error"]["type"] == "UsageError"

    def test_damaged_config_stays(self, project: RunnerProject) -> None:
        """A damaged config is an error and stays in its place."""
        project.run("run", "--run-id", "r1")
        path = project.results / "r1" / "run_config.json"
        path.write_text("{")

        ended = project.run("status", "r1")

        assert ended.code == 1
        assert f"{path}: can't be read" in ended.err
        assert path.read_text() == "{"

    def test_failing_task_score_is_an_error(self, project: RunnerProject) -> None:
        """A task_score() that fails is an error that names the task."""
        project.run("run", "--run-id", "r1")
        project.set_in_class('task_score = lambda self, result: {}["no"]')

        ended = project.run("status", "r1")

        assert ended.code == 2
        assert "task_score() failed on task 't3'" in ended.err


def test_secrets_and_escapes_are_not_shown(project: RunnerProject) -> None:
    """Secrets and escapes in an error are not shown."""
    secret = "sk-4b5c6d7e8f9a0b1c"  # not known to be one when the run was made
    project.write_tasks([{"id": "t1", "question": f"raise \x1b[2J{secret}", "answer": ""}])
    project.run("run", "--run-id", "r1")

    for command in (["status", "r1"], ["show", "r1", "t1"], ["export", "r1"]):
        ended = project.execute(*command, OPENAI_API_KEY=secret)
        assert "ValueError: ***" in ended.out, command
        assert secret not in ended.out + ended.err
        assert "\x1b" not in ended.out + ended.err
