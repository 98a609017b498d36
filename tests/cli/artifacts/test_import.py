"""Imports of answers that are files."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject

KEY = "sk-hidden-model-key-42"


@pytest.fixture
def patches(patches: RunnerProject) -> RunnerProject:
    """The project with files that others have made."""
    folder = patches.root / "answers"
    folder.mkdir()
    for name in ("one", "two", "three"):
        (folder / f"{name}.patch").write_text(f"patch of say {name}\n")
    return patches


def import_lines(patches: RunnerProject, *lines: dict[str, Any]) -> Ended:
    path = patches.root / "answers" / "all.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return patches.run("import", path, "--run-id", "r1", "--model", "m")


def test_files_are_kept_and_evaluated(patches: RunnerProject) -> None:
    """Files are copied into the run, uploaded and evaluated; the same again changes nothing."""
    lines = [
        {"task_id": "t1", "artifact": "one.patch"},
        {"task_id": "t2", "artifact": str(patches.root / "answers" / "two.patch")},
        {"task_id": "t3", "artifact": "three.patch"},
    ]
    assert import_lines(patches, *lines).code == 0
    (patches.root / "answers" / "one.patch").rename(patches.root / "answers" / "moved.patch")

    assert patches.run("evaluate", "--run-id", "r1").code == 0

    artifact = patches.read("r1", "t1", "generation.json")["artifact"]
    assert (artifact["filename"], artifact["size"]) == ("one.patch", 17)
    (patches.root / "answers" / "moved.patch").rename(patches.root / "answers" / "one.patch")
    assert "  answers  0 added, 3 there before" in import_lines(patches, *lines).out


def test_export_has_the_same_files_again(patches: RunnerProject) -> None:
    """An export names the kept files, so that the run can be imported with them."""
    patches.run("run", "--run-id", "r0")
    patches.run("export", "r0", "--output", "r0.jsonl")

    assert patches.run("import", "r0.jsonl", "--run-id", "r1", "--model", "sample-model").code == 0
    assert patches.run("evaluate", "--run-id", "r1").code == 0

    for task_id in ("t1", "t2", "t3"):
        kept = [patches.read(run, task_id, "generation.json")["artifact"] for run in ("r0", "r1")]
        assert kept[0] == kept[1]
    scores = [patches.read(run, "final_score.json") for run in ("r0", "r1")]
    for score in scores:
        del score["evals_hash"]
    assert scores[1].pop("imported") is True
    assert scores[0] == scores[1]


def test_key_in_a_text_is_masked(patches: RunnerProject) -> None:
    """A key in a file of text is masked in the copy, and the answer named."""
    (patches.root / "answers" / "one.patch").write_text(f"login {KEY}\n")
    patches.monkeypatch.setenv("VALS_AUTH_KEY", KEY)

    for _ in range(2):
        ended = import_lines(patches, {"task_id": "t1", "artifact": "one.patch"})

        assert ended.code == 0, ended.err
        assert "Warning: a key was masked in the answer of: t1" in ended.out
    kept = patches.results / "r1" / "t1" / "submission" / "one.patch"
    assert kept.read_text() == "login ***\n"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"answer": "a text"}, "field artifact: missing: an answer of this benchmark is a file"),
        ({"artifact": "four.patch"}, "field artifact: the artifact 'four.patch' does not exist"),
        ({"artifact": "."}, "field artifact: "),
        ({"artifact": "empty"}, "field artifact: the artifact 'empty' is empty"),
        ({"artifact": "large"}, "field artifact: the artifact 'large' is too large"),
        ({"artifact": "pipe"}, "field artifact: the artifact 'pipe' is a pipe"),
        ({"artifact": "link"}, "field artifact: 'link' leads out of the folder of the answers"),
        ({"artifact": "../calls.txt"}, "field artifact: '../calls.txt' leads out of the folder"),
        ({"artifact": "binary"}, "field artifact: the artifact 'binary' holds a key"),
        ({"artifact": "a name"}, "field artifact: an artifact can't have the name 'a name'"),
        ({"artifact": "two.patch", "artifact_sha256": "0"}, "field artifact_sha256: 'two.patch'"),
    ],
)
def test_unusable_file_is_named(
    patches: RunnerProject, line: dict[str, object], problem: str
) -> None:
    """A file that can't be an answer is named with its line, and nothing is written."""
    folder = patches.root / "answers"
    patches.set_in_class("ARTIFACT_MAX_BYTES = 100")
    patches.monkeypatch.setenv("VALS_AUTH_KEY", KEY)
    (folder / "empty").touch()
    (folder / "large").write_bytes(bytes(101))
    (folder / "binary").write_bytes(f"\0{KEY}".encode())
    (folder / "a name").touch()
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/etc/hostname")

    ended = import_lines(
        patches, {"task_id": "t1", "artifact": "one.patch"}, {"task_id": "t2", **line}
    )

    assert ended.code == 2
    assert f"all.jsonl, line 2: {problem}" in ended.err, ended.err
    assert not patches.results.exists()
