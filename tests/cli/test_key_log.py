"""A log of TLS keys, which a person left in the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


@pytest.mark.sampled(1)
@pytest.mark.parametrize("in_env_file", [False, True])
def test_unwritable_key_log_ends_nothing(project: RunnerProject, in_env_file: bool) -> None:
    """A log that can't be written ends no run, although libraries of the agent read it."""
    project.change_agent(("import asyncio\n", "import asyncio\nimport ssl\n\nimport aiohttp\n"))
    project.change_agent(
        ("        match word:\n", "        ssl.create_default_context()\n        match word:\n")
    )
    path = str(project.root / "gone" / "keys.log")
    if in_env_file:
        (project.root / ".env").write_text(f"SSLKEYLOGFILE={path}\n")
    ended = project.execute("run", **({} if in_env_file else {"SSLKEYLOGFILE": path}))
    assert ended.code == 0, ended.err
    assert len(project.calls) == 3
