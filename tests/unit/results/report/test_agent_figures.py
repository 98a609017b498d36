"""The figures of what agents did, and what the page says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.checkpoint import Until
from benchmark_runner.results.report.agent_figures import ToolUse
from benchmark_runner.results.report.effort import efforts
from benchmark_runner.results.report.run_figures import read_figures
from benchmark_runner.schemas import TokenUsage
from tests.unit.results.report.agents import call, put, result, step, trajectory
from tests.unit.results.report.pages import Parsed, write_page, write_page_of_several
from tests.unit.results.report.runs import MadeRun

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.results.run_view import RunView


def record(run: MadeRun, task_id: str, *calls: str, turns: int = 0, **metrics: Any) -> None:
    """Let the agent of a task call tools, ``name`` or ``!name`` for one that fails."""
    made = [call(str(place), name.lstrip("!")) for place, name in enumerate(calls)]
    results = [
        result(str(place), "x", failed=name.startswith("!")) for place, name in enumerate(calls)
    ]
    first = step(1, tool_calls=made, observation={"results": results}, metrics=metrics)
    more = [step(number) for number in range(2, turns + 1)]
    put(run.artifacts.agent_logs_dir(task_id), trajectory(first, *more))


def words(view: RunView, tmp_path: Path, **more: Any) -> str:
    return Parsed(write_page(view, tmp_path / "page.html", **more)).words


def graded(tmp_path: Path, turns: list[int | None], run_id: str = "r1") -> MadeRun:
    """A run with so many turns of each task, of which every other one is solved."""
    run = MadeRun(tmp_path, run_id)
    for number, count in enumerate(turns):
        run.graded(f"t{number}", number % 2, total_turns=count)
    return run


class TestTools:
    def test_calls_are_counted_by_tool(self, tmp_path: Path) -> None:
        """Calls, failed calls and the tasks with them are counted for each tool."""
        run = graded(tmp_path, [None, None, None])
        record(run, "t0", "bash", "!bash", "read")
        record(run, "t1", "bash")

        agents = read_figures(run.save()).agents

        assert agents.tools == [ToolUse("bash", 3, 1, 2), ToolUse("read", 1, 0, 1)]
        assert (agents.calls, agents.failed) == (4, 1)
        assert (agents.generated, agents.with_trajectory, agents.cut) == (3, 2, 0)

    def test_page_shows_the_tools(self, tmp_path: Path) -> None:
        """The page has a row for each tool, and says how many trajectories there are."""
        run = graded(tmp_path, [None, None])
        record(run, "t0", "bash", "!bash", "read")

        text = words(run.save(), tmp_path)

        assert "From the trajectories of 1 of 2 tasks with a generation." in text
        assert "Tool Calls Failed Tasks bash 2 1 (50 %) 1 read 1 0 1" in text

    def test_repeats_count_for_their_task(self, tmp_path: Path) -> None:
        """Calls of all repeats are counted; the task is counted once."""
        run = graded(tmp_path, [2])
        second = run.repeat(2)
        second.graded("t0", 1, total_turns=5)
        record(run, "t0", "bash")
        record(second, "t0", "bash")
        run.tasks = ["t0"]

        agents = read_figures(run.save()).agents

        assert agents.tools == [ToolUse("bash", 2, 0, 1)]
        assert agents.turns == {"t0": 3.5}

    def test_mean_needs_all_repeats(self, tmp_path: Path) -> None:
        """A task has no mean of its turns where those of a repeat are not known."""
        run = graded(tmp_path, [2])
        run.repeat(2).graded("t0", 1)
        run.tasks = ["t0"]

        assert not read_figures(run.save()).agents.turns

    def test_made_up_names_are_counted_together(self, tmp_path: Path) -> None:
        """Very many names of tools, as an agent may make up, take no more room."""
        run = graded(tmp_path, [None])
        record(run, "t0", *(f"tool-{number}" for number in range(700)))
        view = run.save()

        agents = read_figures(view).agents

        assert len(agents.tools) == 500
        assert agents.others is not None
        assert agents.others.calls == 200
        assert agents.calls == 700
        assert "And more than 480 others, called 680 times." in words(view, tmp_path)

    def test_texts_are_safe(self, tmp_path: Path) -> None:
        """Names of tools are masked, cut, and no part of the page's code."""
        run = graded(tmp_path, [None])
        record(run, "t0", "<script>alert(1)</script>", "sk-4b5c6d7e8f9a0b1c", "x" * 300)

        text = words(run.save(), tmp_path, secrets=["sk-4b5c6d7e8f9a0b1c"])

        assert "<script>alert(1)</script> 1 0 1" in text
        assert "*** 1 0 1" in text
        assert "x" * 60 not in text

    def test_cut_trajectories_are_said(self, tmp_path: Path) -> None:
        """Trajectories that could be read in part only are counted."""
        run = graded(tmp_path, [None])
        record(run, "t0", "bash", turns=3)
        path = run.artifacts.agent_logs_dir("t0") / "trajectory.json"
        path.write_text(path.read_text()[:-30])
        view = run.save()

        assert read_figures(view).agents.cut == 1
        assert "1 task had one that could be read in part only." in words(view, tmp_path)

    def test_run_without_agents_has_no_section(self, tmp_path: Path) -> None:
        """A run without trajectories, turns and tokens says nothing of agents."""
        assert "the agents" not in words(graded(tmp_path, [None] * 20).save(), tmp_path)


class TestEffort:
    def test_tasks_are_in_quarters(self, tmp_path: Path) -> None:
        """The tasks are in quarters by their turns, each with its mean and interval."""
        view = graded(tmp_path, [*range(1, 17)]).save()

        (effort,) = efforts(read_figures(view))

        assert effort.unit == "turns"
        assert [(each.low, each.high) for each in effort.quarters] == [
            (1, 4), (5, 8), (9, 12), (13, 16),
        ]  # fmt: skip
        assert {group.estimate and group.estimate.mean for group in effort.groups} == {0.5}
        text = words(view, tmp_path)
        assert "Turns Tasks Scored Mean 95 % interval 1 to 4 4 4 0.5" in text
        assert "What the agents did Scores by turns" in text

    def test_unknown_ones_are_left_out(self, tmp_path: Path) -> None:
        """Tasks whose turns are not known are left out, and counted."""
        view = graded(tmp_path, [*range(1, 17), None, None]).save()

        (effort,) = efforts(read_figures(view))

        assert sum(group.total for group in effort.groups) == 16
        assert "Left out: 2 tasks whose turns are not known." in words(view, tmp_path)

    def test_failed_tasks_are_counted_unscored(self, tmp_path: Path) -> None:
        """A failed task is one of its quarter, without a score."""
        run = graded(tmp_path, [*range(1, 17)])
        run.failed("t99", "ValueError: no", total_turns=99)

        (effort,) = efforts(read_figures(run.save()))

        last = effort.groups[-1]
        assert (last.total, last.scored) == (4, 3)

    def test_task_without_a_number_stops_the_mean(self, tmp_path: Path) -> None:
        """A quarter with a graded task that has no numeric score has no mean."""
        run = graded(tmp_path, [*range(1, 17)])
        run.graded("t99", "good", total_turns=99)

        (effort,) = efforts(read_figures(run.save()))

        assert [bool(group.estimate) for group in effort.groups] == [True, True, True, False]

    @pytest.mark.parametrize("turns", [[3] * 40, [*range(11)]])
    def test_too_little_is_not_shown(self, tmp_path: Path, turns: list[int | None]) -> None:
        """Equal turns of all tasks, or few tasks, make no quarters."""
        assert [*efforts(read_figures(graded(tmp_path, turns).save()))] == []

    def test_open_question_has_no_means(self, tmp_path: Path) -> None:
        """The scores of a run that stops at a question are no sample, and have no means."""
        run = graded(tmp_path, [*range(1, 17)])
        run.missing("t99")
        run.fields["until"] = Until(score=0.5, alpha=0.05, seed=1)

        assert [*efforts(read_figures(run.save()))] == []

    def test_tokens_are_those_of_all_classes(self, tmp_path: Path) -> None:
        """Tokens of all classes count; without input and output they are not known."""
        run = MadeRun(tmp_path)
        run.graded("t0", 1, usage=TokenUsage(input=1, output=2, reasoning=4, cache_read=8))
        run.graded("t1", 1, usage=TokenUsage(output=2))

        assert read_figures(run.save()).agents.tokens == {"t0": 15}

    def test_trajectory_fills_what_is_unknown(self, tmp_path: Path) -> None:
        """Turns and tokens that no generation states are those of the trajectory."""
        run = graded(tmp_path, [None, 7])
        for task_id in ("t0", "t1"):
            record(run, task_id, turns=3, prompt_tokens=100, completion_tokens=10)

        agents = read_figures(run.save()).agents

        assert agents.turns == {"t0": 3, "t1": 7}
        assert agents.tokens == {"t0": 110, "t1": 110}


def test_runs_are_side_by_side(tmp_path: Path) -> None:
    """Several runs have their turns and tool calls side by side."""
    one, other = graded(tmp_path, [2, 4, 9]), graded(tmp_path, [None] * 3, "r2")
    record(one, "t0", "bash", "!bash")

    page = write_page_of_several([one.save(), other.save()], tmp_path / "page.html")

    text = Parsed(page).words
    assert "Turns a task median 4 " in text
    assert "Tool calls 2, 1 failed " in text
