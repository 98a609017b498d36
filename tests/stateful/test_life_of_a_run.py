"""Whatever happens to a run, in whatever order: what was paid for is kept, and a score is true."""

from __future__ import annotations

import json
import random
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.stateful.expected import OUT_OF_TIME, Asked, final_score, hash_of
from tests.stateful.run_on_disk import (
    Folder,
    contents,
    task_of,
    unit_of,
    units_of,
    worth,
)
from tests.stateful.scripted_world import MODEL, World
from tests.stateful.scripts import Ended, Script
from tests.stateful.strategies import (
    ANOTHER_RUN,
    IDS,
    Flags,
    Happenings,
    accepting,
    anything,
    calm,
    caps,
    changes,
    damage,
    flags,
    mixed,
    of_a_part,
    on_purpose,
    runs,
    scripts,
)

if TYPE_CHECKING:
    from benchmark_runner._run.flags import Command

FEWEST_TASKS = 2
MOST_REPEATS = 3
#: Where a generation has its answer.
ANSWER = rb'("(?:answer|data)": "answer no\. )\d+'


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
        # Attempts that were begun and never came to a call, by run and repeat of a task.
        self.idle_attempts: dict[tuple[str, str], int] = {}
        self.questions: dict[str, str] = {}
        self.question_of: dict[tuple[str, str], str] = {}
        self.code = 1

    @initialize(
        count=st.integers(3, 5),
        limit=st.none() | st.integers(2, 3),
        repeats=st.sampled_from([2, 1, 3]),
        api=st.sampled_from(["legacy", "v1"]),
        script=scripts,
        rest=calm,
    )
    def begin(
        self,
        count: int,
        limit: int | None,
        repeats: int,
        api: str,
        script: Script,
        rest: Script,
    ) -> None:
        self.world = World(self.folder, api)
        self.world.set_generation_version("1")
        self.edit({task_id: f"question {task_id}" for task_id in IDS[:count]})
        self.carry_out("r1", "run", script, {"limit": limit, "repeats": repeats})
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
                    run = Folder(self.world.results / run_id)
                    repeat = 1 + number % run.repeats
                    self.meddle(run_id, how, name, unit_of(IDS[number], repeat))
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

    def meddle(self, run_id: str, how: str, name: str, unit: str) -> None:
        run = self.world.results / run_id
        path = run / name if name == "final_score.json" else run / unit / name
        if not path.exists():
            return
        gone = whole = path.read_bytes()
        match how:
            case "tear":
                left = whole[: len(whole) // 2]
            case "empty":
                left = b""
            case _:  # a generation gets another answer, and with it its grade has no meaning
                left = re.sub(ANSWER, rb"\g<1>%d" % next(self.world.numbers), whole)
                grade = path.with_name("eval.json")
                gone += grade.read_bytes() if grade.exists() else b""
        reported = self.world.reported.get((run_id, unit), [])
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
            for unit in asked.to_generate:
                key = (run_id, unit)
                if unit not in ended.generated:
                    self.idle_attempts[key] = self.idle_attempts.get(key, 0) + 1

    def check(self, run_id: str, asked: Asked) -> None:
        """Check what holds at any time."""
        assert {path.name for path in self.folder.iterdir()} <= {"tasks.json", "results"}
        run = Folder(self.world.results / run_id)
        for path, content in run.files.items():
            if path.suffix == ".json" and (path.name, content) not in self.meddled:
                json.loads(content or b"")
        self.check_config(run, asked)
        for unit in units_of(IDS, MOST_REPEATS):
            self.check_unit(run, run_id, unit)
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
            free |= {"regrade"}  # that was interrupted, or is finished
            free |= {"repeats"} if now["repeats"] >= before["repeats"] else set()
            free |= {"tasks", "task_hashes", "dataset_size"} if asked.accepts("tasks") else set()
            free |= {"generation_version"} if asked.accepts("code") else set()
            changed = {name for name in now if now[name] != before[name]}
            assert changed <= free
        earlier = len(before["history"]) if before else 0
        assert earlier <= len(now["history"]) <= earlier + 1
        assert now["repeats"] <= asked.repeats
        if before is None or now["tasks"] != before["tasks"]:
            assert now["tasks"] == [*asked.questions]
        assert {*now["task_hashes"]} == {*now["tasks"]}

    def check_unit(self, run: Folder, run_id: str, unit: str) -> None:
        key, task_id = (run_id, unit), task_of(unit)
        attempts = run.attempts(unit)
        assert attempts == [*range(1, len(attempts) + 1)]
        there = len(attempts) + run.has_present_attempt(unit)
        calls = self.world.calls[key]
        assert calls <= there <= calls + self.idle_attempts.get(key, 0)
        for number in attempts:
            earlier = run.read(f"{unit}/attempts/{number}/generation.json")
            assert earlier is None or earlier["attempts"] == number
        folder = run.path / unit
        for text in {*self.world.reported.get(key, [])} - self.lost:
            # A grade tells its answer, too.
            kind = text.startswith("answer")
            assert any(
                text.encode() in content
                for path, content in run.files.items()
                if content and folder in path.parents and (path.name == "generation.json") is kind
            )
        generation = run.generation(unit)
        if generation is None or run.config is None or unit not in run.units:
            return
        assert folder / "agent_logs" in run.files
        question = self.question_of[task_id, run.config["task_hashes"][task_id]]
        assert generation["question"] == question
        grade = run.grade(unit)
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
        grades = {unit: run.grade(unit) for unit in run.units}
        assert None not in grades.values()
        assert score["tasks_evaluated"] == run.tasks
        assert score["final_score"] == final_score(run)
        assert len(score.get("repeats", [score])) == run.repeats
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


def test_run_keeps_paid_work_and_true_scores() -> None:
    """A run keeps what was paid for and scores only that, whatever happens to it."""
    live(15, 12)


@pytest.mark.full
def test_many_longer_lives(pytestconfig: pytest.Config) -> None:
    """The same holds in many longer random lives."""
    given = pytestconfig.getoption("--hypothesis-seed")
    number = int(given) if given else random.getrandbits(32)
    print(f"Again with: --hypothesis-seed={number}")  # noqa: T201 (shown where it fails)
    live(300, 25, number)
