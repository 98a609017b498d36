from __future__ import annotations

from benchmark_runner.schemas import TokenUsage
from benchmark_runner.trajectory import (
    FinalMetrics,
    Metrics,
    Observation,
    ObservationResult,
    Step,
    ToolCall,
    Trajectory,
    digest,
)


def turn(
    text: str = "",
    calls: tuple[str, ...] = (),
    failed: tuple[str, ...] = (),
    **more: object,
) -> Step:
    """Return a turn with calls ``name:id``, some of which failed."""
    pairs = [call.split(":") for call in calls]
    results = [
        ObservationResult(source_call_id=number, extra={"is_error": number in failed})
        for _, number in pairs
    ]
    step = Step(
        source="agent",
        message=text,
        tool_calls=[ToolCall(tool_call_id=number, function_name=name) for name, number in pairs],
        observation=Observation(results=results),
    )
    return step.model_copy(update=more)


def metrics(prompt: int, cost: float | None = None) -> Metrics:
    return Metrics(prompt_tokens=prompt, completion_tokens=1, cost_usd=cost)


def test_turns_and_tools_are_counted() -> None:
    """Turns, calls and failures are counted by tool, whatever ids the calls have."""
    steps = [
        Step(source="user", message="question"),
        turn("a", ("add:1", "read:2"), failed=("2",)),
        turn("b", ("add:1",), failed=("1",)),
        turn("  "),
    ]
    found = digest(Trajectory(steps=steps))
    assert (found.turns, found.steps, found.last_message) == (3, 4, "b")
    assert {name: (tool.calls, tool.failed) for name, tool in found.tools.items()} == {
        "add": (2, 1),
        "read": (1, 1),
    }
    assert (found.calls, found.failed_calls) == (3, 2)


def test_result_in_a_later_step() -> None:
    """A result that stands in a step of its own counts for the last call with its id."""
    late = ObservationResult(source_call_id="1", extra={"exit_code": 2})
    steps = [turn(calls=("add:1",)), Step(observation=Observation(results=[late, late]))]
    assert digest(Trajectory(steps=steps)).tools["add"].failed == 1


def test_copied_steps_are_left_out() -> None:
    """A step that was copied from an earlier trajectory is not counted again."""
    copied = turn("old", ("add:1",), metrics=metrics(100, 1.0), is_copied_context=True)
    found = digest(Trajectory(steps=[copied, turn("new", metrics=metrics(1, 0.5))]))
    assert (found.turns, found.tools, found.usage.input, found.cost) == (1, {}, 1, 0.5)


def test_stated_totals_win() -> None:
    """The totals that are stated win over the sums, each by itself."""
    steps = [turn(metrics=metrics(10, 1.0)), turn(metrics=metrics(10))]
    stated = FinalMetrics(total_prompt_tokens=50, total_cached_tokens=20)
    found = digest(Trajectory(steps=steps, final_metrics=stated))
    assert found.usage == TokenUsage(input=30, cache_read=20)
    assert found.cost == 1.0


def test_unknown_is_not_zero() -> None:
    """Without metrics, tokens and cost are unknown."""
    found = digest(Trajectory(steps=[turn("a")]))
    assert found.usage == TokenUsage()
    assert found.cost is None


def test_impossible_amounts_are_unknown() -> None:
    """A negative or infinite amount counts as unknown."""
    steps = [turn(metrics=Metrics(prompt_tokens=-5, cost_usd=float("nan")))]
    found = digest(Trajectory(steps=steps, final_metrics=FinalMetrics(total_cost_usd=-1)))
    assert (found.usage.input, found.cost) == (None, None)


def test_subagents_count() -> None:
    """Subagents' calls and tokens count; their cost is part of a stated one."""
    below = Trajectory(steps=[turn(calls=("search:1",), metrics=metrics(7, 0.25))])
    above = Trajectory(steps=[turn(metrics=metrics(3, 0.5))], subagent_trajectories=[below])
    found = digest(above)
    assert (found.turns, found.usage.input, found.cost) == (1, 10, 0.75)
    assert found.tools["search"].calls == 1
    above.final_metrics = FinalMetrics(total_cost_usd=0.6)
    assert digest(above).cost == 0.6


def test_several_trajectories_are_added() -> None:
    """The trajectories of one generation are counted together."""
    one, other = (Trajectory(steps=[turn(text, metrics=metrics(2, 0.5))]) for text in "ab")
    found = digest(one, other)
    assert (found.turns, found.usage.input, found.cost) == (2, 4, 1.0)


def test_duration_of_mixed_time_zones() -> None:
    """The duration is that between the first and the last time stamp that can be read."""
    stamps = ["2026-01-01T00:00:00Z", "2026-01-01T01:00:30+01:00", "later", None]
    steps = [Step(timestamp=stamp) for stamp in stamps]
    assert digest(Trajectory(steps=steps)).duration == 30
    assert digest(Trajectory()).duration is None


def test_stated_cost_of_nothing_is_no_unknown_one() -> None:
    """A total of 0 dollars is stated, as by a local model, whatever the steps say."""
    steps = [turn(metrics=metrics(1, 0.5))]
    assert digest(Trajectory(steps=steps, final_metrics=FinalMetrics(total_cost_usd=0))).cost == 0
