"""Only the storage changes files, and the page on durability lists all that it is asked for."""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path

import benchmark_runner
from benchmark_runner.artifacts.run_folder import RunArtifacts

PACKAGE = Path(benchmark_runner.__file__).parent
PAGE = PACKAGE.parents[1] / "docs" / "durability.md"

#: What changes files, by the name under which it is called.
CHANGES = frozenset(
    {
        "chmod", "copy", "copyfile", "copytree", "ftruncate", "link", "makedirs", "mkdir", "move",
        "mkstemp", "pwrite", "rename", "renames", "rmdir", "rmtree", "symlink", "symlink_to",
        "touch", "truncate", "unlink", "write_bytes", "write_text",
    }
)  # fmt: skip
#: Calls of the same names that are something else, or are told of in the page.
KNOWN = {
    ("artifacts/attempts.py", "move"),  # Storage.move
    ("artifacts/run_folder.py", "copy"),  # of itself, in memory
    ("artifacts/run_folder.py", "move"),  # Storage.move
    ("artifacts/locks.py", "rmdir"),  # empty folders of a run that never began
    ("artifacts/locks.py", "unlink"),  # their lock files
    ("cli/doctor/drift.py", "copy"),  # these in a temporary folder of its own
    ("cli/doctor/drift.py", "mkdir"),
    ("cli/doctor/drift.py", "write_bytes"),
    ("cli/doctor/drift.py", "write_text"),
    ("client/workspace.py", "mkdir"),  # in a folder of the author's
    ("client/workspace.py", "rename"),
    ("client/workspace.py", "unlink"),
    ("command_agent/answer.py", "open"),  # of a descriptor, to read
    ("command_agent/run.py", "mkdir"),  # these in a task's folder of logs, and the workspace
    ("command_agent/run.py", "open"),
    ("inspect_task/live_run.py", "open"),  # a service, for a run
    ("local/grader.py", "copy"),
    ("local/submissions.py", "copyfile"),  # these in a temporary folder of its own
    ("local/submissions.py", "rmtree"),
    ("local/submissions.py", "unlink"),
    ("results/export/atif/export_folder.py", "mkdir"),  # these in a folder that a person has named
    ("results/export/atif/export_folder.py", "rename"),
    ("results/export/atif/export_folder.py", "rmdir"),
    ("results/export/atif/export_folder.py", "rmtree"),
    ("results/export/atif/export_folder.py", "unlink"),
    ("results/export/inspect_log/zip_members.py", "open"),  # a member of a file that is open
    ("results/run_view.py", "copy"),  # of a runner, in memory
    ("_run/until.py", "copy"),  # likewise
    ("trajectory/files.py", "open"),  # of a descriptor, to read
    ("trajectory/growing_file.py", "ftruncate"),  # these in a task's folder of logs
    ("trajectory/growing_file.py", "mkdir"),
    ("trajectory/growing_file.py", "pwrite"),
}


def calls_in(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        opens_for_writing = name == "open" and any(
            isinstance(argument, ast.Constant) and set(str(argument.value)) & set("wax+")
            for argument in [*node.args[1:], *(word.value for word in node.keywords)]
        )
        if name in CHANGES or opens_for_writing:
            found.add(name)
    return found


def test_no_other_module_changes_files() -> None:
    """Only the storage and the locks change files, except for known calls."""
    changing = {
        (str(path.relative_to(PACKAGE)), call)
        for path in PACKAGE.rglob("*.py")
        if path.name not in {"atomic_file.py", "storage.py", "locks.py"}
        for call in calls_in(path)
    }
    assert changing <= KNOWN


def test_check_sees_changing_calls(tmp_path: Path) -> None:
    """The check finds the calls that change files."""
    module = tmp_path / "module.py"
    module.write_text("path.write_text('x'); open('f', mode='w'); os.rename(a, b); open('f')\n")
    assert calls_in(module) == {"write_text", "open", "rename"}


def test_page_lists_every_writing_method() -> None:
    """The durability page names each method of RunArtifacts that writes."""
    page = PAGE.read_text()
    writing = [
        name
        for name, method in inspect.getmembers(RunArtifacts, inspect.isfunction)
        if not name.startswith("_")
        and {"write", "append_to", "move", "remove", "make_folder", "save", "write_log"}
        & calls_of(inspect.getsource(method))
    ]
    generic = {"save"}  # used by those that are listed
    assert len(writing) > len(generic)
    assert [
        name for name in writing if name not in generic and f"RunArtifacts.{name}" not in page
    ] == []


def calls_of(source: str) -> set[str]:
    tree = ast.parse(textwrap.dedent(source))
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
