"""What the proof rests on: steps are seen however they are taken, and broken as ordered."""

from __future__ import annotations

import textwrap
from errno import ENOSPC
from typing import TYPE_CHECKING

import pytest

from tests.crash.points import kills, sample
from tests.crash.scenarios import PARALLEL, SCENARIOS, Scenario
from tests.crash.steps import Orders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.crash.bench import Bench
    from tests.crash.forks import Child
    from tests.crash.steps import How

    RunScript = Callable[..., Child]

WRITE = """
    descriptor = os.open("results/file", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"0123456789")
    os.fsync(descriptor)
    os.close(descriptor)
    os.replace("results/file", "results/named")
"""
WRAPPED = """
    with os.fdopen(os.open("results/a", os.O_RDWR | os.O_CREAT), "wb") as file:
        file.write(b"x")
        file.truncate(0)
"""
WITHIN_FOLDER = """
    folder = os.open("results", os.O_RDONLY)
    os.close(os.open("a", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
    os.rename("a", "b", src_dir_fd=folder, dst_dir_fd=folder)
    os.unlink("b", dir_fd=folder)
"""
ITS_STEPS = ["open file", "write file", "fsync file", "replace named"]


@pytest.fixture
def run_script(bench: Bench, tmp_path: Path) -> RunScript:
    """Run some Python in a child, in a folder with a folder ``results`` that is watched."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "results").mkdir()

    def run(text: str, at: str | None = None, how: How = "kill before", error: int = 0) -> Child:
        script = tmp_path / "bin" / "script"
        script.write_text("import os, pathlib\n" + textwrap.dedent(text))
        log = str(tmp_path / "log")
        return bench.forks.run(
            script, [], Orders(str(tmp_path / "results"), 0, log, at, how, error)
        )

    return run


class TestSeen:
    @pytest.mark.parametrize(
        ("text", "steps"),
        [
            (WRITE, ITS_STEPS),
            ("pathlib.Path('results/a').write_bytes(b'x')", ["open a", "write a"]),
            ("pathlib.Path('results/a').write_text('x')", ["open a", "write a"]),
            ("print('x', file=open('results/a', 'a'))", ["open a", "write a"]),
            ("pathlib.Path('results/a').touch()", ["open a"]),
            ("pathlib.Path('results/a/b').mkdir(parents=True)", ["mkdir a", "mkdir a/b"]),
            (WRAPPED, ["open a", "write a", "ftruncate a"]),
            ("os.fsync(os.open('results', os.O_RDONLY))", ["fsync ."]),
            (WITHIN_FOLDER, ["open a", "rename b", "unlink b"]),
        ],
    )
    def test_every_kind_of_change_is_a_step(
        self, run_script: RunScript, text: str, steps: list[str]
    ) -> None:
        """A change of a file is a step, whichever call makes it."""
        child = run_script(text)
        assert (child.code, child.err) == (0, "")
        assert child.steps == steps

    @pytest.mark.parametrize(
        "text",
        [
            "pathlib.Path('elsewhere').write_text('x')",
            "pathlib.Path('results').mkdir(exist_ok=True)",
            "pathlib.Path('results/a').unlink(missing_ok=True)",
            "os.listdir('results'), os.close(os.open('results', os.O_RDONLY))",
        ],
    )
    def test_other_calls_are_no_steps(self, run_script: RunScript, text: str) -> None:
        """A call that changes nothing below the results is no step."""
        child = run_script(text)
        assert (child.code, child.err, child.steps) == (0, "", [])

    def test_random_and_repeated_names_are_distinct(self, run_script: RunScript) -> None:
        """Random names and repeated steps are told apart."""
        text = """
            import uuid

            for _ in range(2):
                pathlib.Path(f"results/.a.{uuid.uuid4().hex}.tmp").touch()
        """
        child = run_script(text)
        assert child.steps == ["open .a.*.tmp", "open .a.*.tmp #2"]

    @pytest.mark.parametrize("scenario", [*SCENARIOS, PARALLEL], ids=str)
    def test_each_run_takes_the_known_steps(self, bench: Bench, scenario: Scenario) -> None:
        """Each run of a scenario takes the steps at which it is to be killed."""
        points = bench.kills(scenario)
        known = bench.uninterrupted(scenario)
        again = bench.carry_out(scenario, known.before)
        assert {point.step for point in points} <= {*again.steps}
        assert {"send", "open", "write"} < {point.kind for point in points}
        assert (again.outcome, again.calls) == (known.outcome, known.calls)
        assert again.gradings == known.gradings


class TestBroken:
    @pytest.mark.parametrize(
        ("at", "how", "left"),
        [
            ("write file", "kill before", {"file": ""}),
            ("write file", "kill halfway", {"file": "01234"}),
            ("write file", "kill after", {"file": "0123456789"}),
            ("replace named", "kill before", {"file": "0123456789"}),
            ("replace named", "kill after", {"named": "0123456789"}),
        ],
    )
    def test_kill_comes_before_within_or_after(
        self, run_script: RunScript, tmp_path: Path, at: str, how: How, left: dict[str, str]
    ) -> None:
        """A kill comes before, within or after its step."""
        child = run_script(WRITE, at, how)
        assert child.killed
        assert child.steps == ITS_STEPS[: ITS_STEPS.index(at) + 1]
        found = {path.name: path.read_text() for path in (tmp_path / "results").iterdir()}
        assert found == left

    @pytest.mark.parametrize(
        ("how", "answers"),
        [
            ("fail once", ["kept", "kept", "refused", "kept", "kept", "kept"]),
            ("fail from then on", ["kept", "kept", "refused", "refused", "refused", "kept"]),
        ],
    )
    def test_disk_is_full_once_or_from_then_on(
        self, run_script: RunScript, how: How, answers: list[str]
    ) -> None:
        """The disk is full for one step, or from a step on."""
        text = """
            def attempt(call, *args):
                try:
                    call(*args)
                except OSError as error:
                    assert error.strerror == "No space left on device"
                    print("refused")
                else:
                    print("kept")

            attempt(pathlib.Path("results/a").touch)
            attempt(pathlib.Path("results/b").touch)
            attempt(pathlib.Path("results/c").touch)
            attempt(pathlib.Path("results/d").write_text, "x")
            attempt(os.replace, "results/a", "results/e")
            attempt(os.unlink, "results/b")
        """
        child = run_script(text, "open c", how, ENOSPC)
        assert child.out.split() == answers, child

    def test_full_disk_takes_a_part(self, run_script: RunScript, tmp_path: Path) -> None:
        """A full disk takes the part that still fits."""
        child = run_script(WRITE, "write file", "fail once", ENOSPC)
        assert child.code == 1
        assert (tmp_path / "results" / "file").read_text() == "01234"


def test_sample_has_ends_and_kinds() -> None:
    """A sample has both ends of each scenario and each kind of step."""
    steps = ["open a", *(f"write {n}" for n in range(20)), "replace a", "send x", "fsync a"]
    points = [point for each in SCENARIOS for point in kills(each, steps)]
    chosen = sample(points, 12)
    assert len(chosen) == 12
    assert {point.kind for point in chosen} == {"open", "write", "replace", "send", "fsync"}
    for scenario in SCENARIOS:
        own = [point for point in points if point.scenario == scenario]
        assert own[0] in chosen
        assert own[-1] in chosen
    assert sample(points, 1000) == points
