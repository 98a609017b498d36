"""``doctor``: each fault is found, told with what heals it, and nothing is changed."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.cli.doctor import drift, processes, releases, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject
    from tests.fakes import ScriptedService

CHECKS = ["conflicts", "answers", "runtime", "runner", "namesake", "template", "service", "drift"]
ONLINE = ["template", "service", "drift"]
ANSWERS = {
    "_commit": "v0.1.0",
    "_src_path": "/nowhere/create-benchmark-runner",
    "benchmark_name": "sample",
    "runtime_source": "index",
}
PYPROJECT = '[project]\nname = "sample-runner"\ndependencies = ["vals-benchmark-runner{asked}"]\n'
KEY = "s3cret-key-of-a-tenant"
COLUMNS = 80


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def write_answers(project: RunnerProject, **changed: str | None) -> None:
    answers = {name: value for name, value in {**ANSWERS, **changed}.items() if value is not None}
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in answers.items()]
    (project.root / ".copier-answers.yml").write_text("# Written by Copier.\n" + "".join(lines))


def ask_for(project: RunnerProject, asked: str) -> None:
    (project.root / "pyproject.toml").write_text(PYPROJECT.format(asked=asked))


def commit(folder: Path) -> None:
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Work")


def install(site: Path, name: str, version: str) -> None:
    """Write what an installer leaves of a distribution for others to find."""
    metadata = site / f"{name.replace('-', '_')}-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def checks(ended: Ended) -> dict[str, dict[str, Any]]:
    """The checks by name, once the object is as promised."""
    document = ended.json
    assert (document["schema"], document["command"]) == (1, "doctor")
    assert [each["check"] for each in document["checks"]] == CHECKS
    assert all({*each} == {"check", "status", "message", "remedy"} for each in document["checks"])
    faults = [each for each in document["checks"] if each["status"] == "fault"]
    assert document["faults"] == len(faults)
    assert ended.code == (1 if faults else 0)
    return {each["check"]: each for each in document["checks"]}


def faults(ended: Ended) -> list[str]:
    return [name for name, each in checks(ended).items() if each["status"] == "fault"]


@pytest.fixture
def healthy(project: RunnerProject) -> RunnerProject:
    """A project with nothing wrong, in git."""
    write_answers(project)
    ask_for(project, ">=0.1,<99")
    commit(project.root)
    return project


def offline(project: RunnerProject) -> dict[str, dict[str, Any]]:
    return checks(project.run("doctor", "--offline", "--json"))


class TestWhole:
    def test_offline_a_healthy_project_has_no_fault(self, healthy: RunnerProject) -> None:
        found = offline(healthy)
        for name, each in found.items():
            assert each["status"] == ("not_checked" if name in ONLINE else "ok"), each
        assert {found[name]["message"] for name in ONLINE} == {"--offline"}

    def test_as_text_there_is_a_line_a_check_and_a_last_one_that_sums_up(
        self, healthy: RunnerProject
    ) -> None:
        ended = healthy.execute("doctor", "--offline")
        assert ended.code == 0
        lines = ended.out.splitlines()
        told = [line.split() for line in lines if not line.startswith(" ")]
        labels = [("ok", name) for name in CHECKS if name not in ONLINE]
        assert [(words[0], words[1]) for words in told[: len(labels)]] == labels
        assert [words[:3] for words in told[len(labels) : -1]] == [
            ["not", "checked", name] for name in ONLINE
        ]
        assert lines[-1] == "No fault found; not checked: template, service, drift."

    def test_a_fault_is_told_with_its_remedy_below_it_within_80_columns(
        self, healthy: RunnerProject
    ) -> None:
        names = [f"a_rather_long_name_of_a_file_{number}.txt" for number in range(4)]
        for name in names:
            (healthy.root / name).write_text("<<<<<<< mine\n")
        (healthy.root / ".copier-answers.yml").unlink()
        ended = healthy.execute("doctor", "--offline")
        assert ended.code == 1
        assert "\x1b" not in ended.out
        lines = ended.out.splitlines()
        assert max(map(len, lines)) <= COLUMNS
        assert lines[0].startswith("FAULT        conflicts  ")
        answers = next(n for n, line in enumerate(lines) if line.startswith("FAULT        answers"))
        assert lines[answers + 2] == " " * 13 + "git checkout HEAD -- .copier-answers.yml"
        assert lines[-1].startswith("2 faults: conflicts, answers; not checked: ")

    def test_nothing_in_the_project_is_changed(self, healthy: RunnerProject) -> None:
        healthy.execute("doctor")
        assert git(healthy.root, "status", "--short", "--ignored") == ""

    def test_an_unknown_flag_is_a_usage_error(self, healthy: RunnerProject) -> None:
        assert healthy.run("doctor", "--upside-down").code == 2

    def test_help_fits_the_terminal_and_imports_neither_agent_nor_checks(
        self, healthy: RunnerProject
    ) -> None:
        healthy.write_agent("raise RuntimeError('imported for --help')")
        heavy = ["benchmark_runner.cli.doctor", "benchmark_runner.base", "yaml", "httpx"]
        healthy.script.write_text(
            "import atexit, sys\n"
            f"heavy = {heavy}\n"
            "atexit.register(lambda: print([n for n in heavy if n in sys.modules]))\n"
            "from runner.cli import cli\n"
            "cli()\n"
        )
        ended = healthy.execute("doctor", "--help")
        assert ended.code == 0
        lines = ended.out.splitlines()
        assert lines[-1] == "[]"
        assert max(map(len, lines)) <= COLUMNS

    def test_a_wheel_without_its_repository_is_checked_as_far_as_it_goes(
        self, healthy: RunnerProject, tmp_path: Path
    ) -> None:
        site = tmp_path / "venv" / "site-packages"
        shutil.copytree(healthy.root / "runner", site / "runner")
        shutil.copytree(healthy.root / "data", site / "runner" / "data")
        path = healthy.environment()["PYTHONPATH"].split(":")[0]
        ended = healthy.execute("doctor", "--json", cwd=tmp_path, PYTHONPATH=f"{path}:{site}")
        found = checks(ended)
        of_repository = ["conflicts", "answers", "runtime", "template", "drift"]
        for name, each in found.items():
            assert each["status"] == ("not_checked" if name in of_repository else "ok"), each
        messages = {found[name]["message"] for name in of_repository}
        assert messages == {"installed without its repository"}

    def test_what_the_agent_prints_does_not_spoil_the_object(self, healthy: RunnerProject) -> None:
        healthy.change_agent(("import asyncio\n", "import asyncio\nprint('imported')\n"))
        assert faults(healthy.execute("doctor", "--offline", "--json")) == []


class TestConflicts:
    def test_markers_are_named_with_their_lines_in_files_tracked_or_not(
        self, healthy: RunnerProject
    ) -> None:
        (healthy.root / "runner" / "grader.py").write_text(
            "x = 1\n<<<<<<< before updating\n=======\ny = 2\n>>>>>>> after updating\n"
        )
        (healthy.root / "notes.txt").write_text(">>>>>>> after updating\n")
        found = offline(healthy)["conflicts"]
        assert found["status"] == "fault"
        assert found["message"].endswith(": notes.txt:1, runner/grader.py:2, runner/grader.py:5")
        assert "Merge" in found["remedy"]

    def test_rejected_changes_are_named(self, healthy: RunnerProject) -> None:
        (healthy.root / "Makefile.rej").write_text("@@ -1 +1 @@\n")
        found = offline(healthy)["conflicts"]
        assert found["status"] == "fault"
        assert found["message"].endswith(": Makefile.rej")

    @pytest.mark.parametrize(
        "content",
        [
            b"a text with <<<<<<< in it\n",
            b"<<<<<<<\n",
            b"<<<<<<<<< a long arrow\n",
            b"\x89PNG\0\n<<<<<<< not a text\n",
            b"",
        ],
    )
    def test_what_only_looks_like_a_marker_is_none(
        self, healthy: RunnerProject, content: bytes
    ) -> None:
        (healthy.root / "a file").write_bytes(content)
        assert offline(healthy)["conflicts"]["status"] == "ok"

    def test_ignored_files_are_not_looked_at(self, healthy: RunnerProject) -> None:
        (healthy.root / ".gitignore").write_text("*.log\n")
        (healthy.root / "a.log").write_text("<<<<<<< mine\n")
        assert offline(healthy)["conflicts"]["status"] == "ok"

    def test_deleted_files_and_links_to_nowhere_are_no_matter(self, healthy: RunnerProject) -> None:
        (healthy.root / "runner" / "__init__.py").unlink()
        (healthy.root / "link").symlink_to("nowhere")
        assert offline(healthy)["conflicts"]["status"] == "ok"

    @pytest.mark.parametrize("outer", [False, True], ids=["no git", "ignored by an outer git"])
    def test_without_git_what_is_the_authors_is_looked_at(
        self, healthy: RunnerProject, outer: bool
    ) -> None:
        shutil.rmtree(healthy.root / ".git")
        if outer:
            git(healthy.root.parent, "init", "--quiet")
            (healthy.root.parent / ".gitignore").write_text("/project/\n")
        not_authors = [".venv", "env", "results", "__pycache__"]
        for folder in [*not_authors, ".github", "docs"]:
            (healthy.root / folder).mkdir()
            (healthy.root / folder / "a.txt").write_text("<<<<<<< mine\n")
        (healthy.root / "env" / "pyvenv.cfg").touch()
        message = offline(healthy)["conflicts"]["message"]
        assert message.endswith(": .github/a.txt:1, docs/a.txt:1")

    def test_in_a_larger_repository_only_the_project_is_looked_at(
        self, healthy: RunnerProject
    ) -> None:
        shutil.rmtree(healthy.root / ".git")
        outer = healthy.root.parent
        (outer / "other.txt").write_text("<<<<<<< mine\n")
        commit(outer)
        assert offline(healthy)["conflicts"]["status"] == "ok"
        healthy.dataset.with_name("more.json").write_text("<<<<<<< mine\n")
        message = offline(healthy)["conflicts"]["message"]
        assert message.endswith(": data/more.json:1")


class TestAnswers:
    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (None, "is missing"),
            ("a: [\n", "no YAML"),
            ("just a text\n", "lacks _src_path, _commit, benchmark_name, runtime_source"),
            ("_commit: v0.1.0\n_src_path: gh:a/b\nruntime_source: git\n", "lacks benchmark_name"),
            ("<<<<<<< before\n_commit: v1\n=======\n", "is damaged"),
        ],
    )
    @pytest.mark.parametrize("elsewhere", [False, True])
    def test_a_damaged_file_is_taken_back_from_git(
        self,
        healthy: RunnerProject,
        monkeypatch: pytest.MonkeyPatch,
        damage: str | None,
        said: str,
        elsewhere: bool,
    ) -> None:
        file = healthy.root / ".copier-answers.yml"
        whole = file.read_text()
        file.unlink() if damage is None else file.write_text(damage)
        if elsewhere:
            monkeypatch.chdir(healthy.root.parent)
        found = offline(healthy)["answers"]
        assert found["status"] == "fault"
        assert said in found["message"]
        ended = healthy.shell(
            found["remedy"].splitlines()[-1], cwd=healthy.root.parent if elsewhere else None
        )
        assert ended.code == 0
        assert file.read_text() == whole

    @pytest.mark.parametrize(
        ("source", "end"),
        [
            ("", "index --data benchmark_name=sample --vcs-ref v0.1 {public}"),
            ("{{ path = '{clone}/runtime' }}", "clone --data {name} --vcs-ref HEAD {clone}"),
            ("{{ path = '/gone/runtime' }}", "git --data {name} --vcs-ref v0.1 {public}"),
            (
                f"{{{{ git = 'https://me:{KEY}@example.com/t.git', rev = 'abcdef0' }}}}",
                "git --data {name} --vcs-ref abcdef0 https://example.com/t.git",
            ),
            (
                "{{ git = 'ssh://git@example.com/t.git', rev = 'abcdef0' }}",
                "git --data {name} --vcs-ref abcdef0 ssh://git@example.com/t.git",
            ),
        ],
    )
    def test_a_file_that_was_never_whole_is_made_anew_from_where_the_runtime_is_from(
        self, healthy: RunnerProject, tmp_path: Path, source: str, end: str
    ) -> None:
        clone = tmp_path / "clone"
        (clone / ".git").mkdir(parents=True)
        write_answers(healthy, benchmark_name=None)
        if source:
            with (healthy.root / "pyproject.toml").open("a") as metadata:
                text = source.format(clone=clone)
                metadata.write(f"[tool.uv.sources]\nvals-benchmark-runner = {text}\n")
        commit(healthy.root)
        remedy = offline(healthy)["answers"]["remedy"]
        assert "rm -f .copier-answers.yml && " in remedy
        end = end.format(
            name="benchmark_name=sample", clone=clone, public="gh:vals-ai/create-benchmark-runner"
        )
        assert remedy.endswith(f" --data runtime_source={end} .")

    def test_a_copy_from_a_folder_without_git_is_told_that_it_gets_no_updates(
        self, healthy: RunnerProject
    ) -> None:
        write_answers(healthy, _commit=None)
        found = offline(healthy)["answers"]
        assert found["status"] == "fault"
        assert "no updates" in found["message"]
        assert "git checkout HEAD" in found["remedy"]

    def test_what_stands_in_a_damaged_file_is_not_repeated(self, healthy: RunnerProject) -> None:
        file = healthy.root / ".copier-answers.yml"
        file.write_text(f"_src_path: 'https://me:{KEY}@example.com\n  [")
        ended = healthy.run("doctor", "--offline")
        assert ended.code == 1
        assert KEY not in ended.out + ended.err

    def test_the_others_say_that_they_need_it(self, healthy: RunnerProject) -> None:
        (healthy.root / ".copier-answers.yml").unlink()
        found = checks(healthy.run("doctor", "--json"))
        for name in ("template", "drift"):
            assert found[name]["status"] == "not_checked"
            assert "answers" in found[name]["message"]


class TestRuntime:
    def test_a_version_that_the_project_does_not_ask_for_is_a_fault(
        self, healthy: RunnerProject
    ) -> None:
        ask_for(healthy, ">=98,<99")
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "pyproject.toml asks for <99,>=98" in found["message"]

    def test_a_version_older_than_the_template_is_a_fault_though_the_line_allows_it(
        self, healthy: RunnerProject
    ) -> None:
        ask_for(healthy, "<99")
        write_answers(healthy, _commit="v98.0.0-3-gabcdef0")
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "those of 98.0.0" in found["message"]

    @pytest.mark.parametrize("asked", [" @ https://example.com/a.zip", "", "~=0.0", ">=0.0.0.dev1"])
    def test_other_ways_to_ask_for_it_are_fine(self, healthy: RunnerProject, asked: str) -> None:
        ask_for(healthy, asked)
        assert offline(healthy)["runtime"]["status"] == "ok"

    def test_the_version_is_that_of_what_is_installed(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        install(tmp_path / "site", "vals-benchmark-runner", "0.0.5")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "0.0.5 is installed" in found["message"]

    def test_one_that_is_not_installed_is_a_fault(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def version(name: str) -> str:
            raise versions.PackageNotFoundError(name)

        monkeypatch.setattr(versions, "version", version)
        assert "not installed" in offline(healthy)["runtime"]["message"]

    @pytest.mark.parametrize("make", [True, False])
    def test_the_remedy_installs_by_make_where_the_project_has_a_makefile(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, make: bool, tmp_path: Path
    ) -> None:
        for tool in ("make", "uv"):
            (tmp_path / "bin").mkdir(exist_ok=True)
            (tmp_path / "bin" / tool).write_text("#!/bin/sh\n")
            (tmp_path / "bin" / tool).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        ask_for(healthy, ">=98,<99")
        if make:
            (healthy.root / "Makefile").write_text("install:\n")
        remedy = offline(healthy)["runtime"]["remedy"]
        assert remedy == ("make install" if make else "uv sync")

    def test_a_project_that_does_not_ask_for_it_is_a_fault(self, healthy: RunnerProject) -> None:
        (healthy.root / "pyproject.toml").write_text('[project]\nname = "sample-runner"\n')
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "does not ask for vals-benchmark-runner" in found["message"]

    @pytest.mark.parametrize("text", ["[project\n", None, "x = '\udcff'\n"])
    def test_metadata_that_can_not_be_read_are_a_fault(
        self, healthy: RunnerProject, text: str | None
    ) -> None:
        file = healthy.root / "pyproject.toml"
        if text is None:
            file.unlink()
        else:
            file.write_bytes(text.encode(errors="surrogateescape"))
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert found["message"].startswith("pyproject.toml ")


class TestRunner:
    @pytest.mark.parametrize(
        ("broken", "said"),
        [
            ("def (\n", "benchmark.py, line 1"),
            ("import no_such_module\n", "no_such_module"),
            ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
            ("class Other: ...\n", "defines no SampleRunner"),
            ("<<<<<<< before updating\n", "SyntaxError"),
        ],
    )
    def test_an_agent_that_can_not_be_imported_is_a_fault(
        self, healthy: RunnerProject, broken: str, said: str
    ) -> None:
        healthy.write_agent(broken)
        found = checks(healthy.execute("doctor", "--offline", "--json"))
        assert found["runner"]["status"] == "fault"
        assert said in found["runner"]["message"]
        assert found["runner"]["remedy"]
        assert found["runtime"]["status"] == "ok"

    def test_a_class_that_can_not_work_is_a_fault(self, healthy: RunnerProject) -> None:
        healthy.set_in_class('EVALUATION_API = "v9"')
        assert "v9" in offline(healthy)["runner"]["message"]

    def test_a_dataset_that_does_not_load_is_a_fault(self, healthy: RunnerProject) -> None:
        healthy.dataset.write_text('{"tests": [{"id": "t1"}]}')
        found = offline(healthy)["runner"]
        assert found["status"] == "fault"
        assert "validation.json" in found["message"]

    def test_a_missing_dataset_is_a_fault(self, healthy: RunnerProject) -> None:
        healthy.dataset.unlink()
        assert "no such file" in offline(healthy)["runner"]["message"]

    @pytest.mark.parametrize(
        ("body", "said"),
        [("raise KeyError('gone')", "KeyError"), ("raise SystemExit", "SystemExit")],
    )
    def test_a_loader_of_the_authors_that_fails_is_a_fault(
        self, healthy: RunnerProject, body: str, said: str
    ) -> None:
        healthy.set_in_class(f"def load_tasks(self, dataset_file): {body}")
        assert said in offline(healthy)["runner"]["message"]

    def test_the_tasks_are_counted_and_nothing_is_generated(self, healthy: RunnerProject) -> None:
        found = offline(healthy)["runner"]
        assert found["message"].endswith("with 3 tasks in data/validation.json")
        assert healthy.calls == []

    @pytest.mark.parametrize("grader", ["import no_such_module\n", "raise SystemExit\n", ""])
    def test_a_grader_is_wanted_where_this_machine_grades_and_only_there(
        self, healthy: RunnerProject, grader: str
    ) -> None:
        healthy.write_grader(grader)
        assert offline(healthy)["runner"]["status"] == "fault"
        ended = healthy.run(
            "doctor", "--offline", "--json", "--service-url", "https://bench.example.com"
        )
        assert checks(ended)["runner"]["status"] == "ok"

    def test_a_runner_without_a_default_dataset_has_none_to_load(
        self, healthy: RunnerProject
    ) -> None:
        healthy.write_cli(default_dataset_file=None)
        found = offline(healthy)["runner"]
        assert found["status"] == "ok"
        assert "no default dataset" in found["message"]

    def test_an_env_file_that_can_not_be_read_is_a_fault(self, healthy: RunnerProject) -> None:
        (healthy.root / ".env").write_bytes(b"A=\xff\xfe\n")
        assert ".env" in offline(healthy)["runner"]["message"]


class TestNamesake:
    def test_another_projects_package_is_told_with_what_takes_both_out(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        install(tmp_path / "site", "benchmark-runner", "1.2.3")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        found = offline(healthy)["namesake"]
        assert found["status"] == "fault"
        assert "benchmark-runner 1.2.3, another project, is installed beside" in found["message"]
        assert "uninstall" in found["remedy"]
        assert " benchmark-runner vals-benchmark-runner && " in found["remedy"]
        assert "pyproject.toml" not in found["remedy"]

    def test_where_the_project_asks_for_it_that_comes_first(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        install(tmp_path / "site", "benchmark-runner", "1.2.3")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        ask_for(healthy, '>=0.1", "Benchmark_Runner>=1')
        remedy = offline(healthy)["namesake"]["remedy"]
        assert remedy.startswith("Take benchmark-runner out of pyproject.toml first.\n")


@pytest.fixture
def template(tmp_path: Path) -> Callable[..., str]:
    """Makes a template's repository with these tags on one commit, and returns the commit."""

    def make(*tags: str) -> str:
        repo = tmp_path / "template"
        repo.mkdir()
        (repo / "copier.yml").write_text("{}\n")
        commit(repo)
        for tag in tags:
            git(repo, "tag", "--annotate", "--message", tag, tag)
        return git(repo, "rev-parse", "HEAD")

    return make


class TestTemplate:
    def check(self, project: RunnerProject, source: str, commit_name: str) -> dict[str, Any]:
        write_answers(project, _src_path=source, _commit=commit_name)
        return checks(project.run("doctor", "--json"))["template"]

    @pytest.mark.parametrize("commit_name", ["v0.9.0", "v0.9.0-4-gabcdef0", "abcdef0"])
    def test_a_newer_release_is_told_with_the_update_and_is_no_fault(
        self,
        healthy: RunnerProject,
        template: Callable[..., str],
        tmp_path: Path,
        commit_name: str,
    ) -> None:
        template("v0.9.0", "v0.10.0", "v1.0.0rc1", "other-9.0.0", "9.0.0", "v9.0")
        found = self.check(healthy, str(tmp_path / "template"), commit_name)
        assert found["status"] == "ok"
        assert found["message"] == f"v0.10.0 is out; this is {commit_name}"
        assert "update" in found["remedy"]

    @pytest.mark.parametrize("commit_name", ["v0.10.0", "v0.10.0-4-gabcdef0", "v1.0.0rc1"])
    def test_the_newest_release_is_told_to_be_that(
        self,
        healthy: RunnerProject,
        template: Callable[..., str],
        tmp_path: Path,
        commit_name: str,
    ) -> None:
        template("v0.9.0", "v0.10.0")
        found = self.check(healthy, str(tmp_path / "template"), commit_name)
        assert (found["status"], found["remedy"]) == ("ok", None)
        assert found["message"].startswith("v0.10.0 is the newest release")

    def test_a_commit_that_was_released_later_is_that_release(
        self, healthy: RunnerProject, template: Callable[..., str], tmp_path: Path
    ) -> None:
        made = template("v0.2.0")
        found = self.check(healthy, str(tmp_path / "template"), made[:7])
        assert found["message"].startswith("v0.2.0 is the newest release")

    def test_before_the_first_release_there_is_none(
        self, healthy: RunnerProject, template: Callable[..., str], tmp_path: Path
    ) -> None:
        template()
        found = self.check(healthy, f"git+file://{tmp_path}/template", "abcdef0")
        assert (found["status"], found["remedy"]) == ("ok", None)
        assert "no release is out" in found["message"]

    def test_a_repository_that_is_not_there_leaves_it_open_with_the_command(
        self, healthy: RunnerProject
    ) -> None:
        found = self.check(healthy, "/nowhere", "v0.1.0")
        assert found["status"] == "not_checked"
        assert "'/nowhere' does not appear to be a git repository" in found["message"]
        assert found["remedy"].endswith("copier check-update")

    def test_without_git_it_is_left_open(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        found = self.check(healthy, "gh:vals-ai/create-benchmark-runner", "v0.1.0")
        assert found["status"] == "not_checked"
        assert "git can't be started" in found["message"]

    @pytest.mark.parametrize(
        ("source", "address"),
        [
            ("gh:a/b", "https://github.com/a/b.git"),
            ("gh:/a/b.git", "https://github.com/a/b.git"),
            ("gl:a/b", "https://gitlab.com/a/b.git"),
            ("git+https://example.com/a", "https://example.com/a"),
            ("git@github.com:a/b.git", "git@github.com:a/b.git"),
            ("/home/me/template", "/home/me/template"),
        ],
    )
    def test_an_address_is_what_copier_makes_of_it(self, source: str, address: str) -> None:
        assert releases.repository_of(source) == address


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A listener for connections that nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield listener


class TestTime:
    def test_a_repository_that_does_not_answer_is_given_up_and_nothing_is_left(
        self,
        healthy: RunnerProject,
        silent: socket.socket,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setattr(releases, "_REMOTE_TIME", 0.3)
        monkeypatch.setattr(drift, "_RENDERING_TIME", 2)
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        write_answers(healthy, _src_path=f"git://127.0.0.1:{silent.getsockname()[1]}/x.git")
        ended = healthy.run("doctor", "--json", TMPDIR=str(tmp_path / "temporary"))
        found = checks(ended)
        for name, seconds in (("template", "0.3"), ("drift", "2")):
            assert found[name]["status"] == "not_checked"
            assert f"was not done after {seconds} seconds" in found[name]["message"]
        assert [*(tmp_path / "temporary").iterdir()] == []

    @pytest.mark.parametrize("as_json", [True, False])
    def test_a_signal_ends_it_and_what_it_has_started(
        self, healthy: RunnerProject, silent: socket.socket, as_json: bool
    ) -> None:
        # Over http git has a child of its own that asks.
        write_answers(healthy, _src_path=f"git+http://127.0.0.1:{silent.getsockname()[1]}/x")
        process = healthy.start("doctor", *(["--json"] if as_json else []))
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(30)
            process.send_signal(signal.SIGTERM)
            ended = healthy.end(process)
            while connection.recv(4096):  # until git is gone
                pass
        assert ended.code == 143
        if as_json:
            assert ended.json["error"]["type"] == "Interrupted"
        else:
            assert "stopped by SIGTERM" in ended.err


class TestService:
    def check(self, project: RunnerProject, *flags: str, **environment: str) -> dict[str, Any]:
        # Without it no time is spent on the template.
        (project.root / ".copier-answers.yml").unlink()
        return checks(project.run("doctor", "--json", *flags, **environment))["service"]

    def test_the_embedded_one_is_there(self, healthy: RunnerProject) -> None:
        assert self.check(healthy)["status"] == "ok"

    def test_one_that_lets_the_key_in_is_fine(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        found = self.check(healthy, "--service-url", scripted.url, VALS_AUTH_KEY=KEY)
        assert found["status"] == "ok"
        assert f"{scripted.url} is up" in found["message"]
        assert "VALS_AUTH_KEY" in found["message"]
        assert scripted.paths() == ["/health", "/verify-task-ids"]

    def test_it_is_the_one_that_the_environment_names(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        (healthy.root / ".env").write_text(f"SERVICE_URL={scripted.url}\n")
        found = self.check(healthy)
        assert found["message"] == f"{scripted.url} is up and wants no key"

    def test_a_key_that_is_refused_is_a_fault_and_not_shown(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        scripted.answers["/verify-task-ids"] = (401, {"detail": f"Unauthorized: {KEY}"})
        found = self.check(healthy, "--service-url", scripted.url, VALS_AUTH_KEY=KEY)
        assert found["status"] == "fault"
        assert "VALS_AUTH_KEY" in f"{found['message']} {found['remedy']}"
        assert KEY not in json.dumps(found)

    def test_one_that_is_down_is_a_fault(self, healthy: RunnerProject) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        found = self.check(healthy, "--service-url", url)
        assert found["status"] == "fault"
        assert url in found["message"]

    def test_none_at_all_is_a_fault_with_how_to_name_one(self, healthy: RunnerProject) -> None:
        healthy.write_cli(default_service_url=None)
        found = self.check(healthy)
        assert found["status"] == "fault"
        assert "SERVICE_URL" in found["remedy"]

    def test_a_key_over_plain_http_is_a_fault(self, healthy: RunnerProject) -> None:
        url = "http://bench.example.com"
        found = self.check(healthy, "--service-url", url, VALS_AUTH_KEY=KEY)
        assert found["status"] == "fault"
        assert "--allow-insecure-http" in found["remedy"]

    def test_without_a_dataset_it_is_left_open(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        healthy.dataset.unlink()
        assert self.check(healthy, "--service-url", scripted.url)["status"] == "not_checked"
        assert scripted.asked == []

    def test_without_a_default_dataset_only_its_health_is_asked(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        healthy.write_cli(default_dataset_file=None)
        assert self.check(healthy, "--service-url", scripted.url)["status"] == "not_checked"
        assert scripted.paths() == ["/health"]


def test_what_another_program_says_is_repeated_without_the_user_info_of_addresses(
    tmp_path: Path,
) -> None:
    complain = "echo fatal: no access to https://me:pw@example.com/x >&2; exit 128"
    with pytest.raises(processes.ProgramError) as caught:
        asyncio.run(processes.call("sh", "-c", complain, cwd=tmp_path))
    assert str(caught.value) == "no access to https://example.com/x"


@pytest.mark.parametrize("flags", [["--json"], []])
def test_no_secret_of_an_address_or_the_environment_is_shown(
    healthy: RunnerProject, flags: list[str]
) -> None:
    hidden = ("s3cret-in-source", "s3cret-in-service", "pw", "s3cret-in-query")
    write_answers(healthy, _src_path=f"https://me:{hidden[0]}@127.0.0.1:1/x.git")
    service = f"http://me:{hidden[1]}@127.0.0.1:1"
    ended = healthy.execute("doctor", *flags, "--service-url", service, VALS_AUTH_KEY=KEY)
    assert ended.code == 1
    source = f"git+https://me:{hidden[2]}@127.0.0.1:1/x?private_token={hidden[3]}"
    write_answers(healthy, _src_path=source)
    short = healthy.execute("doctor", *flags)
    shown = ended.out + ended.err + short.out + short.err
    for secret in (*hidden[:2], f":{hidden[2]}@", hidden[3], KEY):
        assert secret not in shown
