"""The environment of an agent."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from benchmark_runner import run_command_agent

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.command_agent.conftest import Agent

SHOW = "import json; print(json.dumps(dict(os.environ)))"


def environment_of(agent: Agent, **options: Any) -> dict[str, str]:
    return json.loads(agent.run(SHOW, **options).answer)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VALS_AUTH_KEY", "k"),
        ("BENCHMARK_API_KEY", "k"),
        ("ANTHROPIC_API_KEY", "sk-ant-0123456789abcdef"),
        ("MY_PASSWORD", "postgres"),
        ("SERVICE_URL", "https://me:s3cret-0123456789@example.com"),
        ("SERVICE_HEADERS", "X-Gateway=0123456789abcdef"),
    ],
)
def test_secrets_are_kept_back(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A key, by its name or by its value, is passed on only by its name in ``keys``."""
    monkeypatch.setenv(name, value)
    assert name not in environment_of(agent)
    assert environment_of(agent, keys=[name])[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTPS_PROXY", "http://me:secret@proxy:8080"), ("MAX_TOKENS", "20"), ("TERM", "dumb")],
)
def test_other_variables_are_passed_on(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A variable that is no key is passed on, and so is a proxy that may be needed."""
    monkeypatch.setenv(name, value)
    assert environment_of(agent)[name] == value


def test_more_variables_can_be_given(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of ``environment`` come on top; a key that is not set is left out."""
    monkeypatch.setenv("COLOUR", "red")
    given = environment_of(agent, keys=["NO_SUCH_KEY"], environment={"COLOUR": "blue", "NEW": "1"})
    assert (given["COLOUR"], given["NEW"], given.get("NO_SUCH_KEY")) == ("blue", "1", None)


def test_variable_that_is_no_text_is_told(tmp_path: Path) -> None:
    """A variable of another type is the error, and no agent that ended without an exit code."""
    variables = cast("dict[str, str]", {"A": 1})
    with pytest.raises(TypeError, match="not int"):
        asyncio.run(run_command_agent(["true"], "q", log_dir=tmp_path, environment=variables))
