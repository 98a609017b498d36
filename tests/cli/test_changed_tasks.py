"""A dataset that is edited under a run: refused, or accepted and just that redone."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import ArtifactError
from tests.files import contents

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService

ONE = {"id": "t1", "question": "say one", "answer": "one"}
TWO = {"id": "t2", "question": "say two", "answer": "something else"}
THREE = {"id": "t3", "question": "say three", "answer": "three"}
TWO_CHANGED = {**TWO, "question": "say something else"}
FOUR = {"id": "t4", "question": "say four", "answer": "four"}
# An agent that kills its process at t2, while the file is there.
DEADLY = """\
        if task.id == "t2" and (ROOT / "deadly").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        word, _, rest"""
RUN = ["run", "--run-id", "r1"]
ACCEPT = [*RUN, "--accept-changed-tasks"]


@pytest.fixture
def finished(project: RunnerProject) -> RunnerProject:
    """A run of t3, t1 and t2, the last one of which is not solved."""
    project.write_tasks([THREE, ONE, TWO])
    project.change_agent(
        (
            "        word, _, rest",
            '        (log_dir / "own.log").write_text(task.question)\n        word, _, rest',
        )
    )
    assert project.run(*RUN).code == 0
    assert score(project) == pytest.approx(2 / 3)
    return project


def config(project: RunnerProject) -> dict[str, Any]:
    return project.read("r1", "run_config.json")


def score(project: RunnerProject) -> float:
    written = project.read("r1", "final_score.json")
    assert written["complete"] is True
    assert written["tasks_evaluated"] == config(project)["tasks"]
    return written["final_score"]


class TestRefused:
    @pytest.mark.sampled(5)
    @pytest.mark.parametrize("command", ["run", "evaluate", "score"])
    @pytest.mark.parametrize(
        ("tasks", "said"),
        [
            ([THREE, ONE, TWO_CHANGED], "1 changed (t2)"),
            ([THREE, ONE, TWO, FOUR], "1 added (t4)"),
            ([THREE, TWO], "1 removed (t1)"),
            ([FOUR, THREE, TWO_CHANGED], "1 changed (t2); 1 added (t4); 1 removed (t1)"),
        ],
    )
    def test_changes_are_listed_and_nothing_is_written(
        self, finished: RunnerProject, command: str, tasks: list[dict[str, str]], said: str
    ) -> None:
        """Changed tasks are refused by id, and nothing is written."""
        finished.write_tasks(tasks)
        before = contents(finished.results)
        ended = finished.run(command, "--run-id", "r1")
        assert ended.code == 2
        assert f"not what they were: {said}\n" in ended.err
        assert "--accept-changed-tasks" in ended.err
        assert contents(finished.results) == before
        assert len(finished.calls) == 3

    def test_only_run_can_accept_changes(self, finished: RunnerProject) -> None:
        """Only run has the flag to accept changed tasks."""
        for command in ("evaluate", "score"):
            ended = finished.run(command, "--run-id", "r1", "--accept-changed-tasks")
            assert ended.code == 2
            assert "No such option" in ended.err


class TestAccepted:
    def test_only_changed_tasks_are_redone(self, finished: RunnerProject) -> None:
        """Only changed tasks are redone, and the earlier attempt is kept."""
        earlier = {
            name: (finished.results / "r1" / "t2" / name).read_bytes()
            for name in ("generation.json", "eval.json", "agent_logs/own.log")
        }
        untouched = (finished.results / "r1" / "t3" / "generation.json").read_bytes()
        finished.write_tasks([THREE, ONE, TWO_CHANGED])
        ended = finished.run(*ACCEPT)
        assert ended.code == 0, ended.err
        assert "1 to generate, 2 to evaluate, 0 done before" in ended.out
        assert finished.calls[3:] == ["t2"]
        kept = finished.results / "r1" / "t2" / "attempts" / "1"
        assert {name: (kept / name).read_bytes() for name in earlier} == earlier
        generation = finished.read("r1", "t2", "generation.json")
        assert (generation["data"], generation["attempts"]) == ("something else", 2)
        assert generation["question"] == TWO_CHANGED["question"]
        assert score(finished) == 1.0
        assert (finished.results / "r1" / "t3" / "generation.json").read_bytes() == untouched

    def test_all_kinds_of_changes_are_accepted(self, finished: RunnerProject) -> None:
        """Changed, added and removed tasks are accepted at once."""
        finished.write_tasks([FOUR, THREE, TWO_CHANGED])
        ended = finished.run(*ACCEPT)
        assert ended.code == 0, ended.err
        assert "2 to generate, 1 to evaluate, 0 done before" in ended.out
        assert sorted(finished.calls[3:]) == ["t2", "t4"]
        noted = config(finished)
        assert noted["tasks"] == [*noted["task_hashes"]] == ["t4", "t3", "t2"]
        assert noted["dataset_size"] == 3
        assert score(finished) == 1.0
        assert ended.out.count("3 attempted") == 1
        assert finished.read("r1", "t1", "generation.json")["data"] == "one"

    def test_removed_task_updates_the_score(self, finished: RunnerProject) -> None:
        """A removed task alone makes a new score."""
        finished.write_tasks([THREE, ONE])
        assert finished.run(*ACCEPT).code == 0
        assert len(finished.calls) == 3
        assert score(finished) == 1.0

    @pytest.mark.parametrize(
        "tasks", [[THREE, ONE, TWO_CHANGED], [THREE, ONE], [THREE, ONE, TWO, FOUR]]
    )
    def test_score_of_other_tasks_is_removed(
        self, finished: RunnerProject, tasks: list[dict[str, str]]
    ) -> None:
        """A score of other tasks is removed where nothing is evaluated."""
        finished.write_tasks(tasks)
        assert finished.run(*ACCEPT, "--skip-eval").code == 0
        assert not (finished.results / "r1" / "final_score.json").exists()

    def test_accepted_tasks_are_the_runs_tasks(self, finished: RunnerProject) -> None:
        """Accepted tasks are the tasks of the run from then on."""
        finished.write_tasks([FOUR, THREE, TWO_CHANGED])
        assert finished.run(*ACCEPT).code == 0
        before = contents(finished.results)
        for command in ("run", "evaluate", "score"):
            assert finished.run(command, "--run-id", "r1").code == 0
        assert contents(finished.results) == before
        finished.write_tasks([THREE, ONE, TWO])
        ended = finished.run(*RUN)
        assert ended.code == 2
        assert "1 changed (t2); 1 added (t1); 1 removed (t4)" in ended.err

    def test_no_changes_do_nothing(self, finished: RunnerProject) -> None:
        """Accepting without changes does nothing."""
        before = contents(finished.results)
        assert finished.run(*ACCEPT).code == 0
        assert contents(finished.results) == before
        assert len(finished.calls) == 3

    def test_unchosen_changed_task_is_owed(self, finished: RunnerProject) -> None:
        """A changed task that is not chosen stays to be done."""
        finished.write_tasks([{**THREE, "question": "say  three"}, ONE, TWO_CHANGED])
        ended = finished.run(*ACCEPT, "t3")
        assert ended.code == 0, ended.err
        assert finished.calls[3:] == ["t3"]
        assert "No score yet: 1 not generated" in ended.out
        ended = finished.run(*RUN)
        assert ended.code == 0
        assert finished.calls[3:] == ["t3", "t2"]
        assert finished.read("r1", "t2", "generation.json")["attempts"] == 2

    def test_returning_task_is_compared_by_content(self, finished: RunnerProject) -> None:
        """A task that comes back is redone if its text is another."""
        finished.write_tasks([THREE, ONE])
        assert finished.run(*ACCEPT).code == 0
        finished.write_tasks([THREE, ONE, TWO_CHANGED])
        assert finished.run(*ACCEPT).code == 0
        assert finished.calls[3:] == ["t2"]
        assert finished.read("r1", "t2", "generation.json")["data"] == "something else"
        assert finished.read("r1", "t2", "attempts", "1", "generation.json")["data"] == "two"
        assert score(finished) == 1.0

    def test_other_file_is_used_from_then_on(self, finished: RunnerProject) -> None:
        """Another file is read from then on."""
        other = finished.root / "other.json"
        other.write_text(json.dumps({"dataset_name": "validation", "tests": [THREE, FOUR]}))
        ended = finished.run(*ACCEPT, "--dataset-file", "other.json")
        assert ended.code == 0, ended.err
        assert config(finished)["dataset_file"] == str(other)
        ended = finished.shell(ended.resume_command)
        assert ended.code == 0, ended.err
        assert finished.calls[3:] == ["t4"]
        assert score(finished) == 1.0


class TestGrades:
    """What becomes of the grades of tasks that are what they were."""

    def graded(self, scripted: ScriptedService) -> list[str]:
        return [body["task_id"] for path, body in scripted.bodies if path == "/evaluate-response/"]

    def test_services_evaluations_are_kept(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """Evaluations of a service are kept for unchanged tasks."""
        flags = ["--service-url", scripted.url]
        assert project.run(*RUN, *flags).code == 0
        project.write_tasks([THREE, ONE, TWO_CHANGED, FOUR])
        ended = project.run(*ACCEPT, *flags)
        assert ended.code == 0, ended.err
        assert "2 to generate, 0 to evaluate, 2 done before" in ended.out
        assert sorted(self.graded(scripted)[3:]) == ["t2", "t4"]
        assert scripted.paths().count("/final-score/") == 2

    def test_changed_service_needs_two_steps(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """If the service changed, too, the error gives the two commands."""
        flags = ["--service-url", scripted.url]
        assert project.run(*RUN, *flags).code == 0
        project.write_tasks([THREE, ONE, TWO_CHANGED])
        scripted.answers["/version"] = (200, {"service_version": "2.0.0"})
        before = contents(project.results)
        ended = project.run(*ACCEPT, *flags)
        assert ended.code == 2
        assert "run --accept-changed-tasks --skip-eval" in ended.err
        assert f"evaluate --run-id r1 --service-url {scripted.url} --regrade" in ended.err
        assert contents(project.results).keys() - before.keys() <= {
            project.results / "r1" / ".lock"
        }
        assert project.run(*ACCEPT, "--skip-eval", *flags).code == 0
        ended = project.run("evaluate", "--run-id", "r1", "--regrade", *flags)
        assert ended.code == 0, ended.err
        assert len(project.calls) == 4
        assert sorted(self.graded(scripted)[3:]) == ["t1", "t2", "t3"]

    def test_other_services_evaluations_are_kept(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """Evaluations by another service are not redone without being asked."""
        assert project.run(*RUN, "--service-url", scripted.url).code == 0
        project.write_tasks([THREE, ONE, TWO_CHANGED])
        ended = project.run(*ACCEPT)
        assert ended.code == 2
        assert f"evaluated by {scripted.url}" in ended.err
        assert project.read("r1", "t3", "eval.json")["service_url"] == scripted.url

    def test_local_evaluations_are_redone(self, finished: RunnerProject) -> None:
        """The local service changes with its tasks, so evaluations are redone."""
        before = (finished.results / "r1" / "t3" / "eval.json").read_bytes()
        finished.write_tasks([THREE, ONE, TWO_CHANGED])
        assert finished.run(*ACCEPT, "t1").code == 0
        kept = finished.results / "r1" / "t3" / "attempts" / "evals" / "1.json"
        assert kept.read_bytes() == before
        assert not (finished.results / "r1" / "t3" / "eval.json").exists()
        ended = finished.run(*RUN)
        assert ended.code == 0, ended.err
        assert "1 to generate, 1 to evaluate, 1 done before" in ended.out
        versions = {
            finished.read("r1", task_id, "eval.json")["service_version"]
            for task_id in ("t1", "t2", "t3")
        }
        assert len(versions) == 1


class TestPartOfADataset:
    def test_limited_run_compares_its_tasks_only(self, project: RunnerProject) -> None:
        """Only the first tasks of a limited run are compared."""
        project.write_tasks([THREE, ONE, TWO])
        assert project.run(*RUN, "--skip-eval", "--limit", "2").code == 0
        project.write_tasks([THREE, ONE, TWO_CHANGED, FOUR])
        assert project.run(*RUN, "--skip-eval").code == 0
        project.write_tasks([FOUR, THREE, ONE, TWO])
        ended = project.run(*RUN)
        assert ended.code == 2
        assert "1 added (t4); 1 removed (t1)" in ended.err

    def test_accepted_changes_keep_the_limit(self, project: RunnerProject) -> None:
        """Accepted changes keep the limit."""
        project.write_tasks([THREE, ONE, TWO])
        assert project.run(*RUN, "--limit", "2").code == 0
        project.write_tasks([FOUR, THREE, ONE, TWO])
        ended = project.run(*ACCEPT)
        assert ended.code == 0, ended.err
        noted = config(project)
        assert (noted["tasks"], noted["limit"], noted["dataset_size"]) == (["t4", "t3"], 2, 4)
        assert "first 2 of 4" in ended.out
        assert project.calls[2:] == ["t4"]
        assert score(project) == 1.0

    def test_changed_problem_is_refused_or_redone(self, project: RunnerProject) -> None:
        """The changed text of a problem is refused, or accepted and redone."""
        for task_id in ("a", "b"):
            (project.root / f"{task_id}.txt").write_text(f"say {task_id}")
            flags = ["--skip-eval", "--problem", f"{task_id}.txt", task_id]
            assert project.run(*RUN, *flags).code == 0
        (project.root / "b.txt").write_text("say more")
        flags = ["--skip-eval", "--problem", "b.txt", "b"]
        before = contents(project.results / "r1" / "b")
        ended = project.run(*RUN, *flags)
        assert ended.code == 2
        assert "1 changed (b)" in ended.err
        assert contents(project.results / "r1" / "b") == before

        ended = project.run(*ACCEPT, *flags)
        assert ended.code == 0, ended.err
        assert project.calls == ["a", "b", "b"]
        assert project.read("r1", "b", "generation.json")["data"] == "more"
        assert project.read("r1", "b", "attempts", "1", "generation.json")["data"] == "b"
        assert config(project)["tasks"] == ["a", "b"]
        assert project.run(*RUN, *flags).code == 0
        assert project.calls == ["a", "b", "b"]


class TestKilledInBetween:
    def test_kill_before_the_config_is_written(self, finished: RunnerProject) -> None:
        """A kill before the new tasks are recorded leaves them to be accepted."""
        finished.write_tasks([THREE, ONE, TWO_CHANGED])
        RunArtifacts(finished.results, "r1").keep_attempt("t2")
        assert finished.run(*RUN).code == 2
        ended = finished.run(*ACCEPT)
        assert ended.code == 0, ended.err
        assert finished.calls[3:] == ["t2"]
        assert finished.read("r1", "t2", "generation.json")["attempts"] == 2
        assert finished.read("r1", "t2", "attempts", "1", "eval.json")["status"] == "evaluated"
        assert score(finished) == 1.0

    def test_old_answer_prevents_the_config(self, finished: RunnerProject) -> None:
        """New tasks are not recorded while an old answer is still in place."""

        def fail(*_: object) -> None:
            raise ArtifactError("the disk does not answer")

        # Noted first, the answer to the old text would count as one to the new text.
        before = (finished.results / "r1" / "run_config.json").read_bytes()
        finished.write_tasks([THREE, ONE, TWO_CHANGED])
        with pytest.MonkeyPatch.context() as disk:
            disk.setattr(RunArtifacts, "keep_attempt", fail)
            assert finished.run(*ACCEPT).code == 1
        assert (finished.results / "r1" / "run_config.json").read_bytes() == before
        assert finished.run(*RUN).code == 2
        assert finished.run(*ACCEPT).code == 0
        assert finished.calls[3:] == ["t2"]
        assert score(finished) == 1.0

    def test_kill_after_the_config_is_written(self, finished: RunnerProject) -> None:
        """A kill after the new tasks are recorded leaves the rest to a plain resume."""
        finished.change_agent(
            (
                "        word, _, rest",
                DEADLY,
            )
        )
        finished.write_tasks([{**THREE, "question": "say  three"}, ONE, TWO_CHANGED])
        (finished.root / "deadly").touch()
        assert finished.execute(*ACCEPT, "--parallelism", "1").code == -9
        (finished.root / "deadly").unlink()
        assert finished.calls[3:] == ["t3", "t2"]
        ended = finished.run(*RUN)
        assert ended.code == 0, ended.err
        assert finished.calls[3:] == ["t3", "t2", "t2"]
        for task_id in ("t3", "t2"):
            kept = finished.results / "r1" / task_id / "attempts" / "1"
            assert {path.name for path in kept.iterdir()} == {
                "generation.json",
                "eval.json",
                "agent_logs",
            }
        assert finished.read("r1", "t3", "generation.json")["attempts"] == 2

    def test_folder_of_a_removed_task_may_go(self, finished: RunnerProject) -> None:
        """The folder of a removed task may be deleted."""
        finished.write_tasks([THREE, ONE])
        assert finished.run(*ACCEPT).code == 0
        shutil.rmtree(finished.results / "r1" / "t2")
        assert finished.run(*RUN).code == 0
        assert score(finished) == 1.0
