"""Trajectories that are written are valid, whatever an agent records: the package atif checks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import atif
import pytest

from benchmark_runner.base.current_generation import CurrentGeneration, use_generation
from benchmark_runner.schemas import TokenUsage
from benchmark_runner.trajectory import (
    ContentPart,
    Metrics,
    Recorder,
    Source,
    ToolCall,
    dump_trajectory,
    read_trajectory,
    record,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Steps = Callable[[Recorder], object]

USAGE = TokenUsage(input=1, output=2, reasoning=3, cache_read=4, cache_write=5)
CALL = ToolCall(tool_call_id="a", function_name="read", arguments={"path": "x", "deep": [{}, None]})


def image(path: str, media_type: str = "", **more: Any) -> list[ContentPart]:
    return [ContentPart(text="See:"), ContentPart(type="image", source=source(path, media_type))]


def source(path: str, media_type: str = "", seconds: float | None = None) -> Source:
    return Source(path=path, media_type=media_type, duration_sec=seconds)


def sound(path: str, media_type: str = "", seconds: float | None = None) -> list[ContentPart]:
    return [ContentPart(type="audio", source=source(path, media_type, seconds))]


#: Steps that an agent may record, by a name for it.
RECORDED: dict[str, Steps] = {
    "texts": lambda it: (it.system("Be brief."), it.user("Why?"), it.agent("So.", reasoning="?")),
    "calls": lambda it: (
        it.agent("Two.", tool_calls=[CALL, CALL.model_copy(update={"tool_call_id": "b"})]),
        it.observation("text", call_id="a"),
        it.observation("no such file", call_id="b", failed=True, extra={"exit_code": 1}),
        it.agent("Done.", model="another"),
    ),
    "malformed call": lambda it: (
        it.agent(None, tool_calls=[ToolCall(extra={"raw_arguments": '{"path": '})]),
        it.observation("the arguments are no JSON", call_id="", failed=True),
    ),
    "call without a result": lambda it: (it.agent("", tool_calls=[CALL]), it.agent("Well.")),
    "two results of one call": lambda it: (
        it.agent("", tool_calls=[CALL]),
        it.observation("one", call_id="a"),
        it.observation("two", call_id="a"),
    ),
    "result of no call": lambda it: (
        it.observation("before all", call_id="a"),
        it.agent("Hm.", tool_calls=[CALL]),
        it.observation("of another turn", call_id="z"),
        it.observation(None),
    ),
    "tokens": lambda it: it.agent("a", metrics=Metrics.from_usage(USAGE, 0.5), extra={"x": 1}),
    "impossible tokens": lambda it: it.agent("a", metrics=Metrics(cost_usd=float("nan"))),
    "image": lambda it: (
        it.user(image("a.png", "image/png")),
        it.agent("", tool_calls=[CALL]),
        it.observation(image("b.webp", "image/webp"), call_id="a"),
    ),
    "image of a guessed type": lambda it: it.user(image("a.jpg")),
    "drawing": lambda it: it.user(image("a.svg", "image/svg+xml")),
    "film": lambda it: it.user([ContentPart(type="video", source=source("a.mp4", "video/mp4"))]),
    "image of nothing": lambda it: it.user([ContentPart(type="image")]),
    "text of nothing": lambda it: it.user([ContentPart()]),
    "text with a source": lambda it: it.user([ContentPart(text="x", source=source("a.png"))]),
    "sound": lambda it: it.user(sound("a.mp3", "audio/mp3", 1.5)),
    "sound of no time": lambda it: it.user(sound("a.wav", "", -1)),
    "hostile text": lambda it: (it.user("\ud800 \x00 \x1b[31m"), it.agent('"}],"steps":[')),
}


def check(text: str | bytes) -> atif.Trajectory:
    return atif.Trajectory.model_validate_json(text)


def recorded(folder: Path, steps: Steps) -> Path:
    with record(folder, name="agent", version="1", model="m", tools=[{"name": "read"}]) as it:
        steps(it)
    return folder / "trajectory.json"


def written(folder: Path, *steps: Any, **more: Any) -> str:
    """Return a trajectory that was read from a file, and written again."""
    path = folder / "trajectory.json"
    content = {"schema_version": "ATIF-v1.5", "agent": {"name": "a"}, "steps": steps} | more
    path.write_text(json.dumps(content))
    found = read_trajectory(path)
    assert found is not None
    return dump_trajectory(found)


@pytest.fixture(autouse=True)
def _without_waiting_for_the_disk() -> Iterator[None]:
    use_generation(CurrentGeneration(durable=False))
    yield
    use_generation(CurrentGeneration())


class TestRecorder:
    @pytest.mark.parametrize("steps", RECORDED.values(), ids=RECORDED)
    def test_what_it_writes_is_valid(self, tmp_path: Path, steps: Steps) -> None:
        """The file of each kind of step is valid, and has as many steps as were recorded."""
        found = check(recorded(tmp_path, steps).read_bytes())
        assert found.schema_version == "ATIF-v1.8"
        assert found.final_metrics is not None
        assert found.final_metrics.total_steps == len(found.steps) > 0

    def test_exception_is_valid(self, tmp_path: Path) -> None:
        """The file of an agent that raised is valid."""
        with pytest.raises(ZeroDivisionError):
            recorded(tmp_path, lambda _: 1 / 0)
        assert "ZeroDivisionError" in str(
            check((tmp_path / "trajectory.json").read_bytes()).steps[-1].message
        )

    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            ("image", "image/png"),
            ("image of a guessed type", "image/jpeg"),
            ("drawing", "[image: a.svg]"),
            ("film", "[video: a.mp4]"),
        ],
    )
    def test_image_is_kept_by_reference(self, tmp_path: Path, name: str, kept: str) -> None:
        """An image that the format has no type for is a text that names it."""
        assert kept in recorded(tmp_path, RECORDED[name]).read_text()


class TestReadAndWrittenAgain:
    @pytest.mark.parametrize("steps", RECORDED.values(), ids=RECORDED)
    def test_whole_file_stays_as_it_is(self, tmp_path: Path, steps: Steps) -> None:
        """A file of the recorder says the same once it was read and written again."""
        path = recorded(tmp_path, steps)
        found = read_trajectory(path)
        assert found is not None
        assert check(dump_trajectory(found)) == check(path.read_bytes())

    @pytest.mark.parametrize("steps", RECORDED.values(), ids=RECORDED)
    def test_killed_file_is_valid(self, tmp_path: Path, steps: Steps) -> None:
        """Of a file that is cut anywhere, what is read is valid once it is written again."""
        path = recorded(tmp_path, steps)
        data = path.read_bytes()
        for end in range(0, len(data), 7):
            path.write_bytes(data[:end])
            if (found := read_trajectory(path)) is not None:
                check(dump_trajectory(found))

    def test_older_file_is_valid(self, tmp_path: Path) -> None:
        """A file of an older version, with what that allowed, becomes a valid one."""
        text = written(
            tmp_path,
            {"step_id": 7, "source": "robot", "message": "?", "metrics": {"prompt_tokens": 1}},
            {"source": "agent", "message": "a", "timestamp": "yesterday", "llm_call_count": -1},
            {"source": "agent", "metrics": {"cost_usd": 1}, "llm_call_count": 0},
            {
                "source": "agent",
                "tool_calls": [{"tool_call_id": "a", "unknown": 1}],
                "observation": {"results": [{"source_call_id": "z", "content": "late"}]},
            },
            unknown=[1],
        )
        found = check(text)
        assert [step.step_id for step in found.steps] == [1, 2, 3, 4]
        assert [step.source for step in found.steps] == ["system", "agent", "agent", "agent"]

    def test_continued_file_is_valid(self, tmp_path: Path) -> None:
        """Trajectories that were joined have one row of steps."""
        more = {"schema_version": "ATIF-v1.6", "steps": [{"step_id": 1, "message": "b"}]}
        (tmp_path / "more.json").write_text(json.dumps(more))
        text = written(
            tmp_path, {"step_id": 1, "message": "a"}, continued_trajectory_ref="more.json"
        )
        assert [step.message for step in check(text).steps] == ["a", "b"]

    def test_subagents_are_valid(self, tmp_path: Path) -> None:
        """Subagents get names that differ, and a reference that leads nowhere is left out."""
        refs: list[Any] = [{"trajectory_path": "a.json", "old": 1}, {"session_id": "x"}, 5, "b"]
        results = [{"content": "a", "subagent_trajectory_ref": ref} for ref in (*refs, refs, None)]
        below = [{"trajectory_id": "1"}, {}, {"trajectory_id": "1", "steps": [{"step_id": 3}]}]
        found = check(
            written(
                tmp_path,
                {"source": "agent", "observation": {"results": results}},
                subagent_trajectories=below,
            )
        )
        assert found.subagent_trajectories is not None
        assert len({below.trajectory_id for below in found.subagent_trajectories}) == 3
        assert found.steps[0].observation is not None
        assert [
            len(one.subagent_trajectory_ref or ()) for one in found.steps[0].observation.results
        ] == [1, 0, 0, 0, 1, 0]
