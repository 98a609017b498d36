"""Fixtures: a healthy project, a template, a listener that does not answer."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.cli.doctor.repositories import ask_for, commit, git, write_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import RunnerProject


@pytest.fixture
def healthy(project: RunnerProject) -> RunnerProject:
    """A project with nothing wrong, in git."""
    write_answers(project)
    ask_for(project, ">=0.1,<99")
    commit(project.root)
    return project


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


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A listener for connections that nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield listener
