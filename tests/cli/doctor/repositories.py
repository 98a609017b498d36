"""Repositories to be checked, and the document that ``doctor --json`` prints."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject


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


def offline(project: RunnerProject) -> dict[str, dict[str, Any]]:
    return checks(project.run("doctor", "--offline", "--json"))
