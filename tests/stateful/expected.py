"""One command, and what it has to do by the run that it finds."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from benchmark_runner._run.task_content import task_hash
from benchmark_runner.errors import (
    ArtifactError,
    AuthenticationError,
    RunIdentityError,
    RunPausedError,
    ServiceUnavailableError,
    UsageError,
)
from benchmark_runner.schemas import Task
from tests.stateful.run_on_disk import Folder, number_of, summed_up, task_of, unit_of, units_of
from tests.stateful.scripts import COST, Died, Ended, Script
from tests.stateful.strategies import ANOTHER_RUN, Flags

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner._run.flags import Command
    from tests.stateful.test_life_of_a_run import LifeOfARun

STATUSES = {
    "answers": "success",
    "raises": "error",
    "stalls": "max_time",
    "runs out of turns": "max_turns",
}
#: What the agent is paid for.
PAID = ("answers", "runs out of turns")
OUT_OF_TIME = ("max_time", "max_turns")
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
            flags = {name: flags[name] for name in flags if name not in ("model", "temperature")}
        limit = config["limit"] if config else flags.get("limit")
        self.questions = dict([*machine.questions.items()][:limit])
        begins = command == "run" and (config is None or self.changed_tasks())
        tasks = [*self.questions] if begins else self.before.tasks
        self.task_ids = tasks
        self.repeats = max(self.before.repeats, flags.get("repeats") or 1)
        for name in ("task_ids", "rerun"):
            if name in flags:
                flags[name] = [task_id for task_id in flags[name] if task_id in tasks]
        self.flags = flags
        self.rerun: list[str] = flags.get("rerun", [])
        named = [*flags["task_ids"], *self.rerun] if flags.get("task_ids") else tasks
        self.units = units_of(tasks, self.repeats)
        self.chosen = [unit for unit in self.units if task_of(unit) in named]
        self.owed = [unit for unit in self.units if self.is_owed(unit)]
        generates = self.chosen if command == "run" else []
        self.to_generate = [unit for unit in generates if unit in self.owed]
        self.to_grade = [unit for unit in self.chosen if self.is_to_be_graded(unit)]

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

    def is_owed(self, unit: str) -> bool:
        status, task_id = self.before.generated(unit), task_of(unit)
        changed = self.command == "run" and task_id in self.changed_tasks()
        timed_out = status in OUT_OF_TIME and bool(self.flags.get("retry_timeouts"))
        return status in (None, "error") or changed or timed_out or task_id in self.rerun

    def is_to_be_graded(self, unit: str) -> bool:
        if self.skips or self.command == "score" or unit in self.owed:
            return False
        return bool(self.flags.get("regrade")) or self.before.grade(unit) is None

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
            or self.flags.get("repeats", self.before.repeats) < self.before.repeats
        )
        return RunIdentityError if refused else None

    def refused_grader(self) -> type[Exception] | None:
        """Which error tells that the service can't, or must not, grade now."""
        if self.skips:
            return None
        if self.script.door != "open" and (self.to_generate or self.to_grade):
            return AuthenticationError if self.script.door == "locked" else ServiceUnavailableError
        regrade = self.flags.get("regrade")
        kept = [unit for unit in self.units if unit not in self.owed and not regrade]
        others = {version for version, _ in self.before.graders(kept)} - {self.grader_version}
        return RunIdentityError if others and not self.stands() else None

    def is_work_owed_anywhere(self) -> bool:
        return any(
            unit in self.owed or self.flags.get("regrade") or self.before.grade(unit) is None
            for unit in self.units
        )

    def stands(self) -> bool:
        """Whether there is a score already, so that nobody is asked for one."""
        same = self.units == self.before.units and not self.flags.get("force")
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
        paid = [unit for unit in ended.generated if self.agent(unit) in PAID]
        failed = [unit for unit in ended.generated if self.agent(unit) == "raises"]
        in_flight = self.flags.get("parallelism", 1) - 1
        if (limit := self.flags.get("max_cost")) is not None:
            left = max(0.0, limit - self.before.cost(self.task_ids))
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
        for unit in ended.generated:
            assert after.generated(unit) == STATUSES[self.agent(unit)]
        if self.capped or self.script.refuses_after is not None:
            return
        assert {*ended.generated} == {*self.to_generate}
        answered = [unit for unit in self.to_generate if self.agent(unit) == "answers"]
        stood = [unit for unit in self.to_grade if self.before.generated(unit) == "success"]
        assert {*ended.graded} == (set() if self.skips else {*answered, *stood})

    def check_exit(self, ended: Ended) -> None:
        """The exit code says what is done, and what is done is scored."""
        after, outcome = Folder(self.path), ended.outcome
        assert outcome is not None
        match self.command:
            case "run":
                done = all(after.is_done(unit, graded=not self.skips) for unit in self.chosen)
            case "evaluate":
                there = [unit for unit in self.units if after.generated(unit) is not None]
                done = all(after.is_done(unit) for unit in there)
            case "score":
                done = outcome.score is not None
        assert (ended.code == 0) == (done and outcome.stopped_by is None)
        if isinstance(outcome.stopped_by, RunPausedError):
            assert not all(after.is_done(unit, graded=False) for unit in self.chosen)
        if outcome.score is not None:
            assert after.score is not None
            assert after.score["final_score"] == outcome.score.final_score == final_score(after)
        if self.skips:
            assert outcome.stopped_by is None or self.capped
            return
        complete = all(after.is_done(unit) for unit in self.units)
        wanted = complete or (bool(self.flags.get("force")) and self.command == "score")
        mixed = len(after.graders(self.units)) > 1
        able = self.script.scores or self.stands()
        if wanted and not mixed and able and self.script.refuses_after is None:
            assert outcome.stopped_by is None
            assert after.score is not None
            assert after.score["complete"] == complete
        elif not wanted or mixed:
            assert outcome.score is None

    def agent(self, unit: str) -> str:
        return self.script.agent[number_of(unit)]


def final_score(run: Folder) -> float:
    """What the service makes of the grades of each repeat, and the mean of that."""
    scores = [
        summed_up({task_id: run.grade(unit_of(task_id, repeat)) for task_id in run.tasks})
        for repeat in range(1, run.repeats + 1)
    ]
    return math.fsum(scores) / len(scores)


def hash_of(task_id: str, question: str) -> str:
    return task_hash(Task(id=task_id, question=question))
