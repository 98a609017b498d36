"""Calls of ``create-benchmark-runner`` that are refused or fail, and what they leave."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.create import TEMPLATE_URL
from tests.unit.create.command import Command, Ended, program

if TYPE_CHECKING:
    from tests.conftest import Run


class TestWhatIsRefused:
    @pytest.mark.sampled(1)
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("", "The name can't be empty."),
            ("9-bench", "The name must start with a letter"),
            ("../my-bench", "The name must start with a letter"),
            *(
                pytest.param(name, reason, marks=pytest.mark.full)
                for name, reason in (
                    ("my/bench", "Use lower-case letters, digits and single hyphens only"),
                    ("my-runner-runner", "Leave out the ending -runner"),
                )
            ),
        ],
    )
    def test_invalid_name_is_refused(self, create: Command, name: str, reason: str) -> None:
        """A name that the template refuses ends with exit code 2 and the reason."""
        ended = create(name, "--defaults")
        assert ended.code == 2
        assert reason in ended.err
        assert ended.err.count("\n") == 1
        assert create.made() == []
        assert not list(create.folder.parent.glob("*-runner"))

    @pytest.mark.parametrize("kind", ["folder", "file", "link"])
    def test_existing_target_is_refused(self, create: Command, kind: str) -> None:
        """A target that exists and is not an empty folder is refused and kept."""
        there = create.folder / "my-bench-runner"
        if kind == "folder":
            there.mkdir()
            (there / "mine.txt").write_text("mine")
        elif kind == "link":
            there.symlink_to("nowhere")
        else:
            there.write_text("mine")
        ended = create("my-bench", "--defaults", "--", "--overwrite")
        assert ended.code == 2
        assert "error: my-bench-runner exists, and is not an empty folder.\n" in ended.err
        kept = there / "mine.txt" if kind == "folder" else there
        assert kept.is_symlink() or kept.read_text() == "mine"
        assert kind != "folder" or [path.name for path in there.iterdir()] == ["mine.txt"]

    def test_invalid_answer_is_refused(self, create: Command) -> None:
        """An answer that the template refuses ends with exit code 2."""
        ended = create("my-bench", "--defaults", "--data", "sample_agent=magic")
        assert ended.code == 2
        assert "'sample_agent'" in ended.err
        assert create.made() == []

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ([], "required: NAME"),
            (["my-bench", "--data", "docker"], "'docker' is not of the form KEY=VALUE"),
            (["my-bench", "more"], "unrecognized arguments: more"),
            (["my-bench", "--def"], "unrecognized arguments: --def"),
            (["my-bench", "--", "--nonsense"], "Unknown switch --nonsense"),
        ],
    )
    def test_invalid_command_line_is_refused(
        self, create: Command, arguments: list[str], reason: str
    ) -> None:
        """A command line with missing or unknown arguments ends with exit code 2."""
        ended = create(*arguments)
        assert ended.code == 2
        assert reason in ended.out + ended.err
        assert create.made() == []

    def test_unreleased_version_is_refused(self, create: Command) -> None:
        """A runtime that is no release needs --template and says so."""
        create.version = "1.3.0.dev2"
        ended = create("my-bench", "--defaults")
        assert ended.code == 2
        assert "error: The runtime here is 1.3.0.dev2, which is no release of" in ended.err
        assert "Give --template with the path of a clone" in ended.err


class TestWhatStopsIt:
    def test_missing_tag_is_an_error(self, create: Command) -> None:
        """A template without the tag of this version ends with exit code 1 and a hint."""
        create.version = "9.0.0"
        ended = create("my-bench", "--defaults")
        assert ended.code == 1
        assert f"error: {TEMPLATE_URL} has no tag v9.0.0" in ended.err
        assert "Give --template with the path of a clone" in ended.err

    def test_unreachable_template_is_an_error(self, create: Command) -> None:
        """A template that can't be reached ends with exit code 1 and a hint."""
        create.template = create.folder / "nowhere"
        ended = create("my-bench", "--defaults")
        assert ended.code == 1
        assert f"{TEMPLATE_URL} can't be fetched: fatal: " in ended.err
        assert "Retry later, or give --template" in ended.err
        assert ended.err.count("\n") == 2

    def test_silent_server_is_an_error(self, create: Command) -> None:
        """A server that accepts the connection and says nothing is given up."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            create.environment = {
                "GIT_CONFIG_KEY_0": f"url.{url}.insteadOf",
                "GIT_HTTP_LOW_SPEED_TIME": "1",
                "no_proxy": "127.0.0.1",
            }
            ended = create("my-bench", "--defaults")
        assert ended.code == 1
        assert f"{TEMPLATE_URL} can't be fetched: fatal: " in ended.err
        assert "Operation too slow" in ended.err

    def test_missing_git_is_an_error(self, create: Command) -> None:
        """Without git on the PATH the command ends with exit code 1."""
        create.environment = {"PATH": str(create.folder)}
        ended = create("my-bench", "--defaults")
        assert ended.code == 1
        assert "error: git, which fetches the template, is not on the PATH.\n" in ended.err

    def test_missing_copier_is_an_error(self, create: Command, tmp_path: Path) -> None:
        """Without copier the command ends with the command that installs it."""
        # An interpreter that sees nothing installed but the runtime.
        create.python = [sys.executable, "-S"]
        create.environment = {"PATH": program(tmp_path, "uv", "#!/bin/sh\n")}
        ended = create("my-bench", "--defaults")
        assert ended.code == 1
        assert "error: not installed: copier\n" in ended.err
        command = f"uv pip install --python {sys.executable} 'vals-benchmark-runner[create]'\n"
        assert f"Install what create needs: {command}" in ended.err

    def test_failed_fetch_is_an_error(self, create: Command, tmp_path: Path) -> None:
        """A fetch that fails ends with exit code 1 and git's message; nothing is made."""
        fails = '[ "$1" != clone ] || { echo "fatal: gone" >&2; exit 128; }'
        git = f'#!/bin/sh\n{fails}\nexec {shutil.which("git")} "$@"\n'
        create.environment = {"PATH": program(tmp_path, "git", git)}
        ended = create("my-bench", "--defaults")
        assert ended.code == 1
        assert f"error: {TEMPLATE_URL} can't be fetched: fatal: gone\n" in ended.err
        assert create.made() == []

    def test_template_with_tasks_is_not_trusted(
        self, create: Command, released: Path, run: Run
    ) -> None:
        """A template that would run programs is refused as unsafe."""
        clone = create.folder.parent / "clone"
        run("git", "clone", "--quiet", released, clone, cwd=create.folder)
        with (clone / "copier.yml").open("a") as questions:
            questions.write('\n_tasks: ["touch ran"]\n')
        run("git", "commit", "--quiet", "--all", "--message", "A task", cwd=clone)
        ended = create("my-bench", "--defaults", "--template", clone)
        assert ended.code == 1
        assert "unsafe" in ended.err
        assert create.made() == []

    def test_interrupt_ends_the_command(self, create: Command, tmp_path: Path) -> None:
        """An interrupt while the template is fetched ends the command without a traceback."""
        git = "#!/bin/sh\nkill -INT $PPID\nexec sleep 60\n"
        create.environment = {"PATH": program(tmp_path, "git", git)}
        assert create("my-bench") == Ended(1, "", "Execution stopped by user\n")
