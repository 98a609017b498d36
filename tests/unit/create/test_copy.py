"""The copy that ``create-benchmark-runner`` makes, and how it is asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from benchmark_runner.create import TEMPLATE_URL
from tests.unit.create.command import PROGRAM, VERSION, Command, Ended

if TYPE_CHECKING:
    from tests.conftest import Run

ROOT = Path(__file__).parents[3]


class TestWhatIsMade:
    def test_runner_comes_from_the_runtimes_tag(self, create: Command) -> None:
        """The runner is made from the tag of the runtime's version, with copier's messages."""
        ended = create("my-bench", "--defaults")
        assert ended.code == 0, ended.err
        assert create.made() == ["my-bench-runner"]
        answers = create.answers()
        assert answers["_commit"] == f"v{VERSION}"
        assert answers["_src_path"] == TEMPLATE_URL
        assert answers["benchmark_name"] == "my-bench"
        assert answers["runtime_source"] == "git"
        makefile = (create.folder / "my-bench-runner" / "Makefile").read_text()
        assert "A newer framework." not in makefile
        assert f"Copying from template version {VERSION}" in ended.err
        assert "my-bench-runner is ready. Next:" in ended.err
        assert "cd my-bench-runner\n" in ended.err

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("name", ["my-bench-runner", "My_Bench"])
    def test_name_is_normalized_and_ends_once(self, name: str, create: Command) -> None:
        """A name gets lower-case letters and hyphens, and the ending -runner once."""
        assert create(name, "--defaults").code == 0
        assert create.made() == ["my-bench-runner"]
        assert create.answers()["benchmark_name"] == "my-bench"

    def test_answers_are_passed_to_copier(self, create: Command) -> None:
        """Each --data KEY=VALUE reaches copier as an answer."""
        description = "Is a=b, or not?"
        ended = create(
            "my-bench", "--defaults", "--data", "docker=false",
            "--data", f"description={description}",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        assert create.answers()["docker"] is False
        assert create.answers()["description"] == description
        assert not (create.folder / "my-bench-runner" / "Dockerfile").exists()

    def test_arguments_after_dashes_go_to_copier(self, create: Command) -> None:
        """Arguments after two dashes are passed to copier unchanged."""
        ended = create("my-bench", "--", "--defaults", "--quiet", "--exclude", "README.md")
        assert ended == Ended(0, "", "")
        assert (create.folder / "my-bench-runner" / "Makefile").exists()
        assert not (create.folder / "my-bench-runner" / "README.md").exists()

    def test_output_may_be_closed(self, create: Command) -> None:
        """A closed standard output changes nothing about the copy."""
        create.python[:0] = ["sh", "-c", 'exec "$@" >&-', "sh"]
        assert create("my-bench", "--defaults").code == 0
        assert create.made() == ["my-bench-runner"]

    def test_empty_folder_is_filled(self, create: Command) -> None:
        """A folder that exists and is empty is filled."""
        (create.folder / "my-bench-runner").mkdir()
        assert create("my-bench", "--defaults").code == 0
        assert create.answers()["benchmark_name"] == "my-bench"

    def test_terminal_asks_all_but_the_name(self, create: Command) -> None:
        """At a terminal copier asks its questions, all but the name."""
        python, *arguments = create.line("my-bench")
        child = pexpect.spawn(
            python, arguments, cwd=create.folder, env=create.env(), encoding="utf-8", timeout=60
        )
        child.expect("What does it measure, in one line")
        assert "Name of the benchmark" not in child.before
        child.sendcontrol("c")
        child.expect(pexpect.EOF)
        child.close()
        assert "Execution stopped by user" in child.before
        assert child.exitstatus == 1
        assert create.made() == []


class TestFromAClone:
    def test_newest_commit_of_a_clone_is_used(self, create: Command, released: Path) -> None:
        """With --template, the newest commit of the clone is used at any version."""
        create.version = "0.0.0.dev1"
        create.template = create.folder / "nowhere"
        relative = os.path.relpath(released, create.folder)
        ended = create("my-bench", "--defaults", "--template", relative)
        assert ended.code == 0, ended.err
        answers = create.answers()
        assert answers["_src_path"] == str(released)
        assert str(answers["_commit"]).startswith("v1.3.0-1-g")
        assert answers["runtime_source"] == "clone"

    @pytest.mark.parametrize("kind", ["empty", "no-git", "missing"])
    def test_other_folder_is_refused(self, create: Command, tmp_path: Path, kind: str) -> None:
        """A --template folder that is no clone of the template is a usage error."""
        folder = tmp_path / kind
        if kind != "missing":
            folder.mkdir()
        if kind == "no-git":
            shutil.copy(ROOT / "copier.yml", folder)
        ended = create("my-bench", "--defaults", "--template", folder)
        assert ended.code == 2
        assert f"error: {folder} is not a clone of the template.\n" in ended.err
        assert f"git clone {TEMPLATE_URL}\n" in ended.err
        assert create.made() == []


class TestHelp:
    def test_help_imports_nothing_slow(self, create: Command) -> None:
        """The help is shown without importing a module that takes time."""
        report = (
            "import atexit, json, sys; atexit.register(lambda: print(json.dumps([*sys.modules])))"
        )
        create.python = [sys.executable]
        done = subprocess.run(
            [sys.executable, "-c", f"{report}\n{PROGRAM}", "--help"],
            env=create.env(),
            capture_output=True,
            text=True,
            check=True,
        )
        *help_text, modules = done.stdout.splitlines()
        assert (
            help_text[0] == "usage: create-benchmark-runner [options] NAME [-- COPIER_OPTION ...]"
        )
        imported = {name.partition(".")[0] for name in json.loads(modules)}
        slow = {"asyncio", "copier", "httpx", "pydantic", "rich", "subprocess", "typer", "yaml"}
        assert imported & slow == set()


def test_printed_install_command_is_enough(
    create: Command, released: Path, tmp_path: Path, run: Run
) -> None:
    """After the install command that the error prints, the command works."""
    run("uv", "venv", "--quiet", "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run("uv", "pip", "install", "--quiet", "--python", python, ROOT / "runtime", cwd=tmp_path)
    script = python.with_name("create-benchmark-runner")
    refused = run(script, "my-bench", cwd=create.folder, code=1)
    command = refused.partition("Install what create needs: ")[2]
    run("bash", "-c", command, cwd=tmp_path)
    run(script, "my-bench", "--defaults", "--template", released, cwd=create.folder)
    assert create.made() == ["my-bench-runner"]
