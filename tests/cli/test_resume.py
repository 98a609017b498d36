"""What a second command on the same run does, and what it refuses."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.errors import ArtifactError
from tests.cli.conftest import TASKS

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


def stamps(project: RunnerProject) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns for path in project.results.rglob("*") if path.is_file()
    }


def change(project: RunnerProject, task_id: str, question: str) -> None:
    changed = {"id": task_id, "question": question}
    project.write_tasks([task | changed if task["id"] == task_id else task for task in TASKS])


class TestNothingIsDoneAgain:
    def test_a_second_run_with_the_same_id_does_nothing(self, project: RunnerProject) -> None:
        """A second run with the same id does nothing."""
        first = project.run("run", "--run-id", "r1")
        before = stamps(project)
        second = project.run("run", "--run-id", "r1")
        assert (first.code, second.code) == (0, 0)
        assert len(project.calls) == 3
        assert "0 to generate, 0 to evaluate, 3 done before" in second.out
        assert "Score    0.6667 ± 0.33 (standard error, n=3)  [local; from before]" in second.out
        changed = {path for path, stamp in stamps(project).items() if before[path] != stamp}
        assert not {path for path in changed if not path.endswith(".lock")}

    def test_a_finished_run_needs_no_service(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A finished run needs no service."""
        assert project.run("run", "--run-id", "r1", "--service-url", scripted.url).code == 0
        asked = len(scripted.asked)
        assert project.run("run", "--run-id", "r1", "--service-url", scripted.url).code == 0
        assert len(scripted.asked) == asked

    @pytest.mark.parametrize("command", ["run", "evaluate", "score"])
    def test_the_files_of_a_finished_run_are_read_once(
        self, project: RunnerProject, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        """The files of a finished run are read once."""
        assert project.run("run", "--run-id", "r1").code == 0
        opened: Counter[str] = Counter()
        really_open = os.open

        def counted(path: str, *args: int, **options: int) -> int:
            opened[str(path)] += 1
            return really_open(path, *args, **options)

        monkeypatch.setattr(os, "open", counted)

        assert project.run(command, "--run-id", "r1").code == 0
        of_tasks = [
            project.results / "r1" / task["id"] / name
            for task in TASKS
            for name in ("generation.json", "eval.json")
        ]
        assert [opened[str(path)] for path in of_tasks] == [1] * 6

    def test_only_missing_work_is_done(self, project: RunnerProject) -> None:
        """Only the missing generations and evaluations are made."""
        project.run("run", "--run-id", "r1", "--skip-eval", "t1")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 0
        assert "2 to generate, 1 to evaluate, 0 done before" in ended.out
        assert sorted(project.calls) == ["t1", "t2", "t3"]

    @pytest.mark.parametrize("content", [None, "", '{"task_id": "t1", "sta', "[]"])
    def test_missing_or_torn_generation_is_redone(
        self, project: RunnerProject, content: str | None
    ) -> None:
        """A missing or torn generation is redone with its evaluation and the score."""
        project.run("run", "--run-id", "r1")
        generation = project.results / "r1" / "t2" / "generation.json"
        generation.unlink() if content is None else generation.write_text(content)
        project.write_agent(
            (project.root / "runner" / "benchmark.py")
            .read_text()
            .replace("answer=rest", "answer='something else'")
        )
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 0
        assert project.calls[3:] == ["t2"]
        assert project.read("r1", "t2", "eval.json")["result"] == {"pass_percentage": 1.0}
        assert project.read("r1", "final_score.json")["final_score"] == 1.0
        aside = generation.with_name("generation.json.corrupt-1")
        assert aside.exists() is (content is not None)
        assert ("Set aside" in ended.out) is (content is not None)

    def test_torn_evaluation_is_redone(self, project: RunnerProject) -> None:
        """A torn evaluation is made again without generating."""
        project.run("run", "--run-id", "r1")
        (project.results / "r1" / "t2" / "eval.json").write_text("{")
        assert project.run("run", "--run-id", "r1").code == 0
        assert len(project.calls) == 3
        assert project.read("r1", "t2", "eval.json")["status"] == "evaluated"

    def test_changed_generation_makes_score_stale(self, project: RunnerProject) -> None:
        """A changed generation makes its evaluation and the score stale."""
        project.run("run", "--run-id", "r1")
        generation = project.results / "r1" / "t1" / "generation.json"
        generation.write_text(generation.read_text().replace('"one"', '"wrong"'))
        ended = project.run("score", "--run-id", "r1")
        assert ended.code == 1
        assert "1 not evaluated" in ended.out
        assert project.run("run", "--run-id", "r1").code == 0
        assert len(project.calls) == 3
        assert project.read("r1", "final_score.json")["final_score"] == pytest.approx(1 / 3)

    @pytest.mark.parametrize(
        "command", [("run", "--rerun", "t1"), ("evaluate", "--regrade")], ids=" ".join
    )
    def test_partial_move_leaves_no_score(
        self, project: RunnerProject, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
    ) -> None:
        """No score is left if earlier files could be moved only in part."""
        project.run("run", "--run-id", "r1")
        moved: list[Path] = []

        def move(storage: Storage, source: Path, target: Path) -> bool:
            if moved:
                raise ArtifactError("no space left")
            moved.append(source)
            return Path.rename(source, target).exists()

        with monkeypatch.context() as patch:
            patch.setattr(Storage, "move", move)
            assert project.run(*command, "--run-id", "r1").code == 1
        assert len(moved) == 1
        assert not moved[0].exists()
        assert not (project.results / "r1" / "final_score.json").exists()
        assert project.run("run", "--run-id", "r1").code == 0


class TestSameRun:
    def test_omitted_settings_are_the_runs(self, project: RunnerProject) -> None:
        """Settings that are left out are those of the run."""
        project.run("run", "--run-id", "r1", "--model", "m1", "--limit", "2", "t3")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 0
        assert project.calls == ["t3", "t1"]
        assert project.read("r1", "t1", "generation.json")["model"] == "m1"

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (["--model", "m2"], "model was 'm1', now 'm2'"),
            (["--temperature", "0.9"], "temperature was 0.5, now 0.9"),
            (["--max-tokens", "9"], "max_tokens was not set, now 9"),
            (["--custom-endpoint", "http://127.0.0.1:9"], "custom_endpoint was not set"),
            (["--dataset-name", "validation"], "takes its tasks from a file"),
            (["--limit", "1"], "--limit 1"),
        ],
    )
    def test_other_identity_changes_nothing(
        self, project: RunnerProject, flags: list[str], said: str
    ) -> None:
        """Another identity is refused and changes nothing."""
        project.run("run", "--run-id", "r1", "--model", "m1", "--temperature", "0.5", "t1")
        before = stamps(project)
        ended = project.run("run", "--run-id", "r1", *flags)
        assert ended.code == 2
        assert said in ended.err
        assert "--run-id" in ended.err
        assert project.calls == ["t1"]
        assert stamps(project) == before

    def test_endpoint_of_the_environment_is_identity(self, project: RunnerProject) -> None:
        """An endpoint of the environment is part of the identity."""
        project.run("run", "--run-id", "r1", "t1")
        ended = project.run("run", "--run-id", "r1", CUSTOM_ENDPOINT="http://127.0.0.1:9")
        assert ended.code == 2
        assert "custom_endpoint" in ended.err

    def test_changed_tasks_are_refused(self, project: RunnerProject) -> None:
        """Changed tasks are refused by each command."""
        project.run("run", "--run-id", "r1")
        dataset = project.dataset
        dataset.write_text(dataset.read_text().replace("say two", "say something else"))
        for command in ("run", "evaluate", "score"):
            ended = project.run(command, "--run-id", "r1")
            assert ended.code == 2
            assert "1 changed (t2)" in ended.err

    def test_operational_settings_may_change(self, project: RunnerProject) -> None:
        """Operational settings may change."""
        project.run("run", "--run-id", "r1", "t1")
        free = ["--parallelism", "1", "--timeout", "9", "--eval-timeout", "9", "--quiet"]
        assert project.run("run", "--run-id", "r1", *free, "--service-attempts", "2").code == 0

    def test_run_of_another_file_reads_it_again(
        self, project: RunnerProject, tmp_path: Path
    ) -> None:
        """A run of another file reads that file again."""
        own = tmp_path / "own.json"
        own.write_text('[{"id": "x", "question": "say yes", "answer": "yes"}]')
        project.run("run", "--run-id", "r1", "--dataset-file", own, "--skip-eval")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 0
        assert project.read("r1", "final_score.json")["final_score"] == 1.0
        assert project.calls == ["x"]

    def test_generations_without_config_are_refused(self, project: RunnerProject) -> None:
        """Generations without their run_config.json are refused."""
        project.run("run", "--run-id", "r1", "t1")
        (project.results / "r1" / "run_config.json").unlink()
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 2
        assert "run_config.json" in ended.err
        assert project.calls == ["t1"]
        assert project.read("r1", "t1", "generation.json")["data"] == "one"

    def test_torn_config_is_an_error_and_stays(self, project: RunnerProject) -> None:
        """A torn run_config.json is an error and stays in its place."""
        project.run("run", "--run-id", "r1", "t1")
        config = project.results / "r1" / "run_config.json"
        config.write_text("{")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 1
        assert str(config) in ended.err
        assert config.read_text() == "{"
        assert project.calls == ["t1"]


class TestChangedTasks:
    def test_unchosen_changes_are_redone_later(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """Changed tasks that were not chosen are redone by a later run."""
        command = ("run", "--run-id", "r1", "--service-url", scripted.url)
        project.run(*command)
        change(project, "t2", "say something else")
        ended = project.run(*command, "--accept-changed-tasks", "t1")
        assert (ended.code, project.calls[3:]) == (0, [])
        assert "1 not generated" in ended.out
        assert project.run(*command).code == 0
        assert project.calls[3:] == ["t2"]
        assert project.read("r1", "t2", "generation.json")["data"] == "something else"

    def test_returning_task_with_other_text_is_redone(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A task that comes back with another text is redone."""
        command = ("run", "--run-id", "r1", "--service-url", scripted.url)
        project.run(*command)
        project.write_tasks([task for task in TASKS if task["id"] != "t2"])
        assert project.run(*command, "--accept-changed-tasks").code == 0
        change(project, "t2", "say something else")
        assert project.run(*command, "--accept-changed-tasks").code == 0
        assert project.calls[3:] == ["t2"]
        assert project.read("r1", "t2", "generation.json")["data"] == "something else"
        assert project.read("r1", "t2", "attempts", "1", "generation.json")["data"] == "two"

    def test_score_does_not_outlive_its_tasks(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A score is removed with a task that it sums."""
        command = ("run", "--run-id", "r1", "--service-url", scripted.url)
        project.run(*command)
        project.write_tasks([task for task in TASKS if task["id"] != "t2"])
        assert project.run(*command, "--accept-changed-tasks", "--skip-eval").code == 0
        assert not (project.results / "r1" / "final_score.json").exists()
        assert project.run(*command).code == 0
        assert project.read("r1", "final_score.json")["tasks_evaluated"] == ["t3", "t1"]
        assert len(project.calls) == 3
