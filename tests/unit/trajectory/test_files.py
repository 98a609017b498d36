from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.trajectory import (
    digest,
    files,
    find_trajectories,
    read_trajectories,
    read_trajectory,
    text_of,
)

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, *steps: Any, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"schema_version": "ATIF-v1.6", "agent": {"name": "a"}, "steps": steps} | more
    path.write_text(json.dumps(content))
    return path


def turn(message: str, **more: Any) -> dict[str, Any]:
    return {"step_id": 1, "source": "agent", "message": message} | more


def refers_to(path: str) -> dict[str, Any]:
    return {"results": [{"subagent_trajectory_ref": [{"trajectory_path": path}]}]}


class TestFind:
    def test_nearest_first_at_any_depth(self, tmp_path: Path) -> None:
        """Both names are found at any depth, the nearest to the folder first."""
        places = ["b/c/trajectory.json", "z/trajectory_atif.json", "a/trajectory.json"]
        for place in places:
            write(tmp_path / place)
        write(tmp_path / "other.json")
        found = [str(path.relative_to(tmp_path)) for path in find_trajectories(tmp_path)]
        assert found == [places[2], places[1], places[0]]

    def test_links_are_not_followed(self, tmp_path: Path) -> None:
        """Neither a file nor a folder is found through a link."""
        elsewhere = write(tmp_path / "elsewhere" / "trajectory.json")
        logs = tmp_path / "logs"
        logs.mkdir()
        (logs / "trajectory.json").symlink_to(elsewhere)
        (logs / "folder").symlink_to(elsewhere.parent)
        assert find_trajectories(logs) == []

    def test_missing_folder_has_none(self, tmp_path: Path) -> None:
        """A folder that is not there has no trajectory."""
        assert find_trajectories(tmp_path / "none") == []

    def test_large_folder_is_not_searched_whole(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The search ends after a number of names; what is near is found before."""
        monkeypatch.setattr(files, "_MOST_NAMES", 10)
        write(tmp_path / "trajectory.json")
        for number in range(12):
            (tmp_path / f"log-{number}").write_text("")
        write(tmp_path / "deep" / "trajectory.json")
        assert find_trajectories(tmp_path) == [tmp_path / "trajectory.json"]


class TestRead:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "{}",
            "not JSON",
            '{"schema_version": "v2", "steps": []}',
            '{"schema_version": 5}',
            "\x00\xff",
        ],
    )
    def test_what_is_none_is_not_read(self, tmp_path: Path, text: str) -> None:
        """A file in another format is no trajectory."""
        path = tmp_path / "trajectory.json"
        path.write_text(text)
        assert read_trajectory(path) is None

    def test_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        """A pipe in the place of the file is not waited for."""
        os.mkfifo(tmp_path / "trajectory.json")
        assert read_trajectory(tmp_path / "trajectory.json") is None

    def test_unfit_values_cost_only_themselves(self, tmp_path: Path) -> None:
        """A value of the wrong type is passed over, and all others are read."""
        odd = turn("kept", metrics={"prompt_tokens": "many"}, timestamp=5, unknown=[1])
        path = write(tmp_path / "t.json", odd, "no step", turn("next"), notes=7)
        found = read_trajectory(path)
        assert found is not None
        assert [step.message for step in found.steps] == ["kept", "next"]
        assert found.is_cut

    def test_what_stands_beside_an_unfit_value_stays(self, tmp_path: Path) -> None:
        """Of a step's metrics and calls, only the value of the wrong type is passed over."""
        calls = [None, {"function_name": "f", "arguments": "{}"}, 3, {"function_name": 4}]
        metrics = {"prompt_tokens": 1.5, "cost_usd": 0.25}
        step = turn("main", metrics=metrics, tool_calls=calls)
        below = {"agent": {"name": "b"}, "steps": [turn("below", metrics=metrics), None]}
        found = read_trajectory(write(tmp_path / "t.json", step, subagent_trajectories=[below]))
        assert found is not None
        assert digest(found).cost == 0.5
        assert [call.function_name for call in found.steps[0].tool_calls or ()] == ["f", ""]

    def test_values_without_a_place_are_kept(self, tmp_path: Path) -> None:
        """A value of the wrong type, or of an unknown key, is kept in ``extra`` by its place."""
        parts = [{"type": "text", "text": "hi", "cache": True}, 3]
        results = [{"content": 5, "score": 1}, {"content": "kept"}]
        odd = {**turn(""), "message": parts, "reasoning_effort": []}
        odd["observation"] = {"results": results}
        path = write(tmp_path / "t.json", odd, shape=[1], extra={"mine": 1})
        found = read_trajectory(path)
        assert found is not None
        (step,) = found.steps
        assert text_of(step.message) == "hi"
        assert [result.content for result in step.results] == [None, "kept"]
        assert step.extra == {
            "not_in_format": {
                "message.0.cache": True,
                "message.1": 3,
                "observation.results.0.content": 5,
                "observation.results.0.score": 1,
                "reasoning_effort": [],
            }
        }
        assert found.extra == {"mine": 1, "not_in_format": {"shape": [1]}}

    def test_bytes_that_are_no_text_are_replaced(self, tmp_path: Path) -> None:
        """A byte that is not UTF-8, as tools print them, costs no more than itself."""
        path = write(tmp_path / "t.json", turn("a?b"))
        path.write_bytes(path.read_bytes().replace(b"?", b"\xff"))
        found = read_trajectory(path)
        assert found is not None
        assert found.steps[0].message == "a\ufffdb"
        assert not found.is_cut

    def test_byte_order_mark_and_half_pairs_are_read(self, tmp_path: Path) -> None:
        """A byte order mark is passed over; half a surrogate pair is replaced."""
        path = write(tmp_path / "t.json", turn("\ud800"))
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        found = read_trajectory(path)
        assert found is not None
        assert found.steps[0].message == "\ufffd"
        assert not found.is_cut

    def test_large_file_is_read_in_part(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of a file that is too large, the beginning is read, and that is told."""
        path = write(tmp_path / "t.json", *[turn("x" * 100) for _ in range(100)])
        monkeypatch.setattr(files, "MOST_BYTES", 2000)
        monkeypatch.setattr(files, "_END", 300)
        found = read_trajectory(path)
        assert found is not None
        assert 5 < len(found.steps) < 20
        assert found.is_cut
        assert found.final_metrics is None

    @pytest.mark.parametrize(
        ("totals", "cost"), [({"total_cost_usd": 2.0}, 2.0), ([], None), ("x" * 400, None)]
    )
    def test_totals_of_a_large_file_count(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, totals: Any, cost: float | None
    ) -> None:
        """The totals at the end of a file that is too large are read, if they can be."""
        path = write(tmp_path / "t.json", *[turn("x")] * 100, final_metrics=totals, extra={"a": 1})
        monkeypatch.setattr(files, "MOST_BYTES", 2000)
        monkeypatch.setattr(files, "_END", 300)
        found = read_trajectory(path)
        assert found is not None
        assert digest(found).cost == cost

    def test_deep_nesting_is_refused(self, tmp_path: Path) -> None:
        """A file that is nested without end is no trajectory, and no crash."""
        path = tmp_path / "t.json"
        path.write_text('{"schema_version": "ATIF-v1.8", "extra": ' + "[" * 100_000)
        assert read_trajectory(path) is None


class TestContinuation:
    def test_files_are_joined(self, tmp_path: Path) -> None:
        """The files that continue a trajectory are joined on, without what they copied."""
        first = write(
            tmp_path / "trajectory.json",
            turn("one"),
            continued_trajectory_ref="next.json",
            final_metrics={"total_cost_usd": 1.0},
        )
        copied = turn("one", is_copied_context=True)
        totals = {"total_cost_usd": 0.5, "total_prompt_tokens": 3}
        write(tmp_path / "next.json", copied, turn("two"), final_metrics=totals)
        found = read_trajectory(first)
        assert found is not None
        assert [step.message for step in found.steps] == ["one", "two"]
        assert digest(found).cost == 1.5

    def test_continuation_counts_once(self, tmp_path: Path) -> None:
        """A file that continues another one, under a name that is looked for, is no second one."""
        path = tmp_path / "trajectory.json"
        write(path, turn("one"), continued_trajectory_ref="2/trajectory.json")
        write(tmp_path / "2" / "trajectory.json", turn("two"))
        found = [[step.message for step in each.steps] for _, each in read_trajectories(tmp_path)]
        assert found == [["one", "two"]]
        whole = read_trajectory(path)
        assert whole is not None
        assert whole.files == find_trajectories(tmp_path)

    def test_link_to_a_folder_is_not_followed(self, tmp_path: Path) -> None:
        """A reference through a folder that is a link ends it."""
        write(tmp_path / "outside" / "next.json", turn("outside"))
        path = tmp_path / "logs" / "trajectory.json"
        write(path, turn("one"), continued_trajectory_ref="link/next.json")
        (path.parent / "link").symlink_to(tmp_path / "outside")
        found = read_trajectory(path)
        assert found is not None
        assert [step.message for step in found.steps] == ["one"]

    @pytest.mark.parametrize(
        "ref",
        ["../out.json", "/etc/hosts", "trajectory.json", "gone.json", "zero\0byte", "a/" * 5000],
    )
    def test_bad_reference_ends_it(self, tmp_path: Path, ref: str) -> None:
        """A reference out of the folder, to itself or to nothing is not followed."""
        write(tmp_path / "out.json", turn("outside"))
        path = tmp_path / "logs" / "trajectory.json"
        write(path, turn("one"), continued_trajectory_ref=ref)
        found = read_trajectory(path)
        assert found is not None
        assert [step.message for step in found.steps] == ["one"]
        assert found.is_cut is (ref in ("gone.json", "zero\0byte", "a/" * 5000))

    @pytest.mark.parametrize("totals", [{"total_cost_usd": 1.0}, {"total_prompt_tokens": 3}])
    def test_cost_of_subagents_counts_once(self, tmp_path: Path, totals: dict[str, float]) -> None:
        """Subagents in files count as part of the agent, whose stated cost includes theirs."""
        spent = {"metrics": {"cost_usd": 0.25, "completion_tokens": 4}}
        write(
            tmp_path / "trajectory.json",
            turn("main", observation=refers_to("sub/trajectory.json"), metrics={"cost_usd": 0.5}),
            final_metrics=totals,
        )
        below = turn("below", observation=refers_to("sub/trajectory.json"), **spent)
        below["observation"]["results"] += refers_to("deep/trajectory.json")["results"]
        write(tmp_path / "sub" / "trajectory.json", below)
        write(tmp_path / "sub" / "deep" / "trajectory.json", turn("deep", **spent))
        write(tmp_path / "other" / "trajectory.json", turn("other", **spent))
        found = [trajectory for _, trajectory in read_trajectories(tmp_path)]
        assert [each.steps[0].message for each in found] == ["main", "other"]
        sums = digest(*found)
        assert (sums.cost, sums.turns, sums.usage.output) == (1.25, 2, 12)

    def test_two_versions_of_a_subagent_count_once(self, tmp_path: Path) -> None:
        """The other version of a subagent, or of a continuation, is left out, too."""
        named = turn("main", observation=refers_to("sub/trajectory.json"))
        ref = "next/trajectory.json"
        write(tmp_path / "trajectory.json", named, continued_trajectory_ref=ref)
        for name in ("trajectory.json", "trajectory_atif.json"):
            write(tmp_path / "sub" / name, turn("sub"))
            write(tmp_path / "next" / name, turn("next"))
        write(tmp_path / "other" / "trajectory.json", turn("other"))
        found = [trajectory for _, trajectory in read_trajectories(tmp_path)]
        assert [each.steps[0].message for each in found] == ["main", "other"]

    def test_two_versions_in_a_folder_count_once(self, tmp_path: Path) -> None:
        """Of a trajectory that stands under both names in a folder, one is read."""
        write(tmp_path / "trajectory_atif.json", turn("same"))
        write(tmp_path / "trajectory.json", turn("same"))
        assert [path.name for path, _ in read_trajectories(tmp_path)] == ["trajectory.json"]
        (tmp_path / "trajectory.json").write_text("{}")
        assert [path.name for path, _ in read_trajectories(tmp_path)] == ["trajectory_atif.json"]
