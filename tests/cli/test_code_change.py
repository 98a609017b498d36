"""Other code under the same run: refused, or accepted and noted in each generation."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.files import contents

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

RUN = ["run", "--run-id", "r1"]
ACCEPT = [*RUN, "--accept-code-change"]
FIRST, SECOND = ({"SAMPLE_GENERATION_VERSION": version} for version in ("v1", "v2"))


def config(project: RunnerProject) -> dict[str, Any]:
    return project.read("r1", "run_config.json")


def made_by(project: RunnerProject, fact: str, *task_ids: str) -> list[str]:
    return [project.read("r1", task_id, "generation.json")[fact] for task_id in task_ids]


class TestGenerationVersion:
    @pytest.fixture
    def begun(self, project: RunnerProject) -> RunnerProject:
        assert project.run(*RUN, "t1", **FIRST).code == 0
        return project

    def test_other_version_is_refused(self, begun: RunnerProject) -> None:
        """Another generation version is refused with both values and the flag."""
        before = contents(begun.results)
        ended = begun.run(*RUN, **SECOND)
        assert ended.code == 2
        assert "generation version was 'v1', now 'v2'" in ended.err
        assert "--accept-code-change" in ended.err
        assert contents(begun.results) == before
        assert begun.calls == ["t1"]

    def test_unset_version_is_another_one(self, begun: RunnerProject) -> None:
        """A generation version that is not set any more is another one."""
        ended = begun.run(*RUN)
        assert ended.code == 2
        assert "generation version was 'v1', now 'dev'" in ended.err

    def test_accepted_version_is_recorded(self, begun: RunnerProject) -> None:
        """An accepted version is recorded, and each generation has its own."""
        ended = begun.run(*ACCEPT, "t2", **SECOND)
        assert ended.code == 0, ended.err
        assert begun.calls == ["t1", "t2"]
        assert made_by(begun, "generation_version", "t1", "t2") == ["v1", "v2"]
        noted = config(begun)
        assert noted["generation_version"] == "v2"
        assert noted["history"][1]["changed"] == {"generation_version": ["v1", "v2"]}

    def test_accepted_version_is_the_runs(self, begun: RunnerProject) -> None:
        """An accepted version is that of the run from then on."""
        assert begun.run(*ACCEPT, "t2", **SECOND).code == 0
        assert begun.run(*RUN, **SECOND).code == 0
        assert begun.calls == ["t1", "t2", "t3"]
        assert begun.run(*RUN, **FIRST).code == 2

    def test_version_is_accepted_with_nothing_to_do(self, begun: RunnerProject) -> None:
        """A version is accepted also where nothing is left to do."""
        assert begun.run(*ACCEPT, "t1", **SECOND).code == 0
        assert begun.run(*RUN, "t1", **SECOND).code == 0
        assert begun.calls == ["t1"]

    def test_evaluate_and_score_ignore_the_version(self, begun: RunnerProject) -> None:
        """The commands evaluate and score do not compare the version."""
        assert begun.run(*RUN, "--skip-eval", **FIRST).code == 0
        for command in ("evaluate", "score"):
            ended = begun.run(command, "--run-id", "r1", **SECOND)
            assert ended.code == 0, ended.err
        assert config(begun)["generation_version"] == "v1"
        assert begun.run(*RUN, **FIRST).code == 0

    def test_resume_command_omits_the_flag(self, begun: RunnerProject) -> None:
        """The resume command does not repeat the flag."""
        ended = begun.run(*ACCEPT, "t2", **SECOND)
        assert ended.resume_command.endswith("run --run-id r1")


class TestCommit:
    def git(self, project: RunnerProject, *args: str) -> str:
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
        done = subprocess.run(
            ["git", *identity, *args], cwd=project.root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, project: RunnerProject) -> str:
        self.git(project, "add", "runner", "data", "pyproject.toml")
        self.git(project, "commit", "--quiet", "--message", "Go on")
        return self.git(project, "rev-parse", "HEAD")

    def test_other_commit_is_refused(self, project: RunnerProject) -> None:
        """Another commit is refused until it is accepted."""
        self.git(project, "init", "--quiet")
        first = self.commit(project)
        assert project.run(*RUN, "t1").code == 0
        project.change_agent(("answer=rest", "answer=rest.strip()"))
        second = self.commit(project)
        before = contents(project.results)
        ended = project.run(*RUN)
        assert ended.code == 2
        assert f"runner commit was '{first}', now '{second}'" in ended.err
        assert "--accept-code-change" in ended.err
        assert contents(project.results) == before

        assert project.run(*ACCEPT, "t2").code == 0
        assert project.run(*RUN).code == 0
        assert made_by(project, "runner_commit", "t1", "t2", "t3") == [first, second, second]
        assert config(project)["runner_commit"] == second
        assert project.calls == ["t1", "t2", "t3"]

    def test_missing_repository_is_not_compared(self, project: RunnerProject) -> None:
        """Without a repository on one side there is nothing to compare."""
        assert project.run(*RUN, "t1").code == 0
        self.git(project, "init", "--quiet")
        first = self.commit(project)
        assert project.run(*RUN, "t2").code == 0
        assert config(project)["runner_commit"] == first
        assert config(project)["history"][1]["changed"]["runner_commit"] == [None, first]

    def test_uncommitted_edits_are_recorded(self, project: RunnerProject) -> None:
        """Edits that are not committed are recorded and not refused."""
        self.git(project, "init", "--quiet")
        self.commit(project)
        assert project.run(*RUN, "t1").code == 0
        project.change_agent(("answer=rest", "answer=rest.strip()"))
        assert project.run(*RUN, "t2").code == 0
        assert made_by(project, "runner_dirty", "t1", "t2") == [False, True]
