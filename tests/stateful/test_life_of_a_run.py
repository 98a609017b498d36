"""Whatever happens to a run, in whatever order: what was paid for is kept, and a score is true."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from benchmark_runner._run.identity import task_hash
from benchmark_runner.errors import (
    ArtifactError,
    AuthenticationError,
    RunIdentityError,
    RunPausedError,
    ServiceUnavailableError,
    UsageError,
)
from benchmark_runner.schemas import Task
from tests.stateful.scripted_world import (
    COST,
    MODEL,
    Died,
    Disturbance,
    Script,
    World,
    number_of,
    summed_up,
    worth,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark_runner._run.workflow import Command
    from tests.stateful.scripted_world import Ended

IDS = [f"t{number}" for number in range(6)]
FEWEST_TASKS = 2
OUT_OF_TIME = ("max_time", "max_turns")
STATUSES = {
    "answers": "success",
    "raises": "error",
    "stalls": "max_time",
    "runs out of turns": "max_turns",
}
#: Where a generation has its answer.
ANSWER = rb'("(?:answer|data)": "answer no\. )\d+'
#: What the agent is paid for.
PAID = ("answers", "runs out of turns")
#: The flags that say how to work; the others say what is wanted.
FOR_WORK = (
    "parallelism",
    "skip_eval",
    "regrade",
    "force",
    "retry_timeouts",
    "max_cost",
    "max_errors",
)

# What is likely comes first, and often: a command that achieves nothing teaches nothing.
agents = st.lists(
    st.sampled_from(["answers", "answers", "answers", "raises", "stalls", "runs out of turns"]),
    min_size=len(IDS),
    max_size=len(IDS),
)
graders = st.lists(
    st.sampled_from(["grades", "grades", "grades", "is in trouble", "rejects", "fails"]),
    min_size=len(IDS),
    max_size=len(IDS),
)
disturbances = st.builds(
    Disturbance,
    kind=st.sampled_from(
        ["kill before", "kill within", "kill after", "cancel", "cancel at event", "refuse"]
    ),
    at=st.integers(1, 8) | st.integers(1, 30),
)
delays = st.lists(st.integers(0, 4), min_size=1, max_size=6)
calm = st.builds(Script, agent=agents, grader=graders, delays=delays)
disturbed = st.builds(Script, agent=agents, grader=graders, delays=delays, disturbance=disturbances)
hostile = st.builds(
    Script,
    agent=agents,
    grader=graders,
    delays=delays,
    door=st.sampled_from(["open", "open", "locked", "down"]),
    refuses_after=st.none() | st.integers(0, 4),
    renamed_after=st.none() | st.integers(1, 4),
    scores=st.booleans(),
)
scripts = st.builds(Script) | calm | disturbed | disturbed | hostile
runs = st.sampled_from(["r1", "r1", "r1", "r2"])
some_ids = st.lists(st.sampled_from(IDS), max_size=3, unique=True)

# What may happen between two commands, each with a number that says to which task.
Happenings = Sequence[tuple[str, int]]
CHANGES = (
    "tasks edited",
    "tasks edited",
    "tasks removed",
    "tasks added",
    "tasks restored",
    "code",
)
DAMAGE = (
    "tear generation.json",
    "empty generation.json",
    "edit generation.json",
    "tear eval.json",
    "empty eval.json",
    "tear final_score.json",
    "empty final_score.json",
)


def happenings(*what: str, least: int = 0) -> st.SearchStrategy[Happenings]:
    one = st.tuples(st.sampled_from(what), st.integers(0, len(IDS) - 1))
    return st.lists(one, min_size=least, max_size=2)


changes = happenings(*CHANGES, least=1)
damage = happenings("grader", *DAMAGE)
anything = happenings("grader", *CHANGES, *DAMAGE)

Flags = dict[str, Any]
ANOTHER_RUN: list[Flags] = [{"model": "another"}, {"sampling": {"temperature": 1.0}}]
mostly = st.sampled_from([True, True, False])
known_flags: dict[str, st.SearchStrategy[Any]] = {
    "parallelism": st.integers(1, 3),
    "task_ids": some_ids,
    "skip_eval": st.booleans(),
    "rerun": some_ids,
    "retry_timeouts": st.booleans(),
    "accept_changed_tasks": mostly,
    "accept_code_change": mostly,
    "max_cost": st.integers(0, 8).map(lambda number: number * COST),
    "max_errors": st.integers(1, 3),
    "regrade": st.booleans(),
    "force": st.booleans(),
}


def flags(*names: str) -> st.SearchStrategy[Flags]:
    return st.fixed_dictionaries({name: known_flags[name] for name in names})


def perhaps(*names: str) -> st.SearchStrategy[Flags]:
    return st.fixed_dictionaries({}, optional={name: known_flags[name] for name in names})


of_a_part = flags("task_ids", "skip_eval")
on_purpose = flags("rerun", "retry_timeouts", "parallelism")
caps = flags("parallelism", "max_cost", "rerun") | flags("parallelism", "max_errors")
accepting = flags("accept_changed_tasks", "accept_code_change", "task_ids", "skip_eval")
mixed = perhaps(*[name for name in known_flags if name not in ("regrade", "force")])


class Folder:
    """A run on disk as it is now, read without the code under test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = contents(path)
        self.config = self.read("run_config.json")
        self.score = self.read("final_score.json")
        self.tasks: list[str] = self.config["tasks"] if self.config else []

    def read(self, name: str) -> dict[str, Any] | None:
        """A file's content, if it is there and whole."""
        try:
            return json.loads(self.files.get(self.path / name) or b"")
        except ValueError:
            return None

    def generation(self, task_id: str) -> dict[str, Any] | None:
        return self.read(f"{task_id}/generation.json")

    def generated(self, task_id: str) -> str | None:
        """How a task's generation ended."""
        generation = self.generation(task_id)
        return generation["status"] if generation else None

    def grade(self, task_id: str) -> dict[str, Any] | None:
        """The eval of a task, if it counts."""
        result = self.read(f"{task_id}/eval.json")
        graded = self.files.get(self.path / task_id / "generation.json")
        if result is None or graded is None:
            return None
        counts = result["status"] in ("evaluated", "did_not_complete")
        same = result["generation_hash"] == hashlib.sha256(graded).hexdigest()
        return result if counts and same else None

    def is_done(self, task_id: str, *, graded: bool = True) -> bool:
        if self.generated(task_id) in (None, "error"):
            return False
        return not graded or self.grade(task_id) is not None

    def graders(self, task_ids: Iterable[str]) -> set[tuple[str, str | None]]:
        """Who made the grades of these tasks, by what is recorded."""
        grades = [grade for task_id in task_ids if (grade := self.grade(task_id))]
        return {
            (grade["service_version"], grade["evaluator_version"])
            for grade in grades
            if grade["status"] == "evaluated"
        }

    def attempts(self, task_id: str) -> list[int]:
        """The numbers of earlier attempts."""
        kept = self.path / task_id / "attempts"
        names = {path.name for path in self.files if path.parent == kept}
        return sorted(int(name) for name in names if name.isdecimal())

    def has_present_attempt(self, task_id: str) -> bool:
        parts = ("generation.json", "agent_logs", "attempts/.moving")
        return any(self.path / task_id / part in self.files for part in parts)

    def cost(self, tasks: Sequence[str]) -> float:
        """What is recorded of these tasks."""
        recorded = [
            self.read(str(path.relative_to(self.path))) or {}
            for path in self.files
            if path.name == "generation.json" and path.relative_to(self.path).parts[0] in tasks
        ]
        return math.fsum(generation.get("cost") or 0.0 for generation in recorded)

    def evals_hash(self) -> str:
        digest = hashlib.sha256()
        for task_id in self.tasks:
            result = self.files.get(self.path / task_id / "eval.json")
            digest.update(task_id.encode() + (b"-" if result is None else result))
        return digest.hexdigest()

    def has_standing_score(self) -> bool:
        """Whether there is a complete score, of what is there."""
        score = self.score
        return bool(score and score["complete"] and score["evals_hash"] == self.evals_hash())

    def temporary_files(self) -> Counter[str]:
        """By name: what a kill left in a log folder moves with it."""
        return Counter(path.name for path in self.files if path.suffix == ".tmp")


def contents(folder: Path) -> dict[Path, bytes | None]:
    """All files and folders but locks, which only tell who has been there."""
    paths = [path for path in folder.rglob("*") if not path.name.endswith("lock")]
    return {path: None if path.is_dir() else path.read_bytes() for path in paths}


class LifeOfARun(RuleBasedStateMachine):
    """Commands, in any order, on two runs of one dataset, and what happens between them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        self.sound = True
        # What others have written: the names of files with what is in them, and texts lost by it.
        self.meddled: set[tuple[str, bytes | None]] = set()
        self.lost: set[str] = set()
        # Runs whose score can't be true, because others have written into them.
        self.stale: set[str] = set()
        # Attempts that were begun and never came to a call, by run and task.
        self.idle_attempts: dict[tuple[str, str], int] = {}
        self.questions: dict[str, str] = {}
        self.question_of: dict[tuple[str, str], str] = {}
        self.code = 1

    @initialize(
        count=st.integers(3, 5),
        limit=st.none() | st.integers(2, 3),
        api=st.sampled_from(["legacy", "v1"]),
        script=scripts,
        rest=calm,
    )
    def begin(self, count: int, limit: int | None, api: str, script: Script, rest: Script) -> None:
        self.world = World(self.folder, api)
        self.world.set_generation_version("1")
        self.edit({task_id: f"question {task_id}" for task_id in IDS[:count]})
        self.carry_out("r1", "run", script, {"limit": limit})
        self.carry_out("r1", "run", rest, {})

    def teardown(self) -> None:
        try:
            if self.sound and hasattr(self, "world"):
                self.finish()
        finally:
            if hasattr(self, "world"):
                self.world.close()
            shutil.rmtree(self.folder)

    @rule(run_id=runs, first=anything, flags=flags("parallelism") | mixed, script=scripts)
    def run(self, run_id: str, first: Happenings, flags: Flags, script: Script) -> None:
        self.carry_out(run_id, "run", script, flags, first)

    @rule(run_id=runs, first=damage, flags=of_a_part, script=scripts)
    def run_a_part(self, run_id: str, first: Happenings, flags: Flags, script: Script) -> None:
        self.carry_out(run_id, "run", script, flags, first)

    @rule(run_id=runs, first=damage, flags=on_purpose, script=scripts)
    def redo_on_purpose(self, run_id: str, first: Happenings, flags: Flags, script: Script) -> None:
        self.carry_out(run_id, "run", script, flags, first)

    @rule(run_id=runs, first=damage, flags=caps, script=scripts)
    def run_with_caps(self, run_id: str, first: Happenings, flags: Flags, script: Script) -> None:
        self.carry_out(run_id, "run", script, flags, first)

    @rule(run_id=runs, first=changes, flags=accepting, script=scripts)
    def accept_changes(self, run_id: str, first: Happenings, flags: Flags, script: Script) -> None:
        self.carry_out(run_id, "run", script, flags, first)

    @rule(run_id=runs, flags=st.sampled_from(ANOTHER_RUN), script=scripts)
    def run_as_another(self, run_id: str, flags: Flags, script: Script) -> None:
        self.carry_out(run_id, "run", script, flags)

    @rule(run_id=runs, first=anything, flags=flags("regrade"), script=scripts)
    def evaluate(self, run_id: str, first: Happenings, flags: Flags, script: Script) -> None:
        self.carry_out(run_id, "evaluate", script, flags, first)

    @rule(run_id=runs, first=anything, flags=flags("force"), script=scripts)
    def score(self, run_id: str, first: Happenings, flags: Flags, script: Script) -> None:
        self.carry_out(run_id, "score", script, flags, first)

    # What happens in between.

    def happen(self, run_id: str, happenings: Happenings) -> None:
        for what, number in happenings:
            match what.split():
                case ["tasks", how]:
                    self.edit(self.other_questions(how, number))
                case ["code"]:
                    self.code += 1
                    self.world.set_generation_version(str(self.code))
                case ["grader"]:
                    self.world.grader_version += 1
                case [how, name]:
                    self.meddle(run_id, how, name, IDS[number])
                case _:
                    pass

    def other_questions(self, how: str, number: int) -> dict[str, str]:
        questions = {**self.questions}
        task_id = [*questions][number % len(questions)]
        match how:
            case "edited":
                questions[task_id] += "!"
            case "removed" if len(questions) > FEWEST_TASKS:
                del questions[task_id]
            case "added":  # it may have been there before, and then perhaps another one
                missing = [task_id for task_id in IDS if task_id not in questions][:1]
                mark = "?" * (number % 2)
                questions |= {task_id: f"question {task_id}{mark}" for task_id in missing}
            case "restored":
                config = Folder(self.world.results / "r1").config
                hashes = config["task_hashes"] if config else {}
                questions = {key[0]: self.question_of[key] for key in hashes.items()} or questions
            case _:
                pass
        return questions

    def meddle(self, run_id: str, how: str, name: str, task_id: str) -> None:
        run = self.world.results / run_id
        path = run / name if name == "final_score.json" else run / task_id / name
        if not path.exists():
            return
        gone = whole = path.read_bytes()
        match how:
            case "tear":
                left = whole[: len(whole) // 2]
            case "empty":
                left = b""
            case _:  # a generation gets another answer, and with it its grade has no meaning
                left = re.sub(ANSWER, rb"\g<1>1%d" % number_of(task_id), whole)
                grade = path.with_name("eval.json")
                gone += grade.read_bytes() if grade.exists() else b""
        reported = self.world.reported.get((run_id, task_id), [])
        self.lost |= {text for text in reported if text.encode() in gone}
        path.write_bytes(left)
        self.meddled.add((name, left))
        self.stale.add(run_id)

    def edit(self, questions: dict[str, str]) -> None:
        self.questions = questions
        self.world.write_dataset(questions)
        for task_id, question in questions.items():
            self.question_of[task_id, hash_of(task_id, question)] = question

    # What must hold.

    def carry_out(
        self,
        run_id: str,
        command: Command,
        script: Script,
        flags: Flags,
        first: Happenings = (),
    ) -> None:
        """Carry out a command and check what it did against what the run was before."""
        self.happen(run_id, first)
        self.sound = False
        asked = Asked(self, run_id, command, script, flags)
        path = asked.before.path
        files = contents(self.world.results)
        temporary = asked.before.temporary_files()
        ended = self.world.command(
            run_id, command, script, request=asked.request, settings=asked.settings
        )
        self.note_idle_attempts(run_id, asked, ended)
        changed = {
            changed for changed, _ in {*files.items()} ^ {*contents(self.world.results).items()}
        }
        assert all(changed_path.is_relative_to(path) for changed_path in changed)
        asked.check(ended, changed)
        if not ended.disturbed and ended.error is None:
            assert ended.code or Folder(path).temporary_files() <= temporary
            if not asked.skips:
                self.stale.discard(run_id)
        self.check(run_id, asked)
        self.sound = True

    def note_idle_attempts(self, run_id: str, asked: Asked, ended: Ended) -> None:
        if ended.disturbed:
            for task_id in asked.to_generate:
                key = (run_id, task_id)
                if task_id not in ended.generated:
                    self.idle_attempts[key] = self.idle_attempts.get(key, 0) + 1

    def check(self, run_id: str, asked: Asked) -> None:
        """Check what holds at any time."""
        assert {path.name for path in self.folder.iterdir()} <= {"tasks.json", "results"}
        run = Folder(self.world.results / run_id)
        for path, content in run.files.items():
            if path.suffix == ".json" and (path.name, content) not in self.meddled:
                json.loads(content or b"")
        self.check_config(run, asked)
        for task_id in IDS:
            self.check_task(run, run_id, task_id)
        if run_id not in self.stale:
            self.check_score(run)

    def check_config(self, run: Folder, asked: Asked) -> None:
        before, now = asked.before.config, run.config
        if now is None:
            assert before is None
            return
        assert now["run_id"] == run.path.name
        assert (now["model"], now["sampling"]) == (MODEL, {"temperature": 0.5})
        if before is not None:
            free = {"history", "operational", "service_url", "service_version", "runner_dirty"}
            free |= {"tasks", "task_hashes", "dataset_size"} if asked.accepts("tasks") else set()
            free |= {"generation_version"} if asked.accepts("code") else set()
            changed = {name for name in now if now[name] != before[name]}
            assert changed <= free
        earlier = len(before["history"]) if before else 0
        assert earlier <= len(now["history"]) <= earlier + 1
        if before is None or now["tasks"] != before["tasks"]:
            assert now["tasks"] == [*asked.questions]
        assert {*now["task_hashes"]} == {*now["tasks"]}

    def check_task(self, run: Folder, run_id: str, task_id: str) -> None:
        key = (run_id, task_id)
        attempts = run.attempts(task_id)
        assert attempts == [*range(1, len(attempts) + 1)]
        there = len(attempts) + run.has_present_attempt(task_id)
        calls = self.world.calls[key]
        assert calls <= there <= calls + self.idle_attempts.get(key, 0)
        for number in attempts:
            earlier = run.read(f"{task_id}/attempts/{number}/generation.json")
            assert earlier is None or earlier["attempts"] == number
        task = run.path / task_id
        for text in {*self.world.reported.get(key, [])} - self.lost:
            # A grade tells its answer, too.
            kind = text.startswith("answer")
            assert any(
                text.encode() in content
                for path, content in run.files.items()
                if content and task in path.parents and (path.name == "generation.json") is kind
            )
        generation = run.generation(task_id)
        if generation is None or run.config is None or task_id not in run.tasks:
            return
        assert task / "agent_logs" in run.files
        question = self.question_of[task_id, run.config["task_hashes"][task_id]]
        assert generation["question"] == question
        grade = run.grade(task_id)
        if grade is not None and grade["status"] == "evaluated":
            assert grade["result"]["of"] == generation["data"]
            assert grade["result"]["pass_percentage"] == worth(generation["data"])
        elif grade is not None:
            assert generation["status"] in OUT_OF_TIME

    def check_score(self, run: Folder) -> None:
        score = run.score
        if score is None or not score["complete"]:
            return
        assert score["evals_hash"] == run.evals_hash()
        grades = {task_id: run.grade(task_id) for task_id in run.tasks}
        assert None not in grades.values()
        assert score["tasks_evaluated"] == run.tasks
        assert score["final_score"] == summed_up(grades)
        versions = {
            grade["result"]["by"]
            for grade in grades.values()
            if grade is not None and grade["status"] == "evaluated"
        }
        assert len(versions) <= 1

    def finish(self) -> None:
        """Whatever has happened to a run, it can be brought to its end."""
        for path in [*self.world.results.glob("*")]:
            accepting = {"accept_changed_tasks": True, "accept_code_change": True}
            self.carry_out(path.name, "run", Script(), {**accepting, "skip_eval": True})
            self.carry_out(path.name, "evaluate", Script(), {"regrade": True})
            assert Folder(path).has_standing_score()


class Asked:
    """One command, and what it has to do by the run that it finds."""

    def __init__(
        self,
        machine: LifeOfARun,
        run_id: str,
        command: Command,
        script: Script,
        flags: Flags,
    ) -> None:
        self.command, self.script = command, script
        self.before = Folder(machine.world.results / run_id)
        self.path = self.before.path
        self.code = str(machine.code)
        self.grader_version = str(machine.world.grader_version)
        self.skips = bool(flags.get("skip_eval"))
        self.capped = any(flags.get(cap) is not None for cap in ("max_cost", "max_errors"))
        config = self.before.config
        self.is_another = config is not None and flags in ANOTHER_RUN
        if not self.is_another:  # it is no other run than none
            flags = {name: flags[name] for name in flags if name not in ("model", "sampling")}
        limit = config["limit"] if config else flags.get("limit")
        self.questions = dict([*machine.questions.items()][:limit])
        begins = command == "run" and (config is None or self.changed_tasks())
        self.tasks = [*self.questions] if begins else self.before.tasks
        for name in ("task_ids", "rerun"):
            if name in flags:
                flags[name] = [task_id for task_id in flags[name] if task_id in self.tasks]
        self.flags = flags
        self.rerun: list[str] = flags.get("rerun", [])
        named = [*flags["task_ids"], *self.rerun] if flags.get("task_ids") else self.tasks
        self.chosen = [task_id for task_id in self.tasks if task_id in named]
        self.owed = [task_id for task_id in self.tasks if self.is_owed(task_id)]
        generates = self.chosen if command == "run" else []
        self.to_generate = [task_id for task_id in generates if task_id in self.owed]
        self.to_grade = [task_id for task_id in self.chosen if self.is_to_be_graded(task_id)]

    @property
    def request(self) -> dict[str, Any]:
        """Its flags that say what is wanted."""
        return {name: value for name, value in self.flags.items() if name not in FOR_WORK}

    @property
    def settings(self) -> dict[str, Any]:
        """Its flags that say how to work."""
        return {name: value for name, value in self.flags.items() if name in FOR_WORK}

    def accepts(self, what: str) -> bool:
        flags = {"tasks": "accept_changed_tasks", "code": "accept_code_change"}
        return bool(self.flags.get(flags[what]))

    def changed_tasks(self) -> set[str]:
        """Tasks that are not what the run has frozen."""
        if self.before.config is None:
            return set()
        now = {task_id: hash_of(task_id, text) for task_id, text in self.questions.items()}
        return {task_id for task_id, _ in now.items() ^ self.before.config["task_hashes"].items()}

    def is_owed(self, task_id: str) -> bool:
        status = self.before.generated(task_id)
        changed = self.command == "run" and task_id in self.changed_tasks()
        timed_out = status in OUT_OF_TIME and bool(self.flags.get("retry_timeouts"))
        return status in (None, "error") or changed or timed_out or task_id in self.rerun

    def is_to_be_graded(self, task_id: str) -> bool:
        if self.skips or self.command == "score" or task_id in self.owed:
            return False
        return bool(self.flags.get("regrade")) or self.before.grade(task_id) is None

    def refused_run(self) -> type[Exception] | None:
        """Which error tells that this can't be done to the run as it is."""
        config = self.before.config
        if config is None:
            return None if self.command == "run" else UsageError
        other_code = self.command == "run" and config["generation_version"] != self.code
        other_tasks = bool(self.changed_tasks())
        accepts_tasks = self.command == "run" and self.accepts("tasks")
        refused = (
            self.is_another
            or (other_code and not self.accepts("code"))
            or (other_tasks and not accepts_tasks)
        )
        return RunIdentityError if refused else None

    def refused_grader(self) -> type[Exception] | None:
        """Which error tells that the service can't, or must not, grade now."""
        if self.skips:
            return None
        if self.script.door != "open" and (self.to_generate or self.to_grade):
            return AuthenticationError if self.script.door == "locked" else ServiceUnavailableError
        regrade = self.flags.get("regrade")
        kept = [task for task in self.tasks if task not in self.owed and not regrade]
        others = {version for version, _ in self.before.graders(kept)} - {self.grader_version}
        return RunIdentityError if others and not self.stands() else None

    def is_work_owed_anywhere(self) -> bool:
        return any(
            task_id in self.owed or self.flags.get("regrade") or self.before.grade(task_id) is None
            for task_id in self.tasks
        )

    def stands(self) -> bool:
        """Whether there is a score already, so that nobody is asked for one."""
        same = self.tasks == self.before.tasks and not self.flags.get("force")
        return same and not self.is_work_owed_anywhere() and self.before.has_standing_score()

    def check(self, ended: Ended, changed: set[Path]) -> None:
        """Check what the command did, by how it ended."""
        self.check_calls(ended)
        refused = self.refused_run()
        error = refused or self.refused_grader()
        if ended.disturbed:
            self.check_disturbed(ended, error)
            return
        assert type(ended.error) is (error or type(None)), ended.error
        if error is not None:
            assert ended.generated == ended.graded == []
            # A plan is made only of a run that is not refused; it sets aside what is torn.
            aside = set() if refused else {path for path in changed if ".json" in path.name}
            assert changed == aside
            return
        self.check_work(ended)
        self.check_exit(ended)

    def check_calls(self, ended: Ended) -> None:
        """Nothing is done twice, and nothing that is not owed; neither beyond a cap."""
        assert len({*ended.generated}) == len(ended.generated)
        assert len({*ended.graded}) == len(ended.graded)
        assert {*ended.generated} <= {*self.to_generate}
        assert {*ended.graded} <= {*self.to_generate, *self.to_grade}
        paid = [task_id for task_id in ended.generated if self.agent(task_id) in PAID]
        failed = [task_id for task_id in ended.generated if self.agent(task_id) == "raises"]
        in_flight = self.flags.get("parallelism", 1) - 1
        if (limit := self.flags.get("max_cost")) is not None:
            left = max(0.0, limit - self.before.cost(self.tasks))
            assert len(paid) <= left / COST + in_flight
            assert left or not ended.generated
        if (most := self.flags.get("max_errors")) is not None:
            assert len(failed) <= most + in_flight

    def check_disturbed(self, ended: Ended, refusal: type[Exception] | None) -> None:
        """It ends in the way that it was disturbed, if it ends in an error at all."""
        assert self.script.disturbance is not None
        match self.script.disturbance.kind:
            case "refuse":
                possible = {ArtifactError, refusal, type(None)}
            case "cancel" | "cancel at event":
                possible = {asyncio.CancelledError, refusal, type(None)}
            case _:
                possible = {Died}
        assert type(ended.error) in possible

    def check_work(self, ended: Ended) -> None:
        """All that is owed is done, unless something stood in the way."""
        after = Folder(self.path)
        for task_id in ended.generated:
            assert after.generated(task_id) == STATUSES[self.agent(task_id)]
        if self.capped or self.script.refuses_after is not None:
            return
        assert {*ended.generated} == {*self.to_generate}
        answered = [task for task in self.to_generate if self.agent(task) == "answers"]
        stood = [task for task in self.to_grade if self.before.generated(task) == "success"]
        assert {*ended.graded} == (set() if self.skips else {*answered, *stood})

    def check_exit(self, ended: Ended) -> None:
        """The exit code says what is done, and what is done is scored."""
        after, outcome = Folder(self.path), ended.outcome
        assert outcome is not None
        match self.command:
            case "run":
                done = all(after.is_done(task, graded=not self.skips) for task in self.chosen)
            case "evaluate":
                there = [task for task in self.tasks if after.generated(task) is not None]
                done = all(after.is_done(task) for task in there)
            case "score":
                done = outcome.score is not None
        assert (ended.code == 0) == (done and outcome.stopped_by is None)
        if isinstance(outcome.stopped_by, RunPausedError):
            assert not all(after.is_done(task, graded=False) for task in self.chosen)
        if outcome.score is not None:
            assert after.score is not None
            counted = {task_id: after.grade(task_id) for task_id in self.tasks}
            assert after.score["final_score"] == outcome.score.final_score == summed_up(counted)
        if self.skips:
            assert outcome.stopped_by is None or self.capped
            return
        complete = all(after.is_done(task) for task in self.tasks)
        wanted = complete or (bool(self.flags.get("force")) and self.command == "score")
        mixed = len(after.graders(self.tasks)) > 1
        able = self.script.scores or self.stands()
        if wanted and not mixed and able and self.script.refuses_after is None:
            assert outcome.stopped_by is None
            assert after.score is not None
            assert after.score["complete"] == complete
        elif not wanted or mixed:
            assert outcome.score is None

    def agent(self, task_id: str) -> str:
        return self.script.agent[number_of(task_id)]


def hash_of(task_id: str, question: str) -> str:
    return task_hash(Task(id=task_id, question=question))


def live(examples: int, steps: int, number: int | None = None) -> None:
    """Live so many lives of so many steps: always the same ones, or those of a seed."""
    lives = type("LifeOfARun", (LifeOfARun,), {})
    run_state_machine_as_test(
        lives if number is None else seed(number)(lives),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,  # a busy machine is no failure
            derandomize=number is None,
            database=None,
            # A life is slow for an example, and what is drawn for it a lot.
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def test_a_run_keeps_what_was_paid_for_and_scores_only_that() -> None:
    live(40, 12)


@pytest.mark.full
def test_a_run_does_so_in_many_longer_lives(pytestconfig: pytest.Config) -> None:
    given = pytestconfig.getoption("--hypothesis-seed")
    number = int(given) if given else random.getrandbits(32)
    print(f"Again with: --hypothesis-seed={number}")  # noqa: T201 (shown where it fails)
    live(300, 25, number)
