"""The resume command of a program that was started in other ways than by its console script."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import RunnerProject

PROGRAM = "from runner.cli import cli\n\nif __name__ == '__main__':\n    cli()\n"


def of_bench(project: RunnerProject, name: str = "bench.py", first: str = "") -> Path:
    """Write a script of one's own that calls the command line."""
    script = project.root / name
    script.write_text(f"{first}{PROGRAM}")
    return script


def executable(project: RunnerProject, name: str, first: str) -> str:
    script = of_bench(project, name, first)
    script.chmod(0o755)
    return f"./{name}"


#: By name: the words that start the program, in the project's folder.
STARTS: dict[str, Callable[[RunnerProject], list[str]]] = {
    "script": lambda project: [sys.executable, of_bench(project).name],
    "script with a space": lambda project: [sys.executable, of_bench(project, "my bench.py").name],
    "absolute script": lambda project: [sys.executable, str(of_bench(project))],
    "options": lambda project: [sys.executable, "-X", "dev", "-B", of_bench(project).name],
    "module": lambda project: [sys.executable, "-m", of_bench(project).stem],
    "code": lambda project: [sys.executable, "-c", PROGRAM.replace("\n\nif", "\nif")],
    "executable": lambda project: [executable(project, "bench.py", f"#!{sys.executable}\n")],
    "without a shebang": lambda project: [sys.executable, executable(project, "bench.py", "")],
    "another shebang": lambda project: [
        *(sys.executable, executable(project, "bench", "#!/nowhere/python\n")),
    ],
}


@pytest.fixture
def failing(project: RunnerProject) -> RunnerProject:
    project.write_tasks([{"id": "t1", "question": "raise no luck", "answer": "no luck"}])
    return project


def start(project: RunnerProject, words: list[str], *args: str | bytes) -> str:
    """Start the program, and return the resume command that it prints."""
    done = subprocess.run(
        [*words, *args], cwd=project.root, env=project.environment(), capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return next(line for line in lines if line.startswith("Resume ")).removeprefix("Resume").strip()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", STARTS)
def test_printed_command_works(failing: RunnerProject, name: str) -> None:
    """However the program was started, the command that it prints works in a fresh shell."""
    command = start(failing, STARTS[name](failing), "run", "--run-id", "r1")
    failing.heal()
    ended = failing.shell(command)
    assert ended.code == 0, f"{command}\n{ended.err}"
    assert "Resuming run r1" in ended.out


def test_installed_script_is_named(failing: RunnerProject, tmp_path: Path) -> None:
    """A program of another kind prints the console script beside its Python, if there is one."""
    beside = tmp_path / "env" / "bin"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", beside.parent],
        check=True,
    )
    script = beside / "sample-runner"
    script.write_text(f"#!{beside / 'python'}\nfrom runner.cli import cli\n\ncli()\n")
    script.chmod(0o755)
    site = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    paths = os.pathsep.join((failing.environment()["PYTHONPATH"], site))
    done = subprocess.run(
        [beside / "python", "-c", "from runner.cli import cli; cli()", "run", "--run-id", "r1"],
        cwd=failing.root, env=failing.environment(PYTHONPATH=paths), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert f"Resume   {script} run --run-id r1" in done.stdout, done.stderr


@pytest.mark.parametrize("arguments", ["[]", "['tool', '--help']"])
def test_changed_arguments_do_not_matter(failing: RunnerProject, arguments: str) -> None:
    """An agent that changes the arguments of the process does not change the command."""
    failing.change_agent(
        ("import asyncio\n", "import asyncio\nimport sys\n"),
        ("        word, _, rest", f"        sys.argv = {arguments}\n        word, _, rest"),
    )
    command = start(failing, STARTS["script"](failing), "run", "--run-id", "r1")
    assert command == f"{sys.executable} bench.py run --run-id r1"


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "folder", [b"a folder", b"caf\xe9", b"line\nfeed", "b\u202eidi".encode(), b"it's 100%"]
)
def test_any_folder_can_be_named(failing: RunnerProject, folder: bytes) -> None:
    """The command names a results folder with a space, or with bytes that are no text."""
    (failing.root / os.fsdecode(folder)).mkdir()
    words = STARTS["script"](failing)
    command = start(failing, words, "run", "--run-id", "r1", "--results-dir", folder)
    assert command.isprintable()
    failing.heal()
    ended = failing.shell(command)
    assert ended.code == 0, f"{command}\n{ended.err}"
    assert "Resuming run r1" in ended.out
