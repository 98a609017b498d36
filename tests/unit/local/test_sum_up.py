from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import GraderError, ServiceUnavailableError
from benchmark_runner.local import local_client
from benchmark_runner.schemas import V1ScoreRequest
from tests.unit.local.sample_service import ONCE, Wire, make

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


RESULTS: dict[str, object] = {
    "1": {"status": "evaluated", "result": {"pass_percentage": 1.0}},
    "2": {"status": "evaluated", "result": 0.5},
    "3": {"status": "did_not_complete", "result": {"pass_percentage": 1.0}},
    "4": None,
}


class TestScoring:
    async def test_score_is_the_mean_of_the_submitted(self, wire: Wire) -> None:
        """The score is the mean of what is submitted; what is not evaluated counts 0."""
        v1_body = V1ScoreRequest(run_id="r1", dataset="validation", evaluation_results=RESULTS)
        async with BenchmarkServiceClient(wire.url) as client:
            legacy = await client.final_score(RESULTS, "validation")
            v1 = await client.score(v1_body)
            part = await client.final_score({"1": RESULTS["1"]}, "validation")
            none = await client.final_score({}, "validation")
        assert legacy.final_score == v1.final_score == 0.375
        assert legacy.tasks_evaluated == ["1", "2", "3", "4"]
        assert legacy.metadata == {
            "submitted": 4,
            "evaluated": 2,
            "counted_as_zero": 2,
            "tasks_in_dataset": 4,
        }
        assert v1.run_id == "r1"
        assert (part.final_score, none.final_score) == (1.0, 0.0)

    async def test_legacy_score_accepts_bare_results(self, wire: Wire) -> None:
        """The legacy path accepts results without their envelopes."""
        async with BenchmarkServiceClient(wire.url) as client:
            score = await client.final_score({"1": {"pass_percentage": 0.5}}, "validation")
        assert score.final_score == 0.5

    async def test_the_authors_task_score_counts(self, folder: Path) -> None:
        """The author's task_score() is used."""
        service = make(folder, task_score=lambda result: 7.0 if result == "good" else 0)
        results = {
            "1": {"status": "evaluated", "result": "good"},
            "2": {"status": "evaluated", "result": "bad"},
        }
        async with local_client(service) as client:
            assert (await client.final_score(results, "validation")).final_score == 3.5

    @pytest.mark.parametrize("result", [None, "1.0", {"correct": True}])
    async def test_result_without_a_score_is_refused(self, wire: Wire, result: object) -> None:
        """A submitted result without a score is refused by the task's name, and is no 0."""
        submitted = {**RESULTS, "3": {"status": "evaluated", "result": result}}
        async with BenchmarkServiceClient(wire.url, retry=ONCE) as client:
            with pytest.raises(ServiceUnavailableError, match=r"task '3': .* finds no score"):
                await client.final_score(submitted, "validation")

    async def test_failing_task_score_is_reported(self, folder: Path) -> None:
        """A task_score() that raises is reported."""
        service = make(folder, task_score=lambda result: result["missing"])
        async with local_client(service) as client:
            with pytest.raises(GraderError) as caught:
                await client.final_score({"1": {"status": "evaluated", "result": {}}}, "validation")
        assert "KeyError: 'missing'" in caught.value.message

    async def test_task_score_that_is_no_number_is_reported(self, folder: Path) -> None:
        """A task_score() that returns no number is reported, and does not count as 0."""
        service = make(folder, task_score=lambda _result: "good")
        async with local_client(service) as client:
            with pytest.raises(GraderError, match="TypeError"):
                await client.final_score({"1": {"status": "evaluated", "result": {}}}, "validation")
