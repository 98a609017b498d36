"""A run as a folder of trajectories: each valid, with its grade, and nothing lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import atif
import pytest

from benchmark_runner._redaction import Redactor
from benchmark_runner._stats.reduction import Reduction
from benchmark_runner.errors import UsageError
from benchmark_runner.results.export.atif import media
from benchmark_runner.results.export.atif.folder import write_trajectories
from benchmark_runner.results.run_view import open_view
from tests.fakes import FakeRunner
from tests.files import contents
from tests.unit.results.export.outcomes import KEY, add, every_outcome, logs
from tests.unit.results.report.agents import IMAGE, call, put, result, step, trajectory, usual
from tests.unit.results.report.runs import MadeRun

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.results.run_view import RunView


@pytest.fixture
def run(tmp_path: Path) -> MadeRun:
    """A run of one task, which is right."""
    made = MadeRun(tmp_path / "results")
    made.graded("t1", 1.0)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def exported(run: MadeRun, folder: Path, task_id: str = "t1") -> dict[str, Any]:
    """Return the trajectory of a task after an export, which must be valid."""
    write_trajectories(run.save(), folder)
    return read(folder, task_id)


def read(folder: Path, place: str) -> dict[str, Any]:
    data = (folder / "trajectories" / f"{place}.json").read_bytes()
    atif.Trajectory.model_validate_json(data)
    return json.loads(data)


def facts(found: dict[str, Any]) -> dict[str, Any]:
    return found["extra"]["benchmark_runner"]


def index(folder: Path) -> dict[str, dict[str, Any]]:
    lines = (folder / "index.jsonl").read_text().splitlines()
    return {row["path"].removeprefix("trajectories/"): row for row in map(json.loads, lines)}


def paths(found: dict[str, Any], number: int) -> list[str]:
    """Return the paths of the images in a step, and the texts of its other parts."""
    parts = found["steps"][number - 1]["message"]
    return [part["source"]["path"] if "source" in part else part["text"] for part in parts]


class TestEveryOutcome:
    @pytest.fixture
    def view(self, tmp_path: Path) -> RunView:
        return every_outcome(tmp_path / "results")

    def test_each_attempt_has_a_valid_file(self, view: RunView, folder: Path) -> None:
        """Each attempt at each repeat has a file, valid by the format, and a line of the index."""
        count = write_trajectories(view, folder)
        found = [*(folder / "trajectories").rglob("*.json")]
        for path in found:
            atif.Trajectory.model_validate_json(path.read_bytes())
        names = {path.relative_to(folder / "trajectories").as_posix() for path in found}
        assert names == {
            "right.json", "repeats/2/right.json", "wrong.json", "slow.json", "chatty.json",
            "broken.json", "attempts/1/broken.json", "unfair.json", "ungraded.json",
            "killed.json", "odd id.json.json",
        }  # fmt: skip
        assert index(folder).keys() == names
        assert count == len(names)

    def test_grade_and_cost_are_in_the_metadata(self, view: RunView, folder: Path) -> None:
        """The grade, the cost and the origin of an attempt are in its file and in the index."""
        write_trajectories(view, folder)
        expected = {
            "run_id": "r1", "benchmark": "my-bench", "task_id": "right", "repeat": 1, "attempt": 1,
            "is_current": True, "state": "scored", "score": 1.0, "generation_status": "success",
            "cost": 0.25, "input_tokens": 100, "total_turns": 3, "model": "m",
            "evaluator_version": "e1", "dataset_name": "validation", "recorded": True,
            "file": "right/agent_logs/trajectory.json",
        }  # fmt: skip
        own = facts(read(folder, "right"))
        assert own.items() >= expected.items()
        assert (own["answer"], own["result"]) == ("It is right.", 1.0)
        assert index(folder)["right.json"].items() >= expected.items()
        again = facts(read(folder, "repeats/2/right"))
        assert (again["repeat"], again["score"]) == (2, 0.0)

    def test_failures_are_told(self, view: RunView, folder: Path) -> None:
        """Limits, errors and kills have a state, and earlier attempts their own errors."""
        write_trajectories(view, folder)
        rows = index(folder)
        states = {name: row.get("state") for name, row in rows.items()}
        assert states["slow.json"] == "timed out"
        assert states["chatty.json"] == "out of turns"
        assert states["unfair.json"] == "failed in grading"
        assert states["killed.json"] == "not generated yet"
        assert rows["broken.json"]["error"] == "ValueError: no luck again"
        earlier = rows["attempts/1/broken.json"]
        assert (earlier["error"], earlier["is_current"]) == ("ValueError: no luck", False)
        assert "score" not in earlier
        assert rows["killed.json"]["error"].startswith("Interrupted")

    def test_task_without_one_gets_question_and_answer(self, view: RunView, folder: Path) -> None:
        """A task whose agent recorded nothing has its question and its answer as steps."""
        write_trajectories(view, folder)
        found = read(folder, "ungraded")
        assert [(step["source"], step["message"]) for step in found["steps"]] == [
            ("user", "What is ungraded?"),
            ("agent", "It is ungraded."),
        ]
        assert "no trajectory" in found["notes"]
        assert not facts(found)["recorded"]
        failed = read(folder, "unfair")
        assert facts(failed)["error"] == "KeyError: 'rubric'"

    def test_subagents_are_parts(self, view: RunView, folder: Path) -> None:
        """Subagents in files of their own are parts, and no reference leads to a file."""
        write_trajectories(view, folder)
        found = read(folder, "wrong")
        below = {each["trajectory_id"] for each in found["subagent_trajectories"]}
        refs = found["steps"][1]["observation"]["results"][0]["subagent_trajectory_ref"]
        assert {ref["trajectory_id"] for ref in refs} == below
        assert refs[1]["extra"] == {"trajectory_path": "helpers/trajectory.json"}
        assert not any("trajectory_path" in ref for ref in refs)

    def test_run_is_described(self, view: RunView, folder: Path) -> None:
        """The file ``run.json`` has the settings and the score of the run."""
        write_trajectories(view, folder)
        about = json.loads((folder / "run.json").read_bytes())
        assert about["run_id"] == "r1"
        assert about["trajectories"] == 11
        assert about["counts"]["error"] == 2
        assert about["complete"] is False

    def test_score_is_reduced_as_asked_for(self, run: MadeRun, folder: Path) -> None:
        """The mean of the run is that of the reduction by which its tasks are scored."""
        run.repeat(2).graded("t1", 0.0)
        write_trajectories(run.save(), folder, Reduction.parse("max"))
        about = json.loads((folder / "run.json").read_bytes())
        assert (about["reduce"], about["mean"]) == ("max", facts(read(folder, "t1"))["task_score"])

    def test_second_export_is_the_same(self, view: RunView, folder: Path) -> None:
        """An export of the same run replaces the folder by the same content."""
        write_trajectories(view, folder)
        before = contents(folder)
        (folder / "trajectories" / "gone.txt").write_text("of an earlier version")
        write_trajectories(view, folder)
        assert contents(folder) == before


class TestWhatAgentsWrite:
    def test_older_and_sloppy_is_valid_and_whole(self, run: MadeRun, folder: Path) -> None:
        """Values that have no place in the format are kept in ``extra``."""
        odd = {
            **step(7, "robot", None),
            "metrics": {"prompt_tokens": 3},
            "colour": "red",
            "timestamp": "yesterday",
            "tool_calls": [{"id": "b", "function_name": "f", "arguments": "no JSON"}],
            "observation": {"results": [{"source_call_id": "z", "content": 5, "error": "e"}]},
        }
        parts = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]
        add(run, "t1", {**trajectory(odd, step(1, message=parts)), "shape": [1]})

        found = exported(run, folder)

        kept = found["steps"][0]["extra"]["not_in_format"]
        assert (kept["source"], kept["colour"], kept["timestamp"]) == ("robot", "red", "yesterday")
        assert kept["metrics"] == {"prompt_tokens": 3}
        assert kept["tool_calls.0.arguments"] == "no JSON"
        assert kept["observation.results.0.content"] == 5
        assert kept["observation.results.0.error"] == "e"
        assert found["steps"][1]["message"] == [{"type": "text", "text": "hi"}]
        assert "message.0.cache_control" in found["steps"][1]["extra"]["not_in_format"]
        assert found["extra"]["not_in_format"] == {"shape": [1]}

    def test_arguments_as_text_are_read(self, run: MadeRun, folder: Path) -> None:
        """Arguments as the JSON text in which models send them are read."""
        sent = {**call("c", "f"), "arguments": '{"x": 1}'}
        add(run, "t1", trajectory(step(1, tool_calls=[sent])))
        assert exported(run, folder)["steps"][0]["tool_calls"][0]["arguments"] == {"x": 1}

    def test_token_ids_and_logprobs_stay(self, run: MadeRun, folder: Path) -> None:
        """The ids and probabilities of tokens, which training needs, stay where they are."""
        metrics = {
            "prompt_token_ids": [1, 2],
            "completion_token_ids": [3],
            "logprobs": [-0.5],
            "cost_usd": 0.1,
        }
        add(run, "t1", trajectory(step(1, message="a", metrics=metrics)))
        assert exported(run, folder)["steps"][0]["metrics"] == metrics

    def test_continuation_is_joined(self, run: MadeRun, folder: Path) -> None:
        """A trajectory and what continues it are one."""
        more = trajectory(step(1, message="before", is_copied_context=True), step(2, message="b"))
        put(logs(run, "t1"), more, "more.json")
        add(run, "t1", trajectory(step(1, message="a"), continued_trajectory_ref="more.json"))
        found = exported(run, folder)
        assert [each["message"] for each in found["steps"]] == ["a", "b"]
        assert "continued_trajectory_ref" not in found

    def test_several_are_each_written(self, run: MadeRun, folder: Path) -> None:
        """Of an agent that wrote several, each is written, and says which part it is."""
        add(run, "t1", trajectory(step(1, message="a")))
        put(logs(run, "t1") / "2", trajectory(step(1, message="b")))
        assert facts(exported(run, folder))["parts"] == 2
        other = read(folder, "parts/2/t1")
        assert (other["steps"][0]["message"], facts(other)["part"]) == ("b", 2)

    @pytest.mark.parametrize("text", ["", "{no json", '{"schema_version": "ATIF-v1.8"}'])
    def test_what_tells_nothing_is_made_up_for(self, run: MadeRun, folder: Path, text: str) -> None:
        """A file without a step is replaced by question and answer."""
        logs(run, "t1").joinpath("trajectory.json").write_text(text)
        assert [each["source"] for each in exported(run, folder)["steps"]] == ["user", "agent"]

    def test_own_extra_stays(self, run: MadeRun, folder: Path) -> None:
        """The agent's own metadata stay, also those of an export that was imported."""
        extra = {"mine": 1, "benchmark_runner": {"run_id": "r0"}}
        add(run, "t1", trajectory(step(1), extra=extra))
        found = exported(run, folder)
        assert found["extra"]["mine"] == 1
        assert facts(found)["before"] == {"run_id": "r0"}


class TestMedia:
    def test_image_is_copied(self, run: MadeRun, folder: Path) -> None:
        """An image beside the trajectory is copied, and its path leads to the copy."""
        add(run, "t1", usual())
        shots = logs(run, "t1") / "shots"
        shots.mkdir()
        (shots / "1.png").write_bytes(b"\x89PNG")
        (path,) = paths(exported(run, folder), 2)[1:]
        assert (folder / "trajectories" / path).read_bytes() == b"\x89PNG"

    def test_absolute_path_of_the_time_is_found(self, run: MadeRun, folder: Path) -> None:
        """A path in the folder of logs, as that was called then, is found."""
        run.graded("t1", 1.0, log_dir="/app/results/r1/t1/agent_logs")
        run.tasks.pop()
        image = {"media_type": "image/png", "path": "/app/results/r1/t1/agent_logs/a.png"}
        add(run, "t1", trajectory(step(1, message=[{"type": "image", "source": image}])))
        (logs(run, "t1") / "a.png").write_bytes(b"\x89PNG")
        assert paths(exported(run, folder), 1) == ["t1.media/a.png"]

    @pytest.mark.parametrize(
        "path", ["none.png", "../../r1/run_config.json", "/etc/hostname", "l.png", "d/a.png"]
    )
    def test_what_is_elsewhere_is_named(self, run: MadeRun, folder: Path, path: str) -> None:
        """A file that is missing, outside the logs or behind a link is named, and not copied."""
        part = {"type": "image", "source": {"media_type": "image/png", "path": path}}
        add(run, "t1", trajectory(step(1, message=[part])))
        outside = run.results / "outside"
        outside.mkdir()
        (outside / "a.png").write_bytes(b"\x89PNG")
        (logs(run, "t1") / "l.png").symlink_to(outside / "a.png")
        (logs(run, "t1") / "d").symlink_to(outside)
        assert paths(exported(run, folder), 1) == [f"[image: {path}]"]
        assert not (folder / "trajectories" / "t1.media").exists()

    def test_large_file_is_named(
        self, run: MadeRun, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file beyond the limit is named, and not copied."""
        monkeypatch.setattr(media, "_MOST_BYTES", 3)
        add(run, "t1", trajectory(step(1, message=[{"type": "image", "source": IMAGE["source"]}])))
        (logs(run, "t1") / "shots").mkdir()
        (logs(run, "t1") / "shots" / "1.png").write_bytes(b"\x89PNG")
        assert paths(exported(run, folder), 1) == ["[image: shots/1.png]"]

    def test_url_stays(self, run: MadeRun, folder: Path) -> None:
        """A URL stays as it is."""
        source = {"media_type": "image/png", "path": "https://example.com/a.png"}
        add(run, "t1", trajectory(step(1, message=[{"type": "image", "source": source}])))
        assert paths(exported(run, folder), 1) == ["https://example.com/a.png"]


class TestKeys:
    def test_key_is_in_no_byte(self, run: MadeRun, folder: Path) -> None:
        """A key of the runner is masked in texts, and a picture that holds one is not copied."""
        said = step(
            1,
            message=[{"type": "text", "text": f"my key is {KEY}"}, IMAGE],
            tool_calls=[call("c", "f", header=f"Bearer {KEY}")],
            observation={"results": [result("c", json.dumps({"key": KEY}))]},
        )
        add(run, "t1", trajectory(said, notes=KEY))
        (logs(run, "t1") / "shots").mkdir()
        (logs(run, "t1") / "shots" / "1.png").write_bytes(b"\x89PNG\0\xff" + KEY.encode())
        run.save()
        view = open_view(run.results, "r1", FakeRunner(), Redactor([KEY]))

        write_trajectories(view, folder)

        assert KEY.encode() not in b"".join(contents(folder).values())
        assert "my key is ***" in json.dumps(read(folder, "t1"))
        assert paths(read(folder, "t1"), 1)[1] == "[image: shots/1.png]"


class TestFolder:
    def test_other_files_are_refused(self, run: MadeRun, folder: Path) -> None:
        """A folder with other files is refused, and stays as it is."""
        folder.mkdir()
        (folder / "thesis.txt").write_text("mine")
        with pytest.raises(UsageError, match="is not empty"):
            write_trajectories(run.save(), folder)
        assert {path.name for path in folder.iterdir()} == {"thesis.txt"}

    def test_another_run_is_refused(self, run: MadeRun, folder: Path) -> None:
        """The export of another run is refused."""
        write_trajectories(run.save(), folder)
        other = MadeRun(run.results, "r2")
        other.graded("t1", 0.0)
        with pytest.raises(UsageError, match="an export of run 'r1'"):
            write_trajectories(other.save(), folder)
        assert facts(read(folder, "t1"))["run_id"] == "r1"

    def test_another_benchmark_is_refused(self, run: MadeRun, folder: Path) -> None:
        """The export of a run of the same name of another benchmark is refused."""
        write_trajectories(run.save(), folder)
        runner = type("Other", (FakeRunner,), {"NAME": "other-bench"})("https://grader.example")
        with pytest.raises(UsageError, match="an export of run 'r1'"):
            write_trajectories(open_view(run.results, "r1", runner), folder)

    @pytest.mark.parametrize("place", ["none/out", "file"])
    def test_impossible_place_is_refused(self, run: MadeRun, tmp_path: Path, place: str) -> None:
        """A place in no folder, and a file, are refused."""
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match="--output"):
            write_trajectories(run.save(), tmp_path / place)

    def test_failed_export_leaves_what_was(
        self, run: MadeRun, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An export that fails leaves the earlier one, and no folder where there was none."""
        view = run.save()
        write_trajectories(view, folder)
        before = contents(folder)

        def fail(_: object) -> float:
            return 1 / 0

        monkeypatch.setattr(view.runner, "task_score", fail)
        for place in (folder, folder.with_name("new")):
            with pytest.raises(Exception, match="division"):
                write_trajectories(view, place)
        assert contents(folder) == before
        assert not folder.with_name("new").exists()

    @pytest.mark.parametrize("moved", [(), ("run.json",), ("run.json", "trajectories")])
    def test_killed_export_is_replaced(
        self, run: MadeRun, folder: Path, moved: tuple[str, ...]
    ) -> None:
        """The rest of a killed export is replaced by the next one, wherever it was killed."""
        view = run.save()
        write_trajectories(view, folder)
        before = contents(folder)
        for name in (".export-new", ".export-old"):
            (folder / name).mkdir()
        for name in moved:
            (folder / name).rename(folder / ".export-old" / name)
        write_trajectories(view, folder)
        assert contents(folder) == before
