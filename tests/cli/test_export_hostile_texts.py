"""Texts that models and services make up: they are texts in every format, and nothing else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.exports import WITH_TEXTS, export, rewrite, texts

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

HOSTILE = {
    "html": "<script>alert(1)</script><!-- &amp; ]]> \"'",
    "terminal": "\x1b]0;owned\x07\x1b[2J\x9b31m red",
    "half a pair": "one half \ud83d of a pair, and \udc00 another",
    "nul": "before\x00after",
    "json": '{"answer": "\\"}]}\\n", "status": "success"}\n{"task_id": "t9"}',
    "carriage return": "one\rtwo\r\nthree\u2028four\u0085five",
    "number": "NaN",
    "long": "0123456789" * 50_000,
    "traversal": "../../../../etc/passwd",
    "direction": "\u202eevil\u2066 \ufeff\U0001f600",
}
#: Those from which CSV leaves out what drives a terminal.
IN_CSV = {
    "terminal": " red",
    "nul": "beforeafter",
    "carriage return": "one\ntwo\nthree\u2028fourfive",
}
_HALVES = re.compile("[\ud800-\udfff]")


def trajectory(text: str) -> dict[str, object]:
    call = {"tool_call_id": "c1", "function_name": text, "arguments": {text: text}}
    seen = {"source_call_id": "c1", "content": text, "extra": {text: text}}
    return {
        "schema_version": "ATIF-v1.8",
        "agent": {"name": text, "version": text},
        "session_id": text,
        "steps": [
            {"step_id": 1, "source": "user", "message": text},
            {
                "step_id": 2,
                "source": "agent",
                "message": [{"type": "text", "text": text}],
                "reasoning_content": text,
                "model_name": text,
                "tool_calls": [call],
                "observation": {"results": [seen]},
            },
        ],
    }


@pytest.fixture
def text(kind: str, project: RunnerProject) -> str:
    """A hostile text in every place of a run."""
    text = HOSTILE[kind]
    project.write_tasks([{"id": "t1", "question": "say yes", "answer": "yes"}])
    project.run("run", "--run-id", "r1")

    def put_text(name: str, content: dict[str, Any]) -> None:
        if name == "generation.json":
            content |= dict.fromkeys(("data", "answer", "question", "model", "error"), text)
            content["metadata"] = {text: text}
        else:
            content["result"] = {"score": 1.0, text: text}

    rewrite(project, put_text)
    logs = project.results / "r1" / "t1" / "agent_logs"
    (logs / "trajectory.json").write_text(json.dumps(trajectory(text)))
    return text


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_stays_a_text(project: RunnerProject, kind: str, text: str) -> None:
    """A hostile text is a text in an export of any format, whole, and nothing else."""
    for arguments in WITH_TEXTS:
        written = export(project, arguments)

        assert not {*"\x1b\x07\x9b\x00"} & {*written["output"].decode()}
        assert all("passwd" not in name for name in written)
        found = texts(written)
        assert not any(_HALVES.search(each) for each in found)
        expected = _HALVES.sub("\ufffd", text)
        if arguments[1] == "csv":
            expected = IN_CSV.get(kind, expected)
        if (arguments[1], kind) == ("otel", "long"):  # no attribute is that long
            assert any(each[:9000] == text[:9000] for each in found)
        else:
            assert expected in found, arguments
