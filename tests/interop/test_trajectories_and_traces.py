"""Trajectories and traces of a run, read by the packages that define their formats."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from typing import TYPE_CHECKING, Any

import atif
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.interop.agent import PLANTED_KEY, TASKS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.interop.conftest import Runs

GENERATED = {(str(task["id"]), repeat) for task in TASKS for repeat in (1, 2)} - {
    ("missing", 1),
    ("missing", 2),
}
IDS = frozenset({"traceId", "spanId", "parentSpanId"})


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]


def with_ids_in_base64(raw: dict[str, Any]) -> dict[str, Any]:
    """Return an object of JSON as protobuf reads bytes; the ids in traces are hexadecimal."""
    made = {name: b64encode(bytes.fromhex(raw[name])).decode() for name in IDS & raw.keys()}
    return {**raw, **made}


def read_spans(file: Path) -> list[Any]:
    """Return the spans of a file; a name or a type that the protocol does not have is an error."""
    found: list[Any] = []
    for line in file.read_text().splitlines():
        request = ExportTraceServiceRequest()
        content = json.loads(line, object_hook=with_ids_in_base64)
        json_format.ParseDict(content, request)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                found += scope.spans
    return found


def attributes(span: Any) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes
    }


@pytest.fixture(scope="session")
def spans(runs: Runs) -> list[Any]:
    """The spans of a run with every outcome."""
    return read_spans(runs.export("outcomes", "otel", "outcomes.otel.jsonl"))


class TestTrajectories:
    @pytest.mark.parametrize("run_id", ["outcomes", "complete", "unscored"])
    def test_every_file_is_valid(self, runs: Runs, run_id: str) -> None:
        """Every file passes the strict validator of the format."""
        folder = runs.export(run_id, "atif", f"{run_id}-atif")
        found = rows(folder)
        for row in found:
            read = atif.Trajectory.model_validate_json((folder / row["path"]).read_bytes())
            assert read.steps
            assert read.extra is not None
            assert read.extra["benchmark_runner"]["task_id"] == row["task_id"]
        assert len(found) == len([*(folder / "trajectories").rglob("*.json")])

    def test_each_attempt_is_there(self, runs: Runs) -> None:
        """Each repeat of each generated task is there, and the attempt that was done again."""
        found = rows(runs.export("outcomes", "atif", "outcomes-atif"))
        current = [(row["task_id"], row["repeat"]) for row in found if row["is_current"]]
        assert len(current) == len({*current})
        assert {*current} == GENERATED
        earlier = {row["task_id"] for row in found if not row["is_current"]}
        assert earlier == {"mended"}

    def test_scores_are_ours(self, runs: Runs) -> None:
        """The scores of the trajectories have the mean that the run has."""
        found = rows(runs.export("complete", "atif", "complete-atif"))
        scores = [row["score"] for row in found if row["is_current"]]
        assert sum(scores) / len(scores) == pytest.approx(runs.status("complete")["mean"], abs=1e-9)

    def test_no_key_is_in_a_byte(self, runs: Runs) -> None:
        """A key that an agent says is in no byte of the folder."""
        folder = runs.export("outcomes", "atif", "outcomes-atif")
        written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        assert not any(PLANTED_KEY.encode() in data for data in written)


class TestTraces:
    def test_spans_are_a_tree(self, spans: list[Any]) -> None:
        """The spans are of one trace, and each but that of the run is below another."""
        ids = {span.span_id for span in spans}
        assert len({span.trace_id for span in spans}) == 1
        assert len(ids) == len(spans)
        (root,) = (span for span in spans if not span.parent_span_id)
        assert attributes(root)["gen_ai.operation.name"] == "invoke_workflow"
        assert all(span.parent_span_id in ids for span in spans if span is not root)
        kinds = Counter(attributes(span)["gen_ai.operation.name"] for span in spans)
        assert kinds.keys() == {"invoke_workflow", "invoke_agent", "chat", "execute_tool"}

    def test_each_attempt_has_a_span(self, spans: list[Any]) -> None:
        """Each attempt has a span, with its grade as an event where it has one."""
        found = [each for span in spans if "benchmark_runner.task.id" in (each := attributes(span))]
        assert {
            (each["benchmark_runner.task.id"], each["benchmark_runner.repeat"]) for each in found
        } == GENERATED
        graded = [
            (attributes(span)["benchmark_runner.task.id"], attributes(event))
            for span in spans
            for event in span.events
        ]
        scores = {name: each.get("gen_ai.evaluation.score.value") for name, each in graded}
        assert (scores["right"], scores["half"], scores["slow"], scores["unfair"]) == (
            1,
            0.5,
            0,
            None,
        )
        assert "broken" not in scores

    def test_failures_have_a_status(self, spans: list[Any]) -> None:
        """An attempt that failed has the status of an error, and its type."""
        failed = {
            attributes(span)["benchmark_runner.task.id"]: attributes(span)["error.type"]
            for span in spans
            if span.status.code and "benchmark_runner.task.id" in attributes(span)
        }
        assert failed["broken"] == "ValueError"
        assert failed["mended"] == "RuntimeError"
        assert "slow" not in failed
        assert "right" not in failed
