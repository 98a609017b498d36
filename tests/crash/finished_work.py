"""What a run has on disk: what is finished, what came out, what is kept of earlier attempts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Not the same twice.
_MEASURED = {
    "generation.json": {"started_at", "ended_at", "duration", "attempts", "log_dir"},
    "eval.json": {"duration", "generation_hash"},
    "final_score.json": {"evals_hash"},
}
#: What makes it the same run; the rest says how it was run.
_IDENTITY = ("run_id", "model", "tasks", "task_hashes", "sampling", "options", "payload_schema")
#: The log of a run's events.
EVENTS = "events.jsonl"
_FINISHED = {"success", "max_time", "max_turns"}
_GRADED = {"evaluated", "did_not_complete"}

Files = dict[str, bytes]


@dataclass(frozen=True)
class FinishedWork:
    """The finished work on disk: files that nobody may have to make again.

    Attributes:
        generations: The generation of each task that has one that is not an error.
        evals: The eval of each task whose generation has a grade.
    """

    generations: Files
    evals: Files


def files_of(folder: Path) -> Files:
    """Every file below a folder, locks left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def check_nothing_is_torn(results: Path) -> None:
    for path in results.rglob("*.json"):
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
    for path in run.glob("*/eval.json"):
        if json.loads(path.read_bytes())["status"] != "evaluated":
            continue
        generations = [path.with_name("generation.json")]
        generations += path.parent.glob("attempts/*/generation.json")
        known = [json.loads(each.read_bytes())["artifact"]["sha256"] for each in generations]
        hashes = graded.get(path.parent.name, [])
        assert set(hashes) <= {*known}, f"{path.parent.name}: another file was graded"
        if hashes:
            assert hashes[-1] == known[0], f"{path.parent.name}: the grade is of an earlier file"


def finished_work_of(run: Path) -> FinishedWork:
    generations: Files = {}
    evals: Files = {}
    for path in run.glob("*/generation.json"):
        content, graded = path.read_bytes(), path.with_name("eval.json")
        if json.loads(content)["status"] not in _FINISHED:
            continue
        generations[path.parent.name] = content
        if graded.exists():
            grade = json.loads(graded.read_bytes())
            if grade["status"] in _GRADED and grade["generation_hash"] == _hash(content):
                evals[path.parent.name] = graded.read_bytes()
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


def check_grades_belong_to_generations(run: Path) -> None:
    for path in run.glob("*/eval.json"):
        graded = json.loads(path.read_bytes())["generation_hash"]
        assert graded == _hash(path.with_name("generation.json").read_bytes()), path.parent.name


def check_attempts_are_kept(before: Path, after: Path) -> None:
    """What each task had before is there as it was: in its place, or whole as one attempt."""
    for task in _folders(before):
        had, has = _attempts_at(task), _attempts_at(after / task.name)
        last, current = had.pop("current"), has["current"]
        in_place = last.items() <= current.items()
        assert in_place or last in has.values(), f"{task.name}: {[*last]} became {_names(has)}"
        assert had.items() <= has.items(), f"{task.name}: an earlier attempt changed"
    for task in _folders(after):
        attempts = _attempts_at(task)
        numbers = {name for name in attempts if name.isdigit()}
        assert numbers == {str(n + 1) for n in range(len(numbers))}, f"{task.name}: {numbers}"
        # Its folder may have been made for an attempt that then stayed where it was.
        on_its_way = [name for name, files in attempts.items() if name[0] == "." and files]
        assert not on_its_way, f"{task.name}: {on_its_way}"


def _attempts_at(task: Path) -> dict[str, Files]:
    """The files of each earlier attempt by its number, and those of the ``current`` one."""
    attempts: dict[str, Files] = {"current": {}}
    if (task / "attempts").exists():
        attempts |= {folder.name: {} for folder in (task / "attempts").iterdir()}
    for name, content in files_of(task).items():
        if name.startswith("attempts/"):
            _, number, rest = name.split("/", 2)
            attempts[number][rest] = content
        else:
            attempts["current"][name] = content
    return attempts


def _names(attempts: dict[str, Files]) -> dict[str, list[str]]:
    return {number: [*files] for number, files in attempts.items()}


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
