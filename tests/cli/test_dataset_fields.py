"""Fields of a dataset beside its tasks, which no agent gets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

TASKS = [{"id": "t1", "question": "say one", "answer": "one"}]
NAMED = "domain, level of the dataset file"


def test_unused_fields_are_named_once(project: RunnerProject) -> None:
    """Fields beside the tasks that are not read are named once in each command."""
    content = {"dataset_name": "validation", "domain": "law", "level": 3, "tests": TASKS}
    project.dataset.write_text(json.dumps(content))
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0
    assert (ended.out + ended.err).count(NAMED) == 1
    (project.root / ".copier-answers.yml").unlink(missing_ok=True)
    found = project.run("doctor", "--offline").out
    assert "not used of it: domain, level" in " ".join(found.split())


def test_known_fields_are_not_named(project: RunnerProject) -> None:
    """A dataset with the usual fields has none to name."""
    assert "unused" not in project.run("run").out
