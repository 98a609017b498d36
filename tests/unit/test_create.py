"""``create-benchmark-runner`` as a process, with real git and the real copier.

The public template is a repository on this machine: git is told to look there for its URL.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest
import yaml

import benchmark_runner
from benchmark_runner.create import TEMPLATE_URL

if TYPE_CHECKING:
    from tests.conftest import Run

ROOT = Path(__file__).parents[2]
#: Where the runtime under test is, for processes that the tests start.
RUNTIME = Path(benchmark_runner.__file__).parents[1]
VERSION = "1.2.3"
PROGRAM = "from benchmark_runner.create import main; main()"


@dataclass(frozen=True)
class Ended:
    """How the command ended."""

    code: int
    out: str
    err: str


@dataclass
class Command:
    """The console script in a folder, where the runtime's version and the template are given."""

    folder: Path
    template: Path
    version: str = VERSION
    python: list[str] = field(default_factory=lambda: [sys.executable])
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path) -> Ended:
        done = subprocess.run(
            self.line(*arguments),
            cwd=self.folder,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def line(self, *arguments: str | Path) -> list[str]:
        return [*self.python, "-c", PROGRAM, *map(str, arguments)]

    def env(self) -> dict[str, str]:
        installed = self.folder.parent / "installed"
        metadata = installed / f"vals_benchmark_runner-{self.version}.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True, exist_ok=True)
        metadata.write_text(
            f"Metadata-Version: 2.1\nName: vals-benchmark-runner\nVersion: {self.version}\n"
        )
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(installed), str(RUNTIME))),
            "COPIER_CACHE_DIR": str(self.folder.parent / "cache"),  # no clone of another test
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{self.template}.insteadOf",
            "GIT_CONFIG_VALUE_0": TEMPLATE_URL,
            **self.environment,
        }

    def made(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def answers(self, name: str = "my-bench-runner") -> dict[str, object]:
        return yaml.safe_load((self.folder / name / ".copier-answers.yml").read_text())


@pytest.fixture(scope="module")
def released(template_repo: Path, tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """The template with a release, a newer one, and work on the next."""
    repo = tmp_path_factory.mktemp("released") / "create-benchmark-runner"
    run("git", "clone", "--quiet", template_repo, repo, cwd=template_repo)
    run("git", "tag", f"v{VERSION}", cwd=repo)
    makefile = repo / "template" / "Makefile.jinja"
    makefile.write_text(makefile.read_text() + "\n# A newer framework.\n")
    run("git", "commit", "--quiet", "--all", "--message", "Newer", cwd=repo)
    run("git", "tag", "v1.3.0", cwd=repo)
    run("git", "commit", "--quiet", "--allow-empty", "--message", "Next", cwd=repo)
    return repo


@pytest.fixture
def create(released: Path, tmp_path: Path) -> Command:
    folder = tmp_path / "folder"
    folder.mkdir()
    return Command(folder, released)


def program(folder: Path, name: str, text: str) -> str:
    """A PATH whose first folder has a program of that name."""
    (folder / "bin").mkdir()
    script = folder / "bin" / name
    script.write_text(text)
    script.chmod(0o755)
    return os.pathsep.join((str(script.parent), os.environ["PATH"]))


class TestWhatIsMade:
    def test_runner_comes_from_the_runtimes_tag(self, create: Command) -> None:
        """The runner is made from the tag of the installed runtime's version."""
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

    def test_copiers_messages_are_shown(self, create: Command) -> None:
        """The messages of copier, the next steps included, are shown."""
        ended = create("my-bench", "--defaults")
        assert f"Copying from template version {VERSION}" in ended.err
        assert "my-bench-runner is ready. Next:" in ended.err
        assert "cd my-bench-runner\n" in ended.err

    def test_the_ending_of_the_name_is_not_doubled(self, create: Command) -> None:
        """A name that ends in -runner names the folder as it is."""
        assert create("my-bench-runner", "--defaults").code == 0
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


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("", "The name can't be empty."),
            ("My-Bench", "The name must start with a lower-case letter"),
            ("../my-bench", "The name must start with a lower-case letter"),
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

    @pytest.mark.parametrize("kind", ["folder", "file"])
    def test_existing_target_is_refused(self, create: Command, kind: str) -> None:
        """A target that exists and is not an empty folder is refused and kept."""
        there = create.folder / "my-bench-runner"
        if kind == "folder":
            there.mkdir()
            (there / "mine.txt").write_text("mine")
        else:
            there.write_text("mine")
        ended = create("my-bench", "--defaults", "--", "--overwrite")
        assert ended.code == 2
        assert "error: my-bench-runner exists, and is not an empty folder.\n" in ended.err
        kept = there / "mine.txt" if kind == "folder" else there
        assert kept.read_text() == "mine"
        assert kind == "file" or [path.name for path in there.iterdir()] == ["mine.txt"]

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
