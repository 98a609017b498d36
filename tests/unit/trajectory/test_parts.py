"""A trajectory with those of its subagents as one document."""

from __future__ import annotations

from benchmark_runner.trajectory import Agent, Trajectory
from benchmark_runner.trajectory.parts import join_parts


def test_subagents_have_ids_of_their_own() -> None:
    """Subagents with the same id, or none, get short ones that tell them apart, however many."""
    agent = Agent(name="a", version="1")
    below = [Trajectory(agent=agent, trajectory_id="same") for _ in range(1000)]
    below += [Trajectory(agent=agent) for _ in range(2)]

    join_parts(Trajectory(agent=agent, subagent_trajectories=below))

    ids = [each.trajectory_id or "" for each in below]
    assert ids[:2] == ["same", "same-2"]
    assert len({*ids}) == len(ids)
    assert max(map(len, ids)) < 20
