"""What a run writes down of each command, and which settings make it another run."""

from __future__ import annotations

import json
import platform
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from benchmark_runner._run.flags import flags_of
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.checkpoint import Part

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


def options_with(part: Part) -> list[str]:
    flags = flags_of("run", RunRequest, ServiceSettings)
    return [flag.name for _, flag in flags if flag.part is part]


def contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Every file below a folder: its bytes, and when they were written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def config(project: RunnerProject) -> dict[str, Any]:
    return project.read("r1", "run_config.json")


class Other(NamedTuple):
    """Another value on a resume."""

    started: list[str]
    resumed: list[str]
    said: list[str]


#: How a resume would make each option another one, and what names it and both values.
OTHER_IDENTITY = {
    "--model": Other(
        ["--model", "m1"], ["--model", "m2"], ["model was 'm1', now 'm2'", "Leave out --model"]
    ),
    "--dataset-file": Other(
        ["--dataset-file", "data/validation.json"],
        ["--dataset-file", "other.json"],
        ["--dataset-file was", "data/validation.json", "now", "other.json", "1 added (x)"],
    ),
    "--dataset-name": Other(
        ["--dataset-name", "validation"],
        ["--dataset-name", "other"],
        ["service's dataset 'validation'", "service's dataset 'other'"],
    ),
    "--dataset-version": Other(
        [], ["--dataset-version", "1.2"], ["without a choice of a version", "version '1.2'"]
    ),
    "--problem": Other([], ["--problem", "p.txt"], ["from a file, not from --problem"]),
    "--limit": Other(["--limit", "2"], ["--limit", "3"], ["--limit 2, not with --limit 3"]),
    "--option": Other(
        ["--option", "depth=3"],
        ["--option", "depth=4"],
        ["depth was '3', now '4'", "--option depth"],
    ),
    "--max-tokens": Other(
        ["--max-tokens", "5"], ["--max-tokens", "6"], ["max_tokens was 5, now 6", "--max-tokens"]
    ),
    "--temperature": Other(
        ["--temperature", "0.5"],
        ["--temperature", "0"],
        ["temperature was 0.5, now 0.0", "--temperature"],
    ),
    "--top-p": Other(["--top-p", "0.5"], ["--top-p", "0.6"], ["top_p was 0.5, now 0.6", "--top-p"]),
    "--top-k": Other(["--top-k", "5"], ["--top-k", "6"], ["top_k was 5, now 6", "--top-k"]),
    "--reasoning-effort": Other(
        ["--reasoning-effort", "low"],
        ["--reasoning-effort", "high"],
        ["reasoning_effort was 'low', now 'high'", "--reasoning-effort"],
    ),
    "--custom-endpoint": Other(
        ["--custom-endpoint", "http://127.0.0.1:8"],
        ["--custom-endpoint", "http://127.0.0.1:9"],
        ["'http://127.0.0.1:8', now 'http://127.0.0.1:9'", "--custom-endpoint"],
    ),
    "--chat-completions": Other(
        [], ["--chat-completions"], ["chat-completions was not set, now True", "--chat-completions"]
    ),
    "--disable-streaming": Other(
        ["--chat-completions"],
        ["--chat-completions", "--disable-streaming"],
        ["disable-streaming was not set, now True", "--disable-streaming"],
    ),
}

#: A setting's value in the first command, the flag of the second one, and its value then.
OTHER_OPERATION = {
    "--skip-eval": (False, ["--skip-eval"], True),
    "--parallelism": (10, ["--parallelism", "3"], 3),
    "--timeout": (1800.0, ["--timeout", "9.5"], 9.5),
    "--max-cost": (None, ["--max-cost", "5"], 5.0),
    "--max-errors": (None, ["--max-errors", "7"], 7),
    "--no-durable": (False, ["--no-durable"], True),
    "--eval-parallelism": (10, ["--eval-parallelism", "2"], 2),
    "--eval-timeout": (300.0, ["--eval-timeout", "60"], 60.0),
    "--eval-total-timeout": (43200.0, ["--eval-total-timeout", "90"], 90.0),
    "--service-attempts": (8, ["--service-attempts", "2"], 2),
    "--service-retry-time": (300.0, ["--service-retry-time", "30"], 30.0),
    "--allow-insecure-http": (False, ["--allow-insecure-http"], True),
}


class TestAnotherValueOnAResume:
    @pytest.fixture
    def optioned(self, project: RunnerProject, scripted: ScriptedService) -> RunnerProject:
        """A project with whatever an option may name: an option, other tasks, a service."""
        project.change_agent(
            ("import asyncio\n", "import asyncio\n\nfrom pydantic import BaseModel\n"),
            (
                "class SampleRunner",
                "class Options(BaseModel):\n    depth: int = 1\n\n\nclass SampleRunner",
            ),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        other = {"dataset_name": "validation", "tests": [{"id": "x", "question": "say yes"}]}
        (project.root / "other.json").write_text(json.dumps(other))
        (project.root / "p.txt").write_text("say one")
        for name in ("validation", "other"):
            tasks = [{"id": "t1", "question": "say one"}, {"id": "t2", "question": "say two"}]
            scripted.answers[f"/v1/datasets/{name}/tasks"] = (200, {"tasks": tasks})
        return project

    @pytest.mark.sampled(6)
    @pytest.mark.parametrize("option", options_with(Part.IDENTITY))
    def test_other_identity_changes_nothing(
        self, optioned: RunnerProject, scripted: ScriptedService, option: str
    ) -> None:
        """Another value of an identity option is refused and changes nothing."""
        other = OTHER_IDENTITY[option]
        common = ["run", "--run-id", "r1", "--service-url", scripted.url]
        assert optioned.run(*common, *other.started, "t1").code == 0
        before = contents(optioned.results)
        ended = optioned.run(*common, *other.resumed, "t1")
        assert ended.code == 2
        assert ended.out == ""
        assert [said for said in other.said if said not in ended.err] == []
        assert "RunIdentityError" in ended.err
        assert "--run-id" in ended.err
        assert contents(optioned.results) == before
        assert optioned.calls == ["t1"]

    def test_all_identity_options_are_tested(self) -> None:
        """All identity options are tested."""
        assert sorted(OTHER_IDENTITY) == sorted(options_with(Part.IDENTITY))

    @pytest.mark.sampled(4)
    @pytest.mark.parametrize("option", options_with(Part.OPERATIONAL))
    def test_operational_setting_is_recorded(self, project: RunnerProject, option: str) -> None:
        """Another operational setting is accepted and recorded."""
        before, flags, now = OTHER_OPERATION[option]
        setting = option.removeprefix("--").replace("-", "_")
        assert project.run("run", "--run-id", "r1", "t1").code == 0
        assert config(project)["operational"][setting] == before
        ended = project.run("run", "--run-id", "r1", *flags)
        assert ended.code == 0, ended.err
        noted = config(project)
        assert noted["operational"][setting] == now
        assert [entry["changed"] for entry in noted["history"]] == [{}, {setting: [before, now]}]
        assert sorted(project.calls) == ["t1", "t2", "t3"]

    def test_all_operational_options_are_recorded(self, project: RunnerProject) -> None:
        """All operational options are recorded, and no others."""
        assert project.run("run", "--run-id", "r1").code == 0
        noted = {f"--{name.replace('_', '-')}" for name in config(project)["operational"]}
        assert noted == set(options_with(Part.OPERATIONAL))

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("command", ["run", "evaluate", "score"])
    @pytest.mark.parametrize(
        ("name", "said"), [('"another"', "'another'"), ("null", "one without a name")]
    )
    def test_other_dataset_name_is_refused(
        self, project: RunnerProject, command: str, name: str, said: str
    ) -> None:
        """Another name of the dataset is refused with both."""
        assert project.run("run", "--run-id", "r1", "t1").code == 0
        file = project.dataset
        file.write_text(file.read_text().replace('"validation"', name))
        before = contents(project.results)
        ended = project.run(command, "--run-id", "r1")
        assert ended.code == 2
        assert f"from dataset 'validation', not from {said}" in ended.err
        assert contents(project.results) == before


def test_moved_file_is_used_from_then_on(
    project: RunnerProject,
) -> None:
    """The same tasks in another file are read from there from then on."""
    assert project.run("run", "--run-id", "r1", "t1").code == 0
    moved = project.dataset.rename(project.root / "moved.json")
    assert project.run("run", "--run-id", "r1").code == 2
    assert project.run("run", "--run-id", "r1", "--dataset-file", "moved.json", "t2").code == 0
    assert config(project)["dataset_file"] == str(moved)
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0, ended.err
    assert sorted(project.calls) == ["t1", "t2", "t3"]


def git(project: RunnerProject, *args: str) -> str:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    done = subprocess.run(
        ["git", *identity, *args], cwd=project.root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(project: RunnerProject) -> RunnerProject:
    """The project, committed."""
    git(project, "init", "--quiet")
    git(project, "add", "runner", "data", "pyproject.toml")
    git(project, "commit", "--quiet", "--message", "Begin")
    return project


class TestProvenance:
    def test_run_records_its_code(self, repository: RunnerProject) -> None:
        """A run records the versions and the commit of its code."""
        stamp = {"SAMPLE_GENERATION_VERSION": "v7"}
        assert repository.run("run", "--run-id", "r1", "t1", **stamp).code == 0
        noted = config(repository)
        assert noted["generation_version"] == "v7"
        assert noted["runner_commit"] == git(repository, "rev-parse", "HEAD")
        assert noted["runner_dirty"] is False
        assert noted["runner_version"] == "dev"
        assert noted["runtime_version"] == version("vals-benchmark-runner")
        assert noted["python_version"] == platform.python_version()

    def test_edited_files_are_recorded(self, repository: RunnerProject) -> None:
        """Edits since the commit are recorded."""
        assert repository.run("run", "--run-id", "r1", "t1").code == 0
        repository.change_agent(("answer=rest", "answer=rest.strip()"))
        assert repository.run("run", "--run-id", "r1", "t2").code == 0
        noted = config(repository)
        assert noted["runner_dirty"] is True
        assert noted["history"][1]["changed"] == {"runner_dirty": [False, True]}
        dirty = [repository.read("r1", t, "generation.json")["runner_dirty"] for t in ("t1", "t2")]
        assert dirty == [False, True]

    def test_project_without_repository_has_no_commit(self, project: RunnerProject) -> None:
        """A project without a repository has no commit."""
        assert project.run("run", "--run-id", "r1", "t1").code == 0
        noted = config(project)
        assert (noted["runner_commit"], noted["runner_dirty"]) == (None, None)
        assert noted["generation_version"] == "dev"

    def test_grader_is_recorded(self, project: RunnerProject, scripted: ScriptedService) -> None:
        """The service that evaluates is recorded."""
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        assert project.run("run", *flags, "t1").code == 0
        noted = config(project)
        assert noted["service_url"] == scripted.url
        assert (noted["service_version"], noted["evaluation_api"]) == ("1.0.0", "legacy")
        assert noted["local"] is False


class TestHistory:
    def test_history_has_the_differences(self, project: RunnerProject) -> None:
        """The history has the first command and then the differences."""
        project.run("run", "--run-id", "r1", "t1")
        project.run("run", "--run-id", "r1", "--parallelism", "2", "t2")
        project.run("run", "--run-id", "r1", "--parallelism", "2")
        history = config(project)["history"]
        assert [entry["command"] for entry in history] == ["run", "run", "run"]
        assert [entry["changed"] for entry in history] == [{}, {"parallelism": [10, 2]}, {}]
        times = [entry["at"] for entry in history]
        assert times == sorted(times)
        assert config(project)["created_at"] <= times[0]

    def test_nothing_to_do_changes_no_byte(self, project: RunnerProject) -> None:
        """A command with nothing to do changes no byte."""
        project.run("run", "--run-id", "r1")
        before = contents(project.results)
        for command in (
            ["run", "--parallelism", "3"],
            ["run", "t1"],
            ["run", "--skip-eval"],
            ["evaluate"],
            ["score"],
        ):
            assert project.run(*command, "--run-id", "r1").code == 0
        after = contents(project.results)
        locks = [path for path in after if path.name == ".lock"]
        assert {path: content for path, content in after.items() if path not in locks} == {
            path: content for path, content in before.items() if path not in locks
        }

    def test_evaluate_changes_no_run_setting(self, project: RunnerProject) -> None:
        """An evaluation is recorded and changes no setting that only run has."""
        project.run("run", "--run-id", "r1", "--skip-eval", "--parallelism", "4", "t1")
        project.run("evaluate", "--run-id", "r1", "--eval-timeout", "60")
        project.run("run", "--run-id", "r1", "--parallelism", "4", "--eval-timeout", "60")
        noted = config(project)
        changed = [(entry["command"], entry["changed"]) for entry in noted["history"]]
        version_of_service = noted["service_version"]
        assert changed == [
            ("run", {}),
            (
                "evaluate",
                {"service_version": [None, version_of_service], "eval_timeout": [300, 60]},
            ),
            ("run", {"skip_eval": [True, False]}),
        ]
        assert noted["operational"]["parallelism"] == 4

    def test_other_service_after_a_regrade(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """Another service after a --regrade is recorded."""
        project.run("run", "--run-id", "r1")
        flags = ["--run-id", "r1", "--service-url", scripted.url, "--regrade"]
        assert project.run("evaluate", *flags).code == 0
        changed = config(project)["history"][1]["changed"]
        assert changed["service_url"] == ["local", scripted.url]
        assert changed["local"] == [True, False]
        assert config(project)["service_url"] == scripted.url

    def test_history_holds_no_secret(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """The history holds no secret."""
        project.change_agent(
            ("import asyncio\n", "import asyncio\n\nfrom pydantic import BaseModel, SecretStr\n"),
            (
                "class SampleRunner",
                "class Options(BaseModel):\n    token: SecretStr\n\n\nclass SampleRunner",
            ),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        url = scripted.url.replace("//", "//someone:hidden-password@")
        flags = ["--service-url", url, "--option", "token=hidden-token"]
        flags += ["--custom-api-key", "hidden-model-key"]
        flags += ["--custom-endpoint", "http://me:hidden-word@127.0.0.1:9"]
        keys = {"VALS_AUTH_KEY": "hidden-service-key"}
        assert project.run("run", "--run-id", "r1", *flags, "t1", **keys).code == 0
        assert project.run("run", "--run-id", "r1", *flags, **keys).code == 0
        written = (project.results / "r1" / "run_config.json").read_text()
        assert len(json.loads(written)["history"]) == 2
        assert "hidden" not in written
