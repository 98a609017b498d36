"""A kill leaves what the system still holds in memory, a power cut does not: order is the proof."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from tests.crash.scenarios import OF_FILES, OF_REPEATS, SCENARIOS, Scenario

if TYPE_CHECKING:
    from tests.crash.bench import Bench


@pytest.mark.parametrize("scenario", [*SCENARIOS, *OF_FILES, *OF_REPEATS], ids=str)
def test_file_is_flushed_before_its_name(bench: Bench, scenario: Scenario) -> None:
    """A file is flushed before it gets its name, and its folder after."""
    taken = [step.partition(" #")[0].split(" ", 1) for step in bench.uninterrupted(scenario).steps]
    named = [index for index, (kind, _) in enumerate(taken) if kind == "replace"]
    assert named
    for index in named:
        path = PurePosixPath(taken[index][1])
        before, after = taken[:index], taken[index + 1 :]
        start = f"{path.parent}/.{path.name}."
        written = [file for kind, file in before if kind == "write" and file.startswith(start)]
        flushed = before[before.index(["write", written[-1]]) :]
        assert ["fsync", written[-1]] in flushed, f"{path} is not flushed"
        assert ["fsync", str(path.parent)] in after, f"the folder of {path} is not flushed"


@pytest.mark.parametrize("scenario", [*SCENARIOS, *OF_FILES, *OF_REPEATS], ids=str)
def test_generation_is_flushed_before_evaluation(bench: Bench, scenario: Scenario) -> None:
    """The folder of a generation is flushed before its evaluation is written."""
    taken = [step.partition(" #")[0].split(" ", 1) for step in bench.uninterrupted(scenario).steps]
    for index, (kind, name) in enumerate(taken):
        path = PurePosixPath(name)
        if kind == "replace" and path.name == "generation.json":
            after = taken[index:]
            grade = ["replace", str(path.with_name("eval.json"))]
            until = after.index(grade) if grade in after else len(after)
            # The name of each new folder, up to that of the task in the run.
            for above in [*path.parents][1:-1]:
                assert ["fsync", str(above)] in after[:until], (path, above)


@pytest.mark.parametrize("scenario", OF_FILES, ids=str)
def test_file_is_flushed_before_its_generation(bench: Bench, scenario: Scenario) -> None:
    """A file that is an answer is on the disk before the generation that names it."""
    taken = [step.partition(" #")[0] for step in bench.uninterrupted(scenario).steps]
    named = [step for step in taken if step.startswith("replace") and "/submission/" in step]
    assert named
    for step in named:
        folder = PurePosixPath(step.removeprefix("replace ")).parent
        after = taken[taken.index(step) :]
        until = after.index(f"replace {folder.parent}/generation.json")
        assert f"fsync {folder}" in after[:until], step
