"""Breaks runs of one runner project, and checks what was promised for that case."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from os import strerror
from typing import TYPE_CHECKING, Any

from tests.crash.finished_work import (
    EVENTS,
    check_attempts_are_kept,
    check_files_are_kept,
    check_graded_files,
    check_grades_belong_to_generations,
    check_nothing_is_torn,
    cost_of,
    finished_work_of,
    outcome_of,
    verdict_in,
)
from tests.crash.points import faults, kills, kind_of
from tests.crash.steps import Orders

if TYPE_CHECKING:
    from pathlib import Path

    from tests.crash.finished_work import FinishedWork
    from tests.crash.forks import Child, Forks
    from tests.crash.points import Point
    from tests.crash.scenarios import CrashProject, Scenario
    from tests.crash.service import CountingService


@dataclass(frozen=True)
class Uninterrupted:
    """A run that nothing went wrong in: what every broken one has to come to.

    Attributes:
        before: A copy of the results folder as it was before the command.
        outcome: What is on disk afterwards.
        calls: How often the command had each task generated.
        gradings: How often it had each task graded.
        steps: The names of the steps that it took.
        verdict: The answer to its question, if it has one.
    """

    before: Path
    outcome: dict[str, Any]
    calls: Counter[str]
    gradings: Counter[str]
    steps: list[str]
    verdict: str | None


@dataclass
class Bench:
    """Carries out scenarios, broken at one point after the other.

    Attributes:
        project: The runner project.
        service: Grades its runs.
        forks: Runs its commands.
        folder: For what is neither the project's nor a run's.
    """

    project: CrashProject
    service: CountingService
    forks: Forks
    folder: Path
    _known: dict[str, Uninterrupted] = field(default_factory=dict)

    def uninterrupted(self, scenario: Scenario) -> Uninterrupted:
        """Carry out a scenario as it should go; once, and then it is known."""
        if scenario.name not in self._known:
            before = self.folder / f"before {scenario.name}"
            self._prepare(scenario, before)
            self._known[scenario.name] = self.carry_out(scenario, before)
        return self._known[scenario.name]

    def kills(self, scenario: Scenario) -> list[Point]:
        return kills(scenario, self._steps_to_break(scenario))

    def faults(self, scenario: Scenario) -> list[Point]:
        return faults(scenario, self._steps_to_break(scenario))

    def check_kill(self, point: Point) -> None:
        """Kill the command; the next one makes up for what was under way, and for no more."""
        scenario, known = point.scenario, self.uninterrupted(point.scenario)
        child = self._break(point)
        assert child.killed, f"it was not killed: {child}"
        assert child.steps[-1] == point.step, f"it went on: {child.steps}"
        finished = self._finished_work()
        under_way = Counter(self.project.calls) - Counter({*finished.generations})
        assert under_way.total() <= scenario.parallelism, f"not on disk: {under_way}"

        self._resume(scenario, known, finished)
        again = Counter(self.project.calls) - known.calls
        assert again <= under_way, f"generated more than once: {again}"

    def check_costs(self, point: Point) -> None:
        """Kill the command; what each call has cost counts once, before the resume and after."""
        scenario, known = point.scenario, self.uninterrupted(point.scenario)
        paid = cost_of(known.before, scenario)
        child = self._break(point)
        assert child.killed, f"it was not killed: {child}"
        self._check_cost(paid, scenario)
        child = self._command(scenario, *scenario.resumed_with)
        assert child.code == 0, child
        self._check_cost(paid, scenario)

    def _check_cost(self, paid: float, scenario: Scenario) -> None:
        calls = len(self.project.calls)
        cost = cost_of(self.project.results, scenario) - paid
        # A call may have been killed before it left a trajectory.
        assert calls - 1 <= cost <= calls, f"{calls} calls cost {cost}"

    def check_kill_of_files(self, point: Point) -> None:
        """Kill the command; what is graded is the file that the generation names."""
        self.check_kill(point)
        check_files_are_kept(self.project.results)
        check_graded_files(self.project.results / "r1", self.service.graded_files)

    def check_verdict(self, point: Point) -> None:
        """Kill a run that has a question; resumed, it is settled as it was to be."""
        scenario, known = point.scenario, self.uninterrupted(point.scenario)
        child = self._break(point)
        # How much is still started while the last result arrives is for chance to say.
        assert child.killed or child.code == 0, f"it was not killed: {child}"
        finished = self._finished_work()
        under_way = Counter(self.project.calls) - Counter({*finished.generations})
        assert under_way.total() <= scenario.parallelism, f"not on disk: {under_way}"

        child = self._command(scenario, *scenario.resumed_with)
        assert child.code == 0, child
        run = self.project.results / "r1"
        assert known.verdict is not None, "it was not settled"
        assert verdict_in(child.out) == known.verdict, child
        assert not (run / "final_score.json").exists()
        after = finished_work_of(run)
        assert finished.generations.items() <= after.generations.items(), "a generation changed"
        assert finished.evals.items() <= after.evals.items(), "an eval changed"
        calls = Counter(self.project.calls)
        again = calls - Counter({*calls})
        assert again <= under_way, f"generated more than once: {again}"
        beyond = calls.keys() - known.calls.keys()
        assert len(beyond) <= scenario.parallelism, f"more than was needed: {beyond}"
        again = self.service.gradings - Counter({*self.service.gradings})
        assert again.total() <= scenario.parallelism, f"graded more than once: {again}"

    def check_fault(self, point: Point) -> None:
        """Have the disk refuse: that is told, and the next command completes the run."""
        scenario, known = point.scenario, self.uninterrupted(point.scenario)
        child = self._break(point)
        assert point.step in child.steps, f"it did not get there: {child}"
        assert "Traceback" not in child.out + child.err, child
        assert child.code in (0, 1), child
        if child.code == 0:
            assert outcome_of(self.project.results / "r1") == known.outcome, child
        else:
            assert "ArtifactError: " in child.err, child
            assert strerror(point.error) in child.err, child
            assert "Free space" in child.err, child
        finished = self._finished_work()
        under_way = Counter(self.project.calls) - Counter({*finished.generations})
        assert under_way.total() <= scenario.parallelism, f"not on disk: {under_way}"

        self._resume(scenario, known, finished)
        again = Counter(self.project.calls) - known.calls
        bearable = Counter() if point.how == "fail once" else under_way
        assert again <= bearable, f"generated more than once: {again}"

    def check_regrade(self, point: Point) -> None:
        """Kill a regrade; once it has begun, the next command finishes it: no grade is old."""
        scenario, known = point.scenario, self.uninterrupted(point.scenario)
        run = self.project.results / "r1"
        child = self._break(point)
        assert child.killed, f"it was not killed: {child}"
        begun = any(run.rglob("attempts/evals/*"))

        child = self._command(scenario)
        assert child.code == 0, child
        for unfinished in run.glob(".*.tmp"):  # nothing was left to write
            unfinished.unlink()
        outcome, before = outcome_of(run), outcome_of(known.before / "r1")
        expected = [known.outcome] if begun else [known.outcome, before]
        assert outcome in expected, "the grades are not all of the same judge"
        check_grades_belong_to_generations(run)
        if outcome == known.outcome:
            for path in run.rglob("attempts/evals/*"):
                graded = known.before / "r1" / path.parents[2].relative_to(run) / "eval.json"
                assert path.name == "1.json", f"put away twice: {path}"
                assert path.read_bytes() == graded.read_bytes()
        again = self.service.gradings - known.gradings
        assert again.total() <= scenario.parallelism, f"graded more than once: {again}"
        assert not self.project.calls, "generated again"

    def carry_out(self, scenario: Scenario, before: Path) -> Uninterrupted:
        """Carry out a scenario from how things were before it."""
        self._restore(scenario, before)
        self.service.references = {**self.service.references, **scenario.corrected}
        child = self._command(scenario, *scenario.arguments, command=scenario.command)
        assert child.code == 0, child
        outcome = outcome_of(self.project.results / "r1")
        calls = Counter(self.project.calls)
        gradings, verdict = self.service.gradings, verdict_in(child.out)
        return Uninterrupted(before, outcome, calls, gradings, child.steps, verdict)

    def _steps_to_break(self, scenario: Scenario) -> list[str]:
        steps = self.uninterrupted(scenario).steps
        # Whether the connection is free for the next request is for chance to say, and where
        # several are wanted at a time, which one is the first; in how many pieces events are
        # written is so always.
        connects = {"connect"} if scenario.parallelism > 1 else set[str]()
        return [
            step
            for step in steps
            if kind_of(step) not in connects
            and not step.startswith("connect to the service #")
            and f"{EVENTS} #" not in step
        ]

    def _prepare(self, scenario: Scenario, before: Path) -> None:
        before.mkdir()
        self._restore(scenario, before)
        if scenario.stumbles:
            self.project.healed.unlink()
        for arguments in scenario.before:
            self._command(scenario, *arguments)
        if scenario.gone is not None:
            (self.project.results / scenario.gone).unlink()
        if self.project.results.exists():
            shutil.copytree(self.project.results, before, dirs_exist_ok=True)

    def _restore(self, scenario: Scenario, before: Path) -> None:
        """Put everything as it was before the command."""
        project = self.project
        if project.results.exists():
            shutil.rmtree(project.results)
        if any(before.iterdir()):
            shutil.copytree(before, project.results)
        project.write_agent(scenario.agent)
        project.write_tasks(scenario.tasks)
        if scenario.command == "import":
            project.write_answers(scenario.tasks, of_files="artifact" in scenario.agent)
        project.heal()
        project.forget_calls()
        self.service.references = {task["id"]: task["answer"] for task in scenario.tasks}
        self.service.forget()

    def _break(self, point: Point) -> Child:
        self._restore(point.scenario, self.uninterrupted(point.scenario).before)
        scenario = point.scenario
        self.service.references = {**self.service.references, **scenario.corrected}
        arguments, command = scenario.arguments, scenario.command
        child = self._command(scenario, *arguments, command=command, broken=point)
        check_nothing_is_torn(self.project.results)
        check_files_are_kept(self.project.results)
        return child

    def _resume(self, scenario: Scenario, known: Uninterrupted, finished: FinishedWork) -> None:
        """Give the command again: what was finished stays as it is, the rest is made."""
        run = self.project.results / "r1"
        calls, gradings = Counter(self.project.calls), self.service.gradings
        child = self._command(scenario, *scenario.resumed_with, command=scenario.resumed_by)
        assert child.code == 0, child
        assert "Traceback" not in child.out + child.err, child

        outcome = outcome_of(run)
        differ = outcome.keys() ^ known.outcome.keys()
        assert not differ, f"left behind or missing: {differ}"
        assert outcome == known.outcome
        check_nothing_is_torn(run)
        check_grades_belong_to_generations(run)
        if (known.before / "r1").exists():
            check_attempts_are_kept(known.before / "r1", run)

        after = finished_work_of(run)
        assert finished.generations.items() <= after.generations.items(), "a generation changed"
        assert finished.evals.items() <= after.evals.items(), "an eval changed"
        called_now = {*(Counter(self.project.calls) - calls)}
        assert not called_now & {*finished.generations}, f"generated again: {called_now}"
        graded_now = {*(self.service.gradings - gradings)}
        assert not graded_now & {*finished.evals}, f"graded again: {graded_now}"
        again = self.service.gradings - known.gradings
        assert again.total() <= scenario.parallelism, f"graded more than once: {again}"

    def _finished_work(self) -> FinishedWork:
        return finished_work_of(self.project.results / "r1")

    def _command(
        self,
        scenario: Scenario,
        *arguments: str,
        command: str = "run",
        broken: Point | None = None,
    ) -> Child:
        limit = str(scenario.parallelism)
        flags = ["--parallelism", limit] if command == "run" else []
        flags += ["--eval-parallelism", limit] if command != "import" else []
        flags += arguments
        orders = Orders(
            results=str(self.project.results),
            port=self.service.port,
            log=str(self.folder / "steps"),
            at=broken.step if broken else None,
            how=broken.how if broken else "kill before",
            error=broken.error if broken else 0,
        )
        where = ["--run-id", "r1", "--service-url", self.service.url]
        return self.forks.run(self.project.script, [command, *where, *flags], orders)
