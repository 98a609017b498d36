"""What may happen to a run: strategies for its scripts, flags and damage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tests.stateful.scripts import COST, Disturbance, Script

IDS = [f"t{number}" for number in range(6)]

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
ANOTHER_RUN: list[Flags] = [{"model": "another"}, {"temperature": 1.0}]
mostly = st.sampled_from([True, True, False])
known_flags: dict[str, st.SearchStrategy[Any]] = {
    "parallelism": st.integers(1, 3),
    "task_ids": some_ids,
    "repeats": st.sampled_from([1, 2, 2, 3]),
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
