"""A run as a trace: each attempt with its calls and its grade, the same each time."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._redaction import Redactor
from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner.results.export.otel.lines import write_spans
from benchmark_runner.results.run_view import open_view
from benchmark_runner.schemas import GenerationResult
from tests.fakes import FakeRunner
from tests.unit.results.export.outcomes import KEY, add, every_outcome
from tests.unit.results.report.agents import call, hostile, long, result, step, trajectory
from tests.unit.results.report.runs import START, MadeRun

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.results.run_view import RunView

ASKED_FOR = {
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result", "gen_ai.evaluation.explanation",
}  # fmt: skip
BEGAN = int(START.timestamp()) * 10**9


class Span:
    """A span that was read, with its attributes by name."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.name: str = raw["name"]
        self.id: str = raw["spanId"]
        self.parent: str | None = raw.get("parentSpanId")
        self.window = int(raw["startTimeUnixNano"]), int(raw["endTimeUnixNano"])
        self.values = values(raw)
        self.events = [(each["name"], values(each)) for each in raw.get("events", ())]

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)


def values(raw: dict[str, Any]) -> dict[str, Any]:
    """Return attributes; each has a value of exactly one type, and integers are texts."""
    found: dict[str, Any] = {}
    for each in raw["attributes"]:
        ((kind, value),) = each["value"].items()
        found[each["key"]] = int(value) if kind == "intValue" else value
        assert isinstance(value, {"boolValue": bool, "doubleValue": float}.get(kind, str))
    return found


def lines(view: RunView, *, contents: bool = False, reduction: Reduction = MEAN) -> list[bytes]:
    written: list[bytes] = []
    count = write_spans(view, written.append, reduction, contents=contents)
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in written)
    assert count == sum(line.count(b'"spanId"') for line in written)
    return written


def spans(view: RunView, *, contents: bool = False, reduction: Reduction = MEAN) -> list[Span]:
    return [
        Span(raw)
        for line in lines(view, contents=contents, reduction=reduction)
        for of in json.loads(line)["resourceSpans"]
        for scope in of["scopeSpans"]
        for raw in scope["spans"]
    ]


def attempts(found: list[Span]) -> dict[tuple[str, int, int], Span]:
    """Return the spans of attempts by task, repeat and attempt."""
    names = ("benchmark_runner.task.id", "benchmark_runner.repeat", "benchmark_runner.attempt")
    return {tuple(span[name] for name in names): span for span in found if span[names[0]]}  # pyright: ignore[reportReturnType]


@pytest.fixture
def view(tmp_path: Path) -> RunView:
    """A run with every kind of outcome."""
    return every_outcome(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> MadeRun:
    """A run of one task, which is right."""
    made = MadeRun(tmp_path)
    made.graded("t1", 1.0)
    return made


class TestTrace:
    def test_run_is_one_trace(self, view: RunView) -> None:
        """A run is one trace: a workflow, below it the attempts, below these what they called."""
        found = spans(view)
        assert len({span.raw["traceId"] for span in found}) == 1
        by_id = {span.id: span for span in found}
        assert len(by_id) == len(found)
        (root,) = (span for span in found if span.parent is None)
        assert (root.name, root["gen_ai.operation.name"]) == (
            "invoke_workflow my-bench",
            "invoke_workflow",
        )
        assert {span.parent for span in attempts(found).values()} == {root.id}
        assert all(span.parent in by_id for span in found if span is not root)

    def test_ids_and_times_are_as_specified(self, view: RunView) -> None:
        """Ids are hexadecimal, times are texts of nanoseconds, and no span ends before it began."""
        for span in spans(view):
            assert re.fullmatch("[0-9a-f]{32}", span.raw["traceId"])
            assert re.fullmatch("[0-9a-f]{16}", span.id)
            assert BEGAN <= span.window[0] <= span.window[1]
            assert span.raw["kind"] == (3 if span.name.startswith("chat") else 1)

    def test_second_export_is_the_same(self, view: RunView) -> None:
        """Another export of the same run has the same bytes."""
        assert lines(view, contents=True) == lines(view, contents=True)

    def test_score_is_reduced_as_asked_for(self, run: MadeRun) -> None:
        """The mean of the run is that of the reduction by which its tasks are scored."""
        run.repeat(2).graded("t1", 0.0)
        *_, root = spans(run.save(), reduction=Reduction.parse("max"))
        assert root["benchmark_runner.reduce"] == "max"
        assert root["benchmark_runner.mean"] == 1.0

    def test_run_is_the_resource(self, view: RunView) -> None:
        """Each line names the run as its resource."""
        for line in lines(view):
            (of,) = json.loads(line)["resourceSpans"]
            found = values(of["resource"])
            assert found["service.name"] == "my-bench"
            assert found["benchmark_runner.run.id"] == "r1"
            assert found["vcs.ref.head.revision"].startswith("0123456789")


class TestAttempts:
    def test_each_attempt_has_a_span(self, view: RunView) -> None:
        """Earlier and killed attempts have a span like the others."""
        found = attempts(spans(view))
        assert found.keys() == {
            ("right", 1, 1), ("right", 2, 1), ("wrong", 1, 1), ("slow", 1, 1), ("chatty", 1, 1),
            ("broken", 1, 1), ("broken", 1, 2), ("unfair", 1, 1), ("ungraded", 1, 1),
            ("killed", 1, 1), ("odd id.json", 1, 1),
        }  # fmt: skip
        assert [key for key, span in found.items() if not span["benchmark_runner.is_current"]] == [
            ("broken", 1, 1)
        ]

    def test_tokens_include_those_of_the_cache(self, view: RunView) -> None:
        """The input has all tokens, those of the cache too; what is unknown is left out."""
        found = attempts(spans(view))
        usage = {
            name.removeprefix("gen_ai.usage."): value
            for name, value in found["right", 1, 1].values.items()
            if "usage" in name
        }
        assert usage == {
            "input_tokens": 137, "output_tokens": 25, "cache_read.input_tokens": 30,
            "cache_write.input_tokens": 7, "reasoning.output_tokens": 5,
        }  # fmt: skip
        assert found["right", 1, 1]["benchmark_runner.cost"] == 0.25
        assert "gen_ai.usage.input_tokens" not in found["slow", 1, 1].values

    def test_errors_are_told(self, view: RunView) -> None:
        """An error has its type and its message; running out of time is none."""
        found = attempts(spans(view))
        broken = found["broken", 1, 1]
        assert broken["error.type"] == "ValueError"
        assert broken.raw["status"] == {"code": 2, "message": "ValueError: no luck"}
        killed = found["killed", 1, 1]
        assert (killed["error.type"], killed.raw["status"]["code"]) == ("cancelled", 2)
        slow = found["slow", 1, 1]
        assert (slow.raw["status"], slow["benchmark_runner.generation_status"]) == ({}, "max_time")

    @pytest.mark.parametrize(
        ("key", "value", "label"),
        [
            (("right", 1, 1), 1.0, "passed"),
            (("right", 2, 1), 0.0, "failed"),
            (("odd id.json", 1, 1), 0.5, "partly"),
            (("slow", 1, 1), 0.0, "timed out"),
            (("chatty", 1, 1), 0.0, "out of turns"),
        ],
    )
    def test_grade_is_an_event(
        self, view: RunView, key: tuple[str, int, int], value: float, label: str
    ) -> None:
        """A grade is an event of the attempt that it is of."""
        ((name, event),) = attempts(spans(view))[key].events
        assert name == "gen_ai.evaluation.result"
        assert event == {
            "gen_ai.evaluation.name": "my-bench",
            "gen_ai.evaluation.score.value": value,
            "gen_ai.evaluation.score.label": label,
        }

    def test_grade_is_of_the_current_attempt(self, run: MadeRun) -> None:
        """An earlier attempt, whose result does not count, has no grade."""
        run.failed("t1", "ValueError: no luck")
        run.graded("t1", 0.5)
        run.tasks = ["t1"]
        found = attempts(spans(run.save()))
        assert [len(span.events) for span in found.values()] == [0, 0, 1]

    def test_failed_grade_has_no_score(self, view: RunView) -> None:
        """A failed evaluation is an event with the error; without an evaluation there is none."""
        found = attempts(spans(view))
        ((_, event),) = found["unfair", 1, 1].events
        assert event["error.type"] == "KeyError"
        assert "gen_ai.evaluation.score.value" not in event
        for key in (("ungraded", 1, 1), ("broken", 1, 1), ("broken", 1, 2), ("killed", 1, 1)):
            assert found[key].events == []


class TestCalls:
    def test_models_and_tools_are_below_the_agent(self, view: RunView) -> None:
        """The calls of a trajectory are below its agent, each with what it took."""
        found = spans(view)
        agent = attempts(found)["right", 1, 1]
        below = [span for span in found if span.parent == agent.id]
        assert [span.name for span in below] == [
            "chat some-model-1", "execute_tool search", "execute_tool run_python",
            "chat some-model-1", "execute_tool run_python", "chat some-model-1",
        ]  # fmt: skip
        chat, _, failed = below[:3]
        assert (chat["gen_ai.usage.input_tokens"], chat["benchmark_runner.cost"]) == (1200, 0.0123)
        assert [(end - start) // 10**9 for start, end in (each.window for each in below[:3])] == [
            7, 0, 0,
        ]  # fmt: skip
        assert (failed["error.type"], failed.raw["status"]["code"]) == ("tool_error", 2)
        assert failed["gen_ai.tool.call.id"] == "c2"

    def test_subagents_are_below_their_call(self, view: RunView) -> None:
        """A subagent is below the call that it answers, and its own calls below it."""
        found = spans(view)
        (caller,) = (span for span in found if span.name == "execute_tool delegate")
        below = [span for span in found if span.parent == caller.id]
        assert [span.name for span in below] == ["invoke_agent finder", "invoke_agent helper"]
        (deepest,) = (span for span in found if span.name == "invoke_agent deepest")
        assert deepest.parent == below[0].id

    def test_provider_is_that_of_the_model(self, run: MadeRun) -> None:
        """The provider is the first part of the model's name, as the conventions call it."""
        models = ["anthropic/c", "google/g", "plain"]
        add(run, "t1", trajectory(*(step(1, message="a", model_name=name) for name in models)))
        found = [span for span in spans(run.save()) if span.name.startswith("chat")]
        assert [span["gen_ai.provider.name"] for span in found] == [
            "anthropic", "gcp.gen_ai", "unknown",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "times", [("", ""), ("yesterday", "9999-12-31T23:59:59"), ("0001-01-01", "")]
    )
    def test_missing_times_are_those_around(self, run: MadeRun, times: tuple[str, str]) -> None:
        """A step without a possible time has that of the step before."""
        turns = [{**step(1, message="a"), "timestamp": time} for time in times]
        add(run, "t1", trajectory(*turns))
        for span in spans(run.save()):
            assert BEGAN <= span.window[0] <= span.window[1] <= BEGAN + 6 * 10**9

    def test_attempt_without_times_is_at_the_start(self, run: MadeRun) -> None:
        """An attempt of which no time is known begins with the run."""
        run.artifacts.save_generation("t1", GenerationResult(task_id="t1"))
        span = attempts(spans(run.save()))["t1", 1, 1]
        assert span.window == (BEGAN, BEGAN)


class TestContents:
    def test_contents_are_only_there_if_asked_for(self, view: RunView) -> None:
        """Without being asked for, no span holds a question, an answer or a result."""
        found = spans(view)
        assert not ASKED_FOR & {name for span in found for name in span.values}
        text = b"".join(lines(view))
        for said in (b"What is right", b"It is right", b"Heron", b"triangle", b"as told"):
            assert said not in text

    def test_contents_that_are_asked_for(self, view: RunView) -> None:
        """Asked for, spans hold messages as the conventions have them."""
        found = spans(view, contents=True)
        agent = attempts(found)["right", 1, 1]
        assert json.loads(agent["gen_ai.input.messages"]) == [
            {"role": "user", "parts": [{"type": "text", "content": "What is right?"}]}
        ]
        first, _, _, second, *_ = (span for span in found if span.parent == agent.id)
        (said,) = json.loads(first["gen_ai.output.messages"])
        assert (said["role"], [part["type"] for part in said["parts"]]) == (
            "assistant",
            ["reasoning", "text", "tool_call", "tool_call"],
        )
        heard = json.loads(first["gen_ai.input.messages"])
        assert [message["role"] for message in heard] == ["system", "user"]
        assert heard[1]["parts"][1]["uri"] == "shots/1.png"
        answered = json.loads(second["gen_ai.input.messages"])
        assert answered[0]["parts"] == [
            {"type": "tool_call_response", "id": "c1", "response": "Heron's formula"}
        ]
        ((_, graded),) = attempts(found)["wrong", 1, 1].events
        assert json.loads(graded["gen_ai.evaluation.explanation"])["reason"] == "no"

    def test_tools_are_defined_if_asked_for(self, run: MadeRun) -> None:
        """The definitions of an agent's tools are contents, too."""
        tools = [{"name": "search", "description": "Search the web."}]
        agent = {"name": "a", "version": "1", "tool_definitions": tools}
        add(run, "t1", {**trajectory(step(1, message="a")), "agent": agent})
        view, name = run.save(), "gen_ai.tool.definitions"
        assert json.loads(attempts(spans(view, contents=True))["t1", 1, 1][name]) == tools
        assert attempts(spans(view))["t1", 1, 1][name] is None

    def test_lines_stay_small(self, run: MadeRun) -> None:
        """Lines stay below a million bytes, however much an agent has said."""
        loud = "\x00\u20ac" * 400_000
        steps = (step(1, message=loud, tool_calls=[call("c", loud, x=loud)]) for _ in range(3))
        many = [call(str(number), "f", x="y" * 500) for number in range(5000)]
        add(run, "t1", trajectory(*steps, step(1, loud, loud), step(1, tool_calls=many)))
        found = lines(run.save(), contents=True)
        assert len(found) > 3
        assert max(map(len, found)) < 1_000_000

    def test_hostile_texts_stay_texts(self, run: MadeRun) -> None:
        """Hostile texts are texts of the trace, and nothing else."""
        add(run, "t1", hostile())
        assert len(spans(run.save(), contents=True)) == 5
        add(run, "t1", long(300))
        assert len(spans(run.save())) == 602

    @pytest.mark.parametrize("contents", [False, True])
    def test_key_is_in_no_byte(self, run: MadeRun, *, contents: bool) -> None:
        """A key of the runner is masked, also one at the place where a text is cut."""
        around = "x" * 66_660
        said = step(
            1,
            message=f"{around}{KEY}{around}",
            tool_calls=[call("c", f"f{KEY}", header=f"Bearer {KEY}")],
            observation={"results": [result("c", json.dumps({"key": KEY}))]},
        )
        add(run, "t1", trajectory(said, name=KEY, session_id=KEY))
        run.save()
        view = open_view(run.results, "r1", FakeRunner(), Redactor([KEY]))
        text = b"".join(lines(view, contents=contents))
        assert KEY.encode() not in text
        assert KEY[:12].encode() not in text
        assert b"***" in text
