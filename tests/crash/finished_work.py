"""What a run has on disk: what is finished, what came out, what is kept of earlier attempts."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark_runner._run.trajectory_figures import count_interrupted
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.trajectory import TRAJECTORY_FILE
from tests.fakes import spend_on_disk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.crash.scenarios import Scenario

#: Not the same twice.
_MEASURED = {
    "generation.json": {"started_at", "ended_at", "duration", "attempts", "log_dir"},
    "eval.json": {"duration", "generation_hash"},
    "final_score.json": {"evals_hash"},
}
#: What makes it the same run; the rest says how it was run.
_IDENTITY = (
    *("run_id", "model", "tasks", "task_hashes", "repeats"),
    *("sampling", "options", "payload_schema"),
)
#: The log of a run's events.
EVENTS = "events.jsonl"
_FINISHED = {"success", "max_time", "max_turns"}
_GRADED = {"evaluated", "did_not_complete"}

Files = dict[str, bytes]


@dataclass(frozen=True)
class FinishedWork:
    """The finished work on disk: files that nobody may have to make again.

    Attributes:
        generations: The generation of each repeat of a task that has one that is no error, by
            the name of its folder.
        evals: The eval of each whose generation has a grade.
    """

    generations: Files
    evals: Files


def folders_of(run: Path) -> dict[str, Path]:
    """The folder of each repeat of each task, by its name as seen from that of the run."""
    found = [*run.glob("*/"), *run.glob("*/repeats/*/")]
    return {path.relative_to(run).as_posix(): path for path in found if path.is_dir()}


def files_of(folder: Path) -> Files:
    """Every file below a folder, locks left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def check_nothing_is_torn(results: Path) -> None:
    for path in results.rglob("*.json"):
        if path.name == TRAJECTORY_FILE:  # which is read as far as it goes
            continue
        try:
            json.loads(path.read_bytes())
        except ValueError:
            raise AssertionError(f"{path.relative_to(results)} is torn") from None


def check_files_are_kept(results: Path) -> None:
    """Each generation that names a file has it beside it, as it names it."""
    for path in results.rglob("generation.json"):
        artifact = json.loads(path.read_bytes()).get("artifact")
        if artifact is None or path.parent.name == ".moving":  # the file is yet to be moved
            continue
        file = path.parent / "submission" / artifact["filename"]
        where = file.relative_to(results)
        assert file.is_file(), f"{where} is missing"
        content = file.read_bytes()
        assert (artifact["size"], artifact["sha256"]) == (len(content), _hash(content)), where


def check_graded_files(run: Path, graded: Mapping[str, Sequence[str]]) -> None:
    """Each eval is of the file that the generation names; no unknown file was ever graded."""
    for name, folder in folders_of(run).items():
        path = folder / "eval.json"
        if not path.exists() or json.loads(path.read_bytes())["status"] != "evaluated":
            continue
        generations = [path.with_name("generation.json")]
        generations += folder.glob("attempts/*/generation.json")
        known = [json.loads(each.read_bytes())["artifact"]["sha256"] for each in generations]
        hashes = graded.get(name, [])
        assert set(hashes) <= {*known}, f"{name}: another file was graded"
        if hashes:
            assert hashes[-1] == known[0], f"{name}: the grade is of an earlier file"


def finished_work_of(run: Path) -> FinishedWork:
    generations: Files = {}
    evals: Files = {}
    for name, folder in folders_of(run).items():
        path, graded = folder / "generation.json", folder / "eval.json"
        if not path.exists():
            continue
        content = path.read_bytes()
        if json.loads(content)["status"] not in _FINISHED:
            continue
        generations[name] = content
        if graded.exists():
            grade = json.loads(graded.read_bytes())
            if grade["status"] in _GRADED and grade["generation_hash"] == _hash(content):
                evals[name] = graded.read_bytes()
    return FinishedWork(generations, evals)


def outcome_of(run: Path) -> dict[str, Any]:
    """Every file of a run that is no earlier attempt, with what is the same each time in it.

    The log of events is a help and no result: a disk that refuses it changes nothing else.
    """
    outcome: dict[str, Any] = {}
    for name, content in files_of(run).items():
        parts = name.split("/")
        if "attempts" in parts or name == EVENTS:
            continue
        outcome[name] = content
        if name == "run_config.json":
            config = json.loads(content)
            outcome[name] = {field: config[field] for field in _IDENTITY}
        elif "submission" in parts:  # the agent writes another file each time
            outcome[name] = content.split(b"\n")[0]
        elif parts[-1] in _MEASURED:
            fields = json.loads(content)
            fields.get("artifact", {}).pop("sha256", None)
            outcome[name] = {
                field: value for field, value in fields.items() if field not in _MEASURED[parts[-1]]
            }
    return outcome


def cost_of(results: Path, scenario: Scenario) -> float:
    """The cost of all attempts, as whoever reads the run counts it."""
    artifacts = RunArtifacts(results, "r1", read_only=True)
    count_interrupted(artifacts)
    return spend_on_disk(artifacts, [task["id"] for task in scenario.tasks]).dollars


def verdict_in(output: str) -> str | None:
    """The answer to the question of a run."""
    found = re.search(r"^Settled  after [^:]*: ([^,(\n]*)", output, re.MULTILINE)
    return found and found[1]


def check_grades_belong_to_generations(run: Path) -> None:
    for name, folder in folders_of(run).items():
        if (path := folder / "eval.json").exists():
            graded = json.loads(path.read_bytes())["generation_hash"]
            assert graded == _hash((folder / "generation.json").read_bytes()), name


def check_attempts_are_kept(before: Path, after: Path) -> None:
    """What each repeat had before is there as it was: in its place, or whole as one attempt."""
    for name, folder in folders_of(before).items():
        had, has = _attempts_at(folder), _attempts_at(after / name)
        last, current = had.pop("current"), has["current"]
        in_place = last.items() <= current.items()
        assert in_place or last in has.values(), f"{name}: {[*last]} became {_names(has)}"
        assert had.items() <= has.items(), f"{name}: an earlier attempt changed"
    for name, folder in folders_of(after).items():
        attempts = _attempts_at(folder)
        numbers = {number for number in attempts if number.isdigit()}
        assert numbers == {str(n + 1) for n in range(len(numbers))}, f"{name}: {numbers}"
        # Its folder may have been made for an attempt that then stayed where it was.
        on_its_way = [each for each, files in attempts.items() if each[0] == "." and files]
        assert not on_its_way, f"{name}: {on_its_way}"


def _attempts_at(folder: Path) -> dict[str, Files]:
    """The files of each earlier attempt by its number, and those of the ``current`` one."""
    attempts: dict[str, Files] = {"current": {}}
    if (folder / "attempts").exists():
        attempts |= {attempt.name: {} for attempt in (folder / "attempts").iterdir()}
    for name, content in files_of(folder).items():
        if name.startswith("attempts/"):
            _, number, rest = name.split("/", 2)
            attempts[number][rest] = content
        elif not name.startswith("repeats/"):
            attempts["current"][name] = content
    return attempts


def _names(attempts: dict[str, Files]) -> dict[str, list[str]]:
    return {number: [*files] for number, files in attempts.items()}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
