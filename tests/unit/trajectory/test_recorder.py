"""The recorder writes a file that is valid after each call, whatever an agent records."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._redaction import Redactor
from benchmark_runner.base.current_generation import CurrentGeneration, use_generation
from benchmark_runner.schemas import TokenUsage
from benchmark_runner.trajectory import (
    ContentPart,
    Metrics,
    Recorder,
    Source,
    ToolCall,
    Trajectory,
    growing_file,
    read_trajectory,
    record,
)
from benchmark_runner.trajectory.growing_file import GrowingFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IMAGE = ContentPart(type="image", source=Source(media_type="image/png", path="screen.png"))
CALLS = [
    ToolCall(tool_call_id="a", function_name="add", arguments={"x": 1}),
    ToolCall(tool_call_id="b", function_name="read"),
]
#: One call of the recorder each, in the order of an agent's work.
STEPS: list[Callable[[Recorder], None]] = [
    lambda it: it.system("Be brief."),
    lambda it: it.user([ContentPart(text="Look:"), IMAGE]),
    lambda it: it.agent("Two calls.", reasoning="Both at once.", tool_calls=CALLS),
    lambda it: it.observation("3", call_id="a"),
    lambda it: it.observation("no such file", call_id="b", failed=True),
    lambda it: it.agent(None, metrics=Metrics(prompt_tokens=10, cost_usd=0.5)),
    lambda it: it.observation("seen"),
    lambda it: it.observation("late", call_id="of another turn"),
    lambda it: it.agent("42", metrics=Metrics(prompt_tokens=5, completion_tokens=2)),
]


def content(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "trajectory.json").read_text())


def found_in(folder: Path) -> Trajectory:
    found = read_trajectory(folder / "trajectory.json")
    assert found is not None
    return found


class TestFile:
    def test_it_is_valid_after_each_call(self, tmp_path: Path) -> None:
        """The file is JSON after each call, and what it held before stays in it."""
        before = b""
        with record(tmp_path, name="agent", version="1", model="m") as trajectory:
            for step in STEPS:
                step(trajectory)
                now = (tmp_path / "trajectory.json").read_bytes()
                json.loads(now)
                assert now.startswith(before.partition(b'],"final_metrics"')[0].rstrip(b"]}"))
                before = now
        found = content(tmp_path)
        assert found["schema_version"] == "ATIF-v1.8"
        assert found["agent"] == {"name": "agent", "version": "1", "model_name": "m"}
        assert [step["step_id"] for step in found["steps"]] == [1, 2, 3, 4, 5, 6]
        sources = ["system", "user", "agent", "agent", "system", "agent"]
        assert [step["source"] for step in found["steps"]] == sources
        assert [result["content"] for result in found["steps"][2]["observation"]["results"]] == [
            "3",
            "no such file",
        ]

    @pytest.mark.parametrize("count", range(1, len(STEPS)))
    def test_torn_write_keeps_the_steps_before(self, tmp_path: Path, count: int) -> None:
        """Of a file that is cut anywhere in its last step, the steps before are read."""
        with record(tmp_path) as trajectory:
            for step in STEPS[:count]:
                step(trajectory)
            whole = (tmp_path / "trajectory.json").read_bytes()
            STEPS[count](trajectory)
        before = [step.message for step in found_in(tmp_path).steps][
            : len(json.loads(whole)["steps"])
        ]
        data = (tmp_path / "trajectory.json").read_bytes().rstrip()
        kept = next(place for place, byte in enumerate(whole) if data[place] != byte)
        for end in range(kept, len(data)):
            (tmp_path / "trajectory.json").write_bytes(data[:end])
            found = found_in(tmp_path)
            assert found.is_cut
            assert [step.message for step in found.steps][: len(before)] == before

    def test_totals_are_the_sums_so_far(self, tmp_path: Path) -> None:
        """The totals of the file are the sums of the turns so far."""
        with record(tmp_path) as trajectory:
            usage = TokenUsage(input=5, output=6, reasoning=1, cache_read=3, cache_write=2)
            for _ in range(2):
                trajectory.agent("a", metrics=Metrics.from_usage(usage, 0.25))
            trajectory.agent("b", metrics=Metrics())
        assert content(tmp_path)["final_metrics"] == {
            "total_prompt_tokens": 20,
            "total_completion_tokens": 14,
            "total_cached_tokens": 6,
            "total_cost_usd": 0.5,
            "total_steps": 3,
            "extra": {"total_reasoning_tokens": 2, "total_cache_write_tokens": 4},
        }

    def test_second_one_gets_a_folder(self, tmp_path: Path) -> None:
        """A second trajectory in the same folder does not touch the first."""
        for answer in ("one", "two", "three"):
            with record(tmp_path) as trajectory:
                trajectory.agent(answer)
        places = (tmp_path, tmp_path / "2", tmp_path / "3")
        answers = [content(place)["steps"][0]["message"] for place in places]
        assert answers == ["one", "two", "three"]

    def test_file_that_another_thread_makes_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A recorder whose file another one has made just before gets the next folder."""

        def too_late(path: Path, *, durable: bool) -> GrowingFile:
            if path.parent == tmp_path:
                path.write_text("{}")
            return GrowingFile(path, durable=durable)

        monkeypatch.setattr(growing_file, "GrowingFile", too_late)
        with record(tmp_path) as trajectory:
            trajectory.agent("mine")
        assert content(tmp_path / "2")["steps"][0]["message"] == "mine"

    def test_link_in_place_of_its_folder(self, tmp_path: Path) -> None:
        """A folder of a second trajectory that is a link, or a file, is passed over."""
        logs, outside = tmp_path / "logs", tmp_path / "outside"
        logs.mkdir()
        outside.mkdir()
        (logs / "2").symlink_to(outside)
        (logs / "3").write_text("")
        for answer in ("one", "two"):
            with record(logs) as trajectory:
                trajectory.agent(answer)
        assert content(logs / "4")["steps"][0]["message"] == "two"
        assert not [*outside.iterdir()]

    def test_killed_process_leaves_its_steps(self, tmp_path: Path) -> None:
        """After a SIGKILL the steps that were recorded are there."""
        code = (
            "import os, signal, sys, pathlib\n"
            "from benchmark_runner.trajectory import record\n"
            "with record(pathlib.Path(sys.argv[1])) as trajectory:\n"
            "    trajectory.user('question')\n"
            "    trajectory.agent('first')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
        assert ended.returncode == -signal.SIGKILL
        assert [step["message"] for step in content(tmp_path)["steps"]] == ["question", "first"]


class TestContent:
    def test_an_exception_is_recorded(self, tmp_path: Path) -> None:
        """An exception that leaves the block is the last step, and is raised on."""

        def work() -> None:
            with record(tmp_path) as trajectory:
                trajectory.user("question")
                raise ValueError("no luck")

        with pytest.raises(ValueError, match="no luck"):
            work()
        last = content(tmp_path)["steps"][-1]
        assert last["message"] == "Error: ValueError: no luck"
        assert last["extra"] == {"error_type": "ValueError"}

    def test_keys_are_masked(self, tmp_path: Path) -> None:
        """The keys of the run are masked in whatever is recorded."""
        key = "sk-planted-0123456789abcdef"

        def work() -> None:
            use_generation(CurrentGeneration("t", redactor=Redactor([key])))
            with record(tmp_path, name=key, tools=[{"name": key}]) as trajectory:
                trajectory.user(f"use {key}")
                call = ToolCall(tool_call_id="1", function_name="env", arguments={"k": key})
                trajectory.agent(key, reasoning=key, tool_calls=[call], extra={key: key})
                trajectory.observation(f"KEY={key}", call_id="1", failed=True, extra={"raw": [key]})

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert content(tmp_path)["extra"] == {"task_id": "t", "repeat": 1, "attempt": 1}
        assert key not in (tmp_path / "trajectory.json").read_text()

    @pytest.mark.parametrize("text", ["\ud800 half", "\x00\x1b[31m", '"}]', "\u2028", "é" * 70_000])
    def test_any_text_is_kept_as_json(self, tmp_path: Path, text: str) -> None:
        """A text of any characters makes a valid file; half a surrogate pair is replaced."""
        with record(tmp_path) as trajectory:
            trajectory.agent(text)
            trajectory.observation(text)
        step = content(tmp_path)["steps"][0]
        kept = text.replace("\ud800", "\ufffd")
        assert step["message"] == step["observation"]["results"][0]["content"] == kept

    def test_anything_else_is_its_text(self, tmp_path: Path) -> None:
        """A result that is neither a text nor parts is recorded as its text."""
        value: Any = {"sum": 3}
        with record(tmp_path) as trajectory:
            trajectory.agent(value)
            trajectory.observation(value)
        step = content(tmp_path)["steps"][0]
        assert step["message"] == step["observation"]["results"][0]["content"] == "{'sum': 3}"

    def test_infinite_numbers_become_null(self, tmp_path: Path) -> None:
        """A number that JSON has no form for is written as null."""
        call = ToolCall(tool_call_id="1", function_name="f", arguments={"x": float("nan")})
        with record(tmp_path) as trajectory:
            trajectory.agent(tool_calls=[call], metrics=Metrics(cost_usd=float("inf")))
        found = content(tmp_path)["steps"][0]
        assert found["tool_calls"][0]["arguments"] == {"x": None}
        assert found["metrics"]["cost_usd"] is None


class TestTrouble:
    def test_without_a_folder_nothing_is_recorded(self) -> None:
        """Without a folder the same calls do nothing."""
        with record(None) as trajectory:
            for step in STEPS:
                step(trajectory)
        assert trajectory.problem is None

    def test_disk_that_refuses_stops_the_recording(self, tmp_path: Path) -> None:
        """A folder that can't be written to does not stop the agent; the reason is told."""
        (tmp_path / "file").write_text("")
        with record(tmp_path / "file" / "logs") as trajectory:
            for step in STEPS:
                step(trajectory)
        assert isinstance(trajectory.problem, NotADirectoryError)

    def test_full_disk_keeps_what_is_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a full disk, the file stays valid and holds the steps before."""
        with record(tmp_path) as trajectory:
            trajectory.agent("kept")
            before = (tmp_path / "trajectory.json").read_bytes()
            whole = os.pwrite

            def pwrite(descriptor: int, data: bytes, place: int) -> int:
                if len(data) > 1000:
                    return whole(descriptor, data[:500], place)
                if len(data) > 300:
                    raise OSError(28, "No space left on device")
                return whole(descriptor, data, place)

            monkeypatch.setattr(os, "pwrite", pwrite)
            trajectory.agent("x" * 1200)
            trajectory.agent("after")
        assert trajectory.problem is not None
        assert (tmp_path / "trajectory.json").read_bytes() == before

    @pytest.mark.anyio
    async def test_threads_may_record_at_once(self, tmp_path: Path) -> None:
        """The results of calls that end in threads at the same time are all there, once each."""
        calls = [ToolCall(tool_call_id=str(n), function_name="f") for n in range(50)]
        with record(tmp_path) as trajectory:
            trajectory.agent(tool_calls=calls)
            await asyncio.gather(
                *(
                    asyncio.to_thread(trajectory.observation, "done", call_id=str(n))
                    for n in range(50)
                )
            )
        (step,) = content(tmp_path)["steps"]
        ids = {result["source_call_id"] for result in step["observation"]["results"]}
        assert len(ids) == len(step["observation"]["results"]) == 50
