"""The transcript of a trajectory as data: what it says, safe, and cut to a size."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.results.report import transcript as module
from benchmark_runner.results.report.transcript import Transcript
from benchmark_runner.trajectory import read_trajectories, read_trajectory
from tests.unit.results.report.agents import call, delegating, put, result, step, trajectory, usual
from tests.unit.results.report.pages import texts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sections(tmp_path: Path) -> Sections:
    return Sections(tmp_path)


class Sections:
    """Makes the sections of a transcript of what an agent has written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, content: dict[str, Any], *secrets: str) -> list[dict[str, Any]]:
        found = read_trajectory(put(self.folder, content))
        assert found is not None
        made = Transcript(texts(*secrets))
        made.add(found, "", "trajectory.json", "t/agent_logs/trajectory.json")
        return json.loads(gzip.decompress(b64decode(made.pack().data)))

    def first(self, *steps: dict[str, Any]) -> list[dict[str, Any]]:
        """The parts of the first step."""
        return self(trajectory(*steps))[0]["steps"][0]["parts"]


def test_section_says_whose_it_is(sections: Sections) -> None:
    """A section has the agent's name, model, start and file."""
    (only,) = sections(usual())

    assert only["title"] == "my-agent 1.0"
    assert dict(only["facts"]) == {
        "Model": "some-model-1",
        "Format": "ATIF-v1.8",
        "Began": "2026-05-04 03:02 UTC",
    }
    assert only["whole"] == "t/agent_logs/trajectory.json"
    assert only["notes"] == []


def test_step_has_time_tokens_and_cost(sections: Sections) -> None:
    """A step has its time since the first one, its tokens and its cost."""
    (only,) = sections(usual())

    assert only["steps"][2]["facts"] == [
        "+14 s",
        "1,000 in, 300 out, 200 read from the cache",
        "$0.0123",
    ]
    assert [each["source"] for each in only["steps"]] == [
        "system", "user", "agent", "agent", "system", "agent",
    ]  # fmt: skip


def test_call_has_arguments_and_results(sections: Sections) -> None:
    """A call has its arguments by name, its results, and that it failed."""
    (only,) = sections(usual())
    _, reasoning, search, python = only["steps"][2]["parts"]

    assert reasoning["text"] == ["The sides are 3, 4 and 5.\nSo it has a right angle."]
    assert search["arguments"] == [["query", ["area of a triangle"]], ["pages", ["[1, 2]"]]]
    assert [each["text"] for each in search["results"]] == [["Heron's formula"]]
    assert not search["failed"]
    assert python["failed"]


def test_result_of_a_later_step_is_named(sections: Sections) -> None:
    """A result that comes in a later step is named after its call."""
    (only,) = sections(usual())
    (found,) = only["steps"][4]["parts"]

    assert (found["kind"], found["name"], found["text"]) == ("result", "run_python", ["6.0"])


def test_reused_ids_are_told_apart(sections: Sections) -> None:
    """A result belongs to the call of its own step, whatever ids came before."""
    turns = [
        step(
            number,
            tool_calls=[call("0", tool)],
            observation={"results": [result("0", f"of {tool}", failed=number == 2)]},
        )
        for number, tool in enumerate(("one", "two"), 1)
    ]

    (only,) = sections(trajectory(*turns))

    calls = [each["parts"][0] for each in only["steps"]]
    assert [(each["name"], each["failed"]) for each in calls] == [("one", False), ("two", True)]


def test_image_is_its_path(sections: Sections) -> None:
    """An image is its path."""
    (only,) = sections(usual())

    assert only["steps"][1]["parts"][0]["text"] == ["What is the area?\n[image: shots/1.png]"]


def test_subagents_have_sections(sections: Sections) -> None:
    """Subagents of any depth have sections, to which results refer by a name."""
    made = sections(delegating())

    assert [each["title"] for each in made] == [
        "my-agent 1.0", "Subagent: finder 1.0", "Subagent: deepest 1.0",
    ]  # fmt: skip
    assert made[0]["steps"][1]["parts"][0]["results"][0]["subagents"] == [
        "s1", "helpers/trajectory.json",
    ]  # fmt: skip
    assert made[1]["names"] == ["s1"]
    assert made[1]["steps"][1]["parts"][1]["subagents"] == ["s3"]


def test_subagent_in_a_file_of_its_own(tmp_path: Path) -> None:
    """The file of a subagent has a section with its own place, to which results refer."""
    ref = [{"trajectory_path": "sub/trajectory.json"}]
    named = result("", "", subagent_trajectory_ref=ref)
    put(tmp_path, trajectory(step(1, observation={"results": [named]})))
    put(tmp_path / "sub", trajectory(step(1)))
    ((_, found),) = read_trajectories(tmp_path)
    made = Transcript(texts())
    made.add(found, "", "trajectory.json", "t/agent_logs/trajectory.json")
    main, below = json.loads(gzip.decompress(b64decode(made.pack().data)))
    assert main["steps"][0]["parts"][0]["subagents"] == ["sub/trajectory.json"]
    assert "sub/trajectory.json" in below["names"]
    assert below["whole"] == "t/agent_logs/sub/trajectory.json"


def test_number_of_subagents_is_bounded(
    sections: Sections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not more subagents are shown than a person reads."""
    monkeypatch.setattr(module, "_MOST_SECTIONS", 5)
    subs = [trajectory(step(1), name=f"s{number}") for number in range(20)]

    assert len(sections(trajectory(step(1), subagent_trajectories=subs))) == 5


def test_secrets_are_masked(sections: Sections) -> None:
    """Secrets are masked everywhere, also where they are escaped or a cut goes through them."""
    secret = 'sk-"secret"-that-is-long-42'
    whole = trajectory(
        step(
            1,
            message=f"{'x' * 13_330}{secret}{'x' * 30_000}",
            reasoning_content=f"sk-\x1b[0m{secret[3:]}",
            model_name=secret,
            tool_calls=[call(secret, secret, **{secret: secret, "nested": {"a": [secret]}})],
            observation={"results": [result(secret, secret, subagent_trajectory_ref=secret)]},
        ),
        name=secret,
        notes=secret,
    )

    made = json.dumps(sections(whole, secret))

    assert "that-is-long" not in made
    assert "***" in made


def test_long_text_is_cut_in_the_middle(sections: Sections) -> None:
    """A long text is cut in the middle, with the number of characters left out."""
    (part,) = sections.first(step(1, message="a" * 30_000 + "b" * 30_000))
    head, left_out, tail = part["text"]

    assert len(head) + len(tail) == 20_000
    assert left_out == 40_000
    assert head[0] == "a"
    assert tail[-1] == "b"


def test_many_texts_are_kept_short(sections: Sections, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once there is much text, of further ones only the ends are kept."""
    monkeypatch.setattr(module, "_ALL_TEXTS", 5000)
    (only,) = sections(trajectory(*(step(number, message="x" * 4000) for number in range(1, 5))))

    lengths = [len("".join(each["parts"][0]["text"][::2])) for each in only["steps"]]
    assert lengths == [4000, 4000, 500, 500]


def test_too_many_steps_are_left_out(sections: Sections, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many steps the middle is left out, and counted."""
    monkeypatch.setattr(module, "_MOST_STEPS", 10)
    (only,) = sections(trajectory(*(step(number) for number in range(1, 31))))

    assert [each.get("number", each.get("gap")) for each in only["steps"]] == [
        "1", "2", "3", "4", "5", 20, "26", "27", "28", "29", "30",
    ]  # fmt: skip


def test_deep_arguments_are_text(sections: Sections) -> None:
    """Arguments that are nested deeply become text."""
    deep: Any = "x"
    for _ in range(60):
        deep = [deep]

    (part,) = sections.first(step(1, tool_calls=[call("c", "f", deep=deep)]))

    assert part["arguments"][0][0] == "deep"


@pytest.mark.parametrize(
    "odd",
    [
        {"steps": []},
        {"steps": [{}]},
        {"agent": {}, "steps": [{"source": "robot", "message": None, "timestamp": "yesterday"}]},
        {"steps": [{"tool_calls": [{}], "observation": {"results": [{}]}}]},
        {"steps": [{"metrics": {"prompt_tokens": -1, "cost_usd": -5}, "step_id": -3}]},
        {"steps": [{"timestamp": "9999-12-31T23:59:59-23:00"}, {"timestamp": "0001-01-01T00:00"}]},
    ],
)
def test_odd_trajectories_have_transcripts(sections: Sections, odd: dict[str, Any]) -> None:
    """A trajectory in which much is missing or odd has a transcript."""
    (only,) = sections({"schema_version": "ATIF-v1.5", **odd})

    assert len(only["steps"]) == len(odd["steps"])


def test_same_content_has_the_same_key(tmp_path: Path) -> None:
    """The key is that of the content: the same is the same, another is another."""
    keys: list[str] = []
    for content in (usual(), usual(), delegating()):
        made = Transcript(texts())
        found = read_trajectory(put(tmp_path, content))
        assert found is not None
        made.add(found, "", "a", "b")
        keys.append(made.pack().key)

    assert keys[0] == keys[1] != keys[2]
