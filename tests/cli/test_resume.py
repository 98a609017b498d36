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
    from tests.fakes import ScriptedService


def stamps(project: RunnerProject) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns for path in project.results.rglob("*") if path.is_file()
    }


def change(project: RunnerProject, task_id: str, question: str) -> None:
    changed = {"id": task_id, "question": question}
    project.write_tasks([task | changed if task["id"] == task_id else task for task in TASKS])


class TestNothingIsDoneAgain:
    def test_a_second_run_with_the_same_id_does_nothing(self, project: RunnerProject) -> None:
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
        assert project.run("run", "--run-id", "r1", "--service-url", scripted.url).code == 0
        asked = len(scripted.asked)
        assert project.run("run", "--run-id", "r1", "--service-url", scripted.url).code == 0
        assert len(scripted.asked) == asked

    @pytest.mark.parametrize("command", ["run", "evaluate", "score"])
    def test_the_files_of_a_finished_run_are_read_once(
        self, project: RunnerProject, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
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

    def test_only_what_is_missing_is_done(self, project: RunnerProject) -> None:
        project.run("run", "--run-id", "r1", "--skip-eval", "t1")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 0
        assert "2 to generate, 1 to evaluate, 0 done before" in ended.out
        assert sorted(project.calls) == ["t1", "t2", "t3"]

    @pytest.mark.parametrize("content", [None, "", '{"task_id": "t1", "sta', "[]"])
    def test_a_generation_that_is_gone_or_torn_is_redone_with_its_eval_and_the_score(
        self, project: RunnerProject, content: str | None
    ) -> None:
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

    def test_an_eval_that_is_torn_is_made_again_without_generating(
        self, project: RunnerProject
    ) -> None:
        project.run("run", "--run-id", "r1")
        (project.results / "r1" / "t2" / "eval.json").write_text("{")
        assert project.run("run", "--run-id", "r1").code == 0
        assert len(project.calls) == 3
        assert project.read("r1", "t2", "eval.json")["status"] == "evaluated"

    def test_a_changed_generation_makes_its_eval_and_the_score_stale(
        self, project: RunnerProject
    ) -> None:
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
    def test_no_score_is_left_of_what_could_only_be_put_away_in_part(
        self, project: RunnerProject, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
    ) -> None:
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
    def test_what_is_left_out_holds(self, project: RunnerProject) -> None:
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
    def test_another_identity_is_refused_and_changes_nothing(
        self, project: RunnerProject, flags: list[str], said: str
    ) -> None:
        project.run("run", "--run-id", "r1", "--model", "m1", "--temperature", "0.5", "t1")
        before = stamps(project)
        ended = project.run("run", "--run-id", "r1", *flags)
        assert ended.code == 2
        assert said in ended.err
        assert "--run-id" in ended.err
        assert project.calls == ["t1"]
        assert stamps(project) == before

    def test_an_endpoint_from_the_environment_is_identity_too(self, project: RunnerProject) -> None:
        project.run("run", "--run-id", "r1", "t1")
        ended = project.run("run", "--run-id", "r1", CUSTOM_ENDPOINT="http://127.0.0.1:9")
        assert ended.code == 2
        assert "custom_endpoint" in ended.err

    def test_changed_tasks_are_refused(self, project: RunnerProject) -> None:
        project.run("run", "--run-id", "r1")
        dataset = project.dataset
        dataset.write_text(dataset.read_text().replace("say two", "say something else"))
        for command in ("run", "evaluate", "score"):
            ended = project.run(command, "--run-id", "r1")
            assert ended.code == 2
            assert "1 changed (t2)" in ended.err

    def test_how_it_is_run_is_free(self, project: RunnerProject) -> None:
        project.run("run", "--run-id", "r1", "t1")
        free = ["--parallelism", "1", "--timeout", "9", "--eval-timeout", "9", "--quiet"]
        assert project.run("run", "--run-id", "r1", *free, "--service-attempts", "2").code == 0

    def test_a_run_of_another_file_rereads_that_file(
        self, project: RunnerProject, tmp_path: Path
    ) -> None:
        own = tmp_path / "own.json"
        own.write_text('[{"id": "x", "question": "say yes", "answer": "yes"}]')
        project.run("run", "--run-id", "r1", "--dataset-file", own, "--skip-eval")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 0
        assert project.read("r1", "final_score.json")["final_score"] == 1.0
        assert project.calls == ["x"]

    def test_generations_without_their_run_config_are_refused(self, project: RunnerProject) -> None:
        project.run("run", "--run-id", "r1", "t1")
        (project.results / "r1" / "run_config.json").unlink()
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 2
        assert "run_config.json" in ended.err
        assert project.calls == ["t1"]
        assert project.read("r1", "t1", "generation.json")["data"] == "one"

    def test_a_torn_run_config_is_left_alone_and_told(self, project: RunnerProject) -> None:
        project.run("run", "--run-id", "r1", "t1")
        config = project.results / "r1" / "run_config.json"
        config.write_text("{")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 1
        assert str(config) in ended.err
        assert config.read_text() == "{"
        assert project.calls == ["t1"]


class TestChangedTasks:
    def test_those_that_were_not_chosen_are_redone_by_a_later_run(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        command = ("run", "--run-id", "r1", "--service-url", scripted.url)
        project.run(*command)
        change(project, "t2", "say something else")
        ended = project.run(*command, "--accept-changed-tasks", "t1")
        assert (ended.code, project.calls[3:]) == (0, [])
        assert "1 not generated" in ended.out
        assert project.run(*command).code == 0
        assert project.calls[3:] == ["t2"]
        assert project.read("r1", "t2", "generation.json")["data"] == "something else"

    def test_one_that_comes_back_with_another_content_is_redone(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        command = ("run", "--run-id", "r1", "--service-url", scripted.url)
        project.run(*command)
        project.write_tasks([task for task in TASKS if task["id"] != "t2"])
        assert project.run(*command, "--accept-changed-tasks").code == 0
        change(project, "t2", "say something else")
        assert project.run(*command, "--accept-changed-tasks").code == 0
        assert project.calls[3:] == ["t2"]
        assert project.read("r1", "t2", "generation.json")["data"] == "something else"
        assert project.read("r1", "t2", "attempts", "1", "generation.json")["data"] == "two"

    def test_a_score_does_not_outlive_a_task_that_it_sums(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        command = ("run", "--run-id", "r1", "--service-url", scripted.url)
        project.run(*command)
        project.write_tasks([task for task in TASKS if task["id"] != "t2"])
        assert project.run(*command, "--accept-changed-tasks", "--skip-eval").code == 0
        assert not (project.results / "r1" / "final_score.json").exists()
        assert project.run(*command).code == 0
        assert project.read("r1", "final_score.json")["tasks_evaluated"] == ["t3", "t1"]
        assert len(project.calls) == 3
