"""``run --dry-run --from R``: what a plan will cost and take, if as in the run R."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.files import state

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

AGENT = """\
from benchmark_runner import BenchmarkRunner, GenerationResult

class SampleRunner(BenchmarkRunner):
    NAME = "sample"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        number = int(task.id[1:])
        duration, cost = {spent}
        return GenerationResult(answer="x", duration=duration, cost=cost)
"""
SPENT = "60.0 + number, 0.5 + number / 100"


@pytest.fixture
def costly(project: RunnerProject) -> RunnerProject:
    """A project of 40 tasks, whose run r0 did 20 of them for about 60 cents and 70 s each."""
    project.write_agent(AGENT.format(spent=SPENT))
    project.write_tasks([{"id": f"t{n}", "question": "say", "answer": ""} for n in range(40)])
    assert project.run("run", "--run-id", "r0", *(f"t{n}" for n in range(20))).code == 0
    return project


def dry_run(project: RunnerProject, *args: str, run_id: str = "r1") -> list[str]:
    ended = project.run("run", "--run-id", run_id, "--dry-run", *args)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


class TestText:
    def test_new_run(self, costly: RunnerProject) -> None:
        """The cost and the time of a new run are shown with ranges, and nothing is touched."""
        before = state(costly.root)
        lines = dry_run(costly, "--from", "r0", "--parallelism", "4")
        assert state(costly.root) == before
        at = lines.index("  forecast from 20 generations of run r0, model sample-model")
        cost, each, time, each_time, ranges = lines[at + 1 : at + 6]
        assert cost.startswith("    cost   about $2")
        assert " to $" in cost
        assert each in {"           $0.59 a generation", "           $0.60 a generation"}
        assert time.startswith("    time   1")
        assert time.endswith(" min) at parallelism 4")
        assert each_time == "           1 min 10 s a generation; evaluations are not counted"
        assert ranges == "    The ranges hold what comes out of 90 in 100 such runs."
        assert lines[-1] == "Leave out --dry-run to do it."

    def test_rest_of_the_run_itself(self, costly: RunnerProject) -> None:
        """The cost of a run so far is part of the cost in the end."""
        lines = dry_run(costly, "--from", "r0", run_id="r0")
        cost = next(line for line in lines if line.startswith("    cost "))
        assert cost.endswith(", $11.90 of it spent")

    @pytest.mark.parametrize(
        ("most", "text"),
        [("8", "reached in about "), ("500", "not reached"), ("0", "reached, no task would start")],
    )
    def test_limit(self, costly: RunnerProject, most: str, text: str) -> None:
        """The limit of the cost stands beside it."""
        lines = dry_run(costly, "--from", "r0", "--max-cost", most)
        assert any(line.startswith(f"    limit  --max-cost {most}: {text}") for line in lines)

    def test_no_cost(self, costly: RunnerProject) -> None:
        """Of a run without a recorded cost it says so, and shows the time."""
        costly.write_agent(AGENT.format(spent="60.0, None"))
        assert costly.run("run", "--run-id", "free", *(f"t{n}" for n in range(9))).code == 0
        lines = dry_run(costly, "--from", "free", "--max-cost", "3")
        assert "    cost   not known: no generation of that run has a recorded cost" in lines
        assert "    limit  --max-cost 3" in lines
        assert any(line.startswith("    time   ") for line in lines)

    def test_some_costs(self, costly: RunnerProject) -> None:
        """Generations without a recorded cost count nothing, which it says."""
        costly.write_agent(AGENT.format(spent="60.0, 0.5 if number % 2 else None"))
        assert costly.run("run", "--run-id", "part", *(f"t{n}" for n in range(10))).code == 0
        lines = dry_run(costly, "--from", "part")
        cost = next(line for line in lines if line.startswith("    cost   about $"))
        assert 8 < float(cost.split("$")[1].split()[0]) < 12
        note = "$0.50 a generation; 5 without a recorded cost count nothing"
        assert f"           {note}" in lines

    def test_too_few(self, costly: RunnerProject) -> None:
        """From fewer than a handful there is no forecast, but what one took."""
        assert costly.run("run", "--run-id", "short", "t1", "t2").code == 0
        lines = dry_run(costly, "--from", "short")
        assert "    none: that takes 5 generations with a recorded duration" in lines
        assert "    cost   $0.52 a generation" in lines or "    cost   $0.51 a generation" in lines

    def test_question(self, costly: RunnerProject) -> None:
        """A run that may be settled before is said to cost less then."""
        lines = dry_run(costly, "--from", "r0", "--until-score", "0.5")
        assert "    It is less if the question is settled before." in lines


class TestJson:
    def test_all_numbers(self, costly: RunnerProject) -> None:
        """The JSON has each number, and where it comes from."""
        arguments = ("--from", "r0", "--parallelism", "4", "--max-cost", "8", "--json")
        document = costly.run("run", "--run-id", "r1", "--dry-run", *arguments).json
        found = document["forecast"]
        cost, seconds = found.pop("cost"), found.pop("seconds")
        assert cost["low"] < 40 * 0.595 < cost["high"]
        assert cost["low"] <= cost["estimate"] <= cost["high"]
        assert seconds["low"] < 10 * 70 < seconds["high"]
        assert 0 < found.pop("max_cost_reached_after") < seconds["estimate"]
        assert found.pop("cost_per_generation") == pytest.approx(0.595)
        assert found.pop("seconds_per_generation") == pytest.approx(69.5)
        assert found == {
            "from": "r0",
            "model": "sample-model",
            "generations": 40,
            "parallelism": 4,
            "finished": 20,
            "cost_unknown": 0,
            "level": 0.9,
            "spent": 0.0,
            "max_cost": 8.0,
        }

    def test_only_on_request(self, costly: RunnerProject) -> None:
        """Without a run to forecast from, there is no forecast."""
        document = costly.run("run", "--run-id", "r1", "--dry-run", "--json").json
        assert "forecast" not in document


class TestErrors:
    def test_no_such_run(self, costly: RunnerProject) -> None:
        """A run that does not exist is an error that names similar ones."""
        ended = costly.run("run", "--run-id", "r1", "--dry-run", "--from", "r00")
        assert ended.code == 2
        assert "there is no run 'r00'" in ended.err
        assert "Did you mean r0?" in ended.err
        assert "List the runs: " in ended.err

    @pytest.mark.parametrize("name", ["../r0", "", "a/b"])
    def test_no_name_of_a_run(self, costly: RunnerProject, name: str) -> None:
        """A name that no run can have is an error."""
        ended = costly.run("run", "--run-id", "r1", "--dry-run", "--from", name)
        assert ended.code == 2

    def test_needs_dry_run(self, costly: RunnerProject) -> None:
        """Without --dry-run it is an error, before anything is done."""
        before = state(costly.root)
        ended = costly.run("run", "--run-id", "r1", "--from", "r0")
        assert ended.code == 2
        assert "--from needs --dry-run" in ended.err
        assert state(costly.root) == before


class TestFirstEvent:
    def test_it_has_what_a_forecast_needs(self, costly: RunnerProject) -> None:
        """The first event of a resume has what has finished, and the limits of cost and time."""
        arguments = ("--run-id", "r0", "--max-cost", "100", "--timeout", "90")
        assert costly.run("run", *arguments).code == 0
        first = _last_start(costly)
        assert (first["max_cost"], first["timeout"]) == (100.0, 90.0)
        counts, _, seconds, dollars, squares = map(sum, zip(*first["finished"], strict=True))
        assert counts == 20
        assert seconds == pytest.approx(20 * 69.5, rel=1e-4)
        assert dollars == pytest.approx(20 * 0.595, rel=1e-4)
        assert squares > 20 * 0.595**2

    @pytest.mark.parametrize(("own", "limit"), [(300, 300.0), (0, None)])
    def test_limit_of_a_task(self, costly: RunnerProject, own: int, limit: float | None) -> None:
        """A task that may take longer than the others is the limit of all."""
        tasks = [{"id": "t0", "question": "say", "answer": ""}]
        costly.write_tasks([*tasks, {"id": "t1", "question": "say", "answer": "", "timeout": own}])
        assert costly.run("run", "--run-id", "r0-own", "--timeout", "90").code == 0
        assert _last_start(costly, "r0-own")["timeout"] == limit


def _last_start(project: RunnerProject, run_id: str = "r0") -> dict[str, Any]:
    lines = (project.results / run_id / "events.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["event"] == "invocation_started"][-1]
