"""Kills at every step of an evaluation over the WebSocket, and disks that refuse its state."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.long_grading import LongGrading
from tests.crash.finished_work import EVENTS, check_nothing_is_torn
from tests.crash.forks import Forks
from tests.crash.points import faults, kills, sample
from tests.crash.scenarios import CrashProject, Scenario
from tests.crash.steps import Orders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.crash.conftest import TryAll
    from tests.crash.forks import Child
    from tests.crash.points import Point

PARTS = 4
SCENARIO = Scenario("over the WebSocket", tasks=({"id": "t1", "question": "say 1", "answer": "1"},))


@dataclass
class Setting:
    """One task whose evaluation sends three states."""

    project: CrashProject
    service: LongGrading
    forks: Forks
    folder: Path

    @property
    def run(self) -> Path:
        return self.project.results / "r1"

    @property
    def state(self) -> dict[str, Any] | None:
        file = self.run / "t1" / "eval_state.json"
        return json.loads(file.read_bytes())["state"] if file.exists() else None

    def points(self, which: Any) -> list[Point]:
        child = self.from_the_start()
        assert child.code == 0, child
        steps = [step for step in child.steps if f"{EVENTS} #" not in step]
        return which(SCENARIO, steps)

    def from_the_start(self, broken: Point | None = None) -> Child:
        shutil.rmtree(self.project.results, ignore_errors=True)
        self.project.forget_calls()
        self.service.firsts.clear()
        return self.command(broken)

    def command(self, broken: Point | None = None) -> Child:
        orders = Orders(
            results=str(self.project.results),
            port=int(self.service.url.rpartition(":")[2]),
            log=str(self.folder / "steps"),
            at=broken.step if broken else None,
            how=broken.how if broken else "kill before",
            error=broken.error if broken else 0,
        )
        arguments = ["run", "--run-id", "r1", "--service-url", self.service.url]
        return self.forks.run(self.project.script, arguments, orders)

    def check_kill(self, point: Point) -> None:
        child = self.from_the_start(point)
        assert child.killed, f"it was not killed: {child}"
        check_nothing_is_torn(self.project.results)
        is_graded = (self.run / "t1" / "eval.json").exists()
        state, paid, begun = self.state, len(self.service.payments), len(self.service.firsts)

        child = self.command()
        assert child.code == 0, child
        self._check_complete()
        again = self.service.firsts[begun:]
        if is_graded:
            assert again == [], "evaluated again"
        elif state is not None:
            assert [first.get("eval_resume_state") for first in again] == [state]
            assert len(self.service.payments) == paid, "paid again"

    def check_fault(self, point: Point) -> None:
        child = self.from_the_start(point)
        assert "Traceback" not in child.out + child.err, child
        assert child.code in (0, 1), child
        if child.code == 1:
            assert "ArtifactError: " in child.err, child
            assert self.command().code == 0
        self._check_complete()
        if point.how == "fail once":
            assert self.service.payments == ["t1"], "a state that is not on disk costs a grade"

    def _check_complete(self) -> None:
        check_nothing_is_torn(self.project.results)
        assert json.loads((self.run / "final_score.json").read_bytes())["final_score"] == 1.0
        assert json.loads((self.run / "t1" / "eval.json").read_bytes())["status"] == "evaluated"


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        project = CrashProject(folder / "project", patch)
    project.set_in_class('EVALUATION_API = "websocket"')
    project.write_tasks(SCENARIO.tasks)
    service = LongGrading(steps=4)
    with service.running(), Forks(folder, project.environment()) as forks:
        yield Setting(project, service, forks, folder)


def test_kill_at_sample_steps_keeps_the_state(setting: Setting, try_all: TryAll) -> None:
    """A kill at any of a sample of steps is followed by the newest state, paid for once."""
    points = [point for point in setting.points(kills) if "eval" in point.step]
    try_all(sample(points, 4), setting.check_kill)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
def test_kill_at_any_step_keeps_the_state(setting: Setting, part: int, try_all: TryAll) -> None:
    """A kill at any step is followed by the newest state, paid for once."""
    try_all(setting.points(kills)[part::PARTS], setting.check_kill)


@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=pytest.mark.full) for n in (1, 2, 3))])
def test_disk_that_refuses_a_state_costs_no_grade(
    setting: Setting, part: int, try_all: TryAll
) -> None:
    """A state that the disk refuses, once or from then on, costs no grade."""
    points = [point for point in setting.points(faults) if "eval_state" in point.step]
    try_all(points[part::PARTS][: None if part else 2], setting.check_fault)
