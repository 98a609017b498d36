"""A score request that is larger than what should be in memory."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.schemas import FinalScoreRequest
from tests.unit.client.scripted_server import failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.client.scripted_server import Script

pytestmark = pytest.mark.anyio

MIB = 1024**2
SCORE = {"tasks_evaluated": [], "final_score": 0.5}


def results(count: int, size: int) -> Iterator[tuple[str, dict[str, str]]]:
    for number in range(count):
        yield f"t{number}", {"text": chr(97 + number % 26) * size}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("count", [1, 30])
async def test_large_request_arrives_whole(script: Script, url: str, count: int) -> None:
    """A request from a file arrives whole, with its length, in each attempt."""
    script.answer(failure(503), SCORE)
    request = FinalScoreRequest(evaluation_results={}, dataset="d")
    async with BenchmarkServiceClient(url, retry=RetryPolicy(2, first_wait=0.001)) as client:
        score = await client.score_each(request, results(count, MIB))
    assert score.final_score == 0.5
    assert script.seen[0].body == script.seen[1].body
    assert json.loads(script.seen[1].body) == {
        "evaluation_results": dict(results(count, MIB)),
        "dataset": "d",
    }
    assert script.seen[1].headers["content-length"] == str(len(script.seen[1].body))
    assert "transfer-encoding" not in script.seen[1].headers


async def test_one_result_is_in_memory_at_a_time(url: str, script: Script) -> None:
    """The peak of memory grows with the largest result, not with their number."""
    script.answer(SCORE)
    script.keep_bodies = False
    request = FinalScoreRequest(evaluation_results={})
    async with BenchmarkServiceClient(url) as client:
        tracemalloc.start()
        try:
            await client.score_each(request, results(40, 4 * MIB))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 60 * MIB
