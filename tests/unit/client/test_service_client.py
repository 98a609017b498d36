from __future__ import annotations

import gzip
import json
import math
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from benchmark_runner.client import http_call
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import BadResponseError, RejectedRequestError
from benchmark_runner.schemas import EvalStatus, FinalScoreRequest, V1ScoreRequest
from tests.unit.client.scripted_server import GRADE, Script, fails, grade, v1_request

if TYPE_CHECKING:
    from pydantic import JsonValue
    from starlette.types import Receive, Send

pytestmark = pytest.mark.anyio


class TestRequests:
    async def test_legacy_evaluation_posts_to_its_path(self, script: Script, url: str) -> None:
        """A legacy evaluation is posted to the path that ends in a slash."""
        script.answer(GRADE)
        async with BenchmarkServiceClient(url) as client:
            assert await grade(client) == GRADE
        (seen,) = script.seen
        assert (seen.method, seen.path) == ("POST", "/evaluate-response/")
        assert seen.json() == {"task_id": "t1", "response": "42", "dataset": "d"}

    @pytest.mark.parametrize("result", [None, 0.5, "good", [1, None], True])
    async def test_a_legacy_result_may_be_any_json(
        self, script: Script, url: str, result: object
    ) -> None:
        """The result of a legacy evaluation may be any JSON."""
        script.answer(JSONResponse(result))
        async with BenchmarkServiceClient(url) as client:
            assert await grade(client, None) == result
        assert script.seen[0].json() == {"task_id": "t1", "response": "42"}

    async def test_v1_evaluation_names_the_payload_schema(self, script: Script, url: str) -> None:
        """A v1 evaluation sends the payload with its schema and the versions."""
        script.answer({"task_id": "t1", "status": "evaluated", "result": None})
        async with BenchmarkServiceClient(url) as client:
            answer = await client.evaluate(v1_request())
        assert answer.status is EvalStatus.EVALUATED
        assert script.seen[0].path == "/v1/evaluate"
        assert script.seen[0].json() == {
            "run_id": "r1",
            "task_id": "t1",
            "dataset": "d",
            "payload": {"type": "text", "schema": "my-bench.text.v1", "data": "42"},
            "versions": {"runner": "dev"},
        }

    async def test_reduced_answer_is_enough(self, script: Script, url: str) -> None:
        """The reduced answer to a trial tenant is read."""
        script.answer({"status": "error", "errors": "error", "result": None})
        async with BenchmarkServiceClient(url) as client:
            answer = await client.evaluate(v1_request(None))
        assert (answer.status, answer.errors) == (EvalStatus.ERROR, ["error"])
        assert "dataset" not in script.seen[0].json()

    async def test_tasks_without_evaluation_are_sent_as_null(
        self, script: Script, url: str
    ) -> None:
        """Tasks without an evaluation are submitted as null."""
        script.answer({"tasks_evaluated": ["a"], "final_score": 0.5, "metadata": None})
        results = {"a": {"status": "evaluated", "result": None}, "b": None}
        async with BenchmarkServiceClient(url) as client:
            legacy = await client.final_score(results)
            v1 = await client.score(V1ScoreRequest(run_id="r1", evaluation_results=results))
        assert legacy.final_score == v1.final_score == 0.5
        assert [seen.path for seen in script.seen] == ["/final-score/", "/v1/score"]
        assert script.seen[0].json() == {"evaluation_results": results}
        assert script.seen[1].json() == {"run_id": "r1", "evaluation_results": results}

    @pytest.mark.parametrize("dataset", [None, 'the "d"'])
    @pytest.mark.parametrize("count", [0, 3, 3000])
    async def test_streamed_results_are_the_same_request(
        self, script: Script, url: str, dataset: str | None, count: int
    ) -> None:
        """Results that are sent one by one make the same request as all at once."""
        script.answer({"tasks_evaluated": ["a"], "final_score": 0.5})
        results: dict[str, JsonValue] = {
            f'ü"{number}': [None, {"evaluation_results": {}, "é": 1e22}, math.nan][number % 3]
            for number in range(count)
        }
        async with BenchmarkServiceClient(url) as client:
            await client.final_score(results, dataset)
            await client.score_each(
                FinalScoreRequest(evaluation_results={}, dataset=dataset), iter(results.items())
            )
            whole = V1ScoreRequest(run_id="r1", evaluation_results=results, dataset=dataset)
            await client.score(whole)
            empty = whole.model_copy(update={"evaluation_results": {}})
            scored = await client.score_each(empty, iter(results.items()))
        assert scored.final_score == 0.5
        legacy, legacy_each, v1, v1_each = script.seen
        assert (legacy_each.path, legacy_each.body) == (legacy.path, legacy.body)
        assert (v1_each.path, v1_each.body) == (v1.path, v1.body)
        assert len(json.loads(v1.body)["evaluation_results"]) == count

    async def test_a_dataset_name_is_encoded_in_the_path(self, script: Script, url: str) -> None:
        """The name of a dataset is encoded in the path."""
        script.answer({"dataset": "a/b c?", "tasks": [{"id": "1", "question": "?"}]})
        async with BenchmarkServiceClient(url + "/base/") as client:
            answer = await client.list_tasks("a/b c?")
        assert [task["id"] for task in answer.tasks] == ["1"]
        assert script.seen[0].raw_path == "/base/v1/datasets/a%2Fb%20c%3F/tasks"

    async def test_versions_may_be_null(self, script: Script, url: str) -> None:
        """Fields of the version may be null, and the dataset is optional."""
        script.answer({"service_name": "x", "eval_mode": None})
        async with BenchmarkServiceClient(url) as client:
            assert (await client.version("d e")).service_name == "x"
            await client.version()
        assert [seen.query for seen in script.seen] == [[("dataset", "d e")], []]

    async def test_health_needs_a_status(self, script: Script, url: str) -> None:
        """A health answer without a status is a bad response."""
        script.answer({"status": "ok"})
        async with BenchmarkServiceClient(url) as client:
            await client.health()
        script.answer({"hello": "world"})
        await fails(url, BadResponseError, BenchmarkServiceClient.health)

    async def test_task_ids_are_verified_in_chunks(self, script: Script, url: str) -> None:
        """Thousands of task ids are verified in several requests."""

        async def repeat(receive: Receive, send: Send) -> None:
            ids = [value for name, value in script.seen[-1].query if name == "task_ids"]
            response = JSONResponse({"task_ids": ids})
            await response({"type": "http", "method": "GET"}, receive, send)

        script.answer(repeat)
        asked = [f"täsk & {number}" for number in range(1500)]
        async with BenchmarkServiceClient(url) as client:
            assert await client.verify_task_ids(asked, "d e") == asked
            assert await client.verify_task_ids([]) == []
        assert len(script.seen) > 10
        assert all(("dataset", "d e") in seen.query for seen in script.seen)


class TestBadAnswers:
    @pytest.mark.parametrize(
        "content",
        [b"", b"<html></html>", b'{"pass_percentage": NaN}', b"[Infinity]", b"[1e999]", b"\xff"],
    )
    async def test_result_that_is_no_json_is_refused(
        self, script: Script, url: str, content: bytes
    ) -> None:
        """A result that is no valid JSON is a bad response."""
        script.answer(Response(content))
        error = await fails(url, BadResponseError)
        assert url in error.message
        assert len(script.seen) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            [],
            {"task_id": "t1"},
            {"task_id": "t1", "status": "splendid"},
            {"task_id": "t2", "status": "evaluated", "result": 1},
        ],
    )
    async def test_v1_answer_of_wrong_shape_is_refused(
        self, script: Script, url: str, answer: object
    ) -> None:
        """A v1 answer of the wrong shape or for another task is a bad response."""
        script.answer(JSONResponse(answer))
        await fails(url, BadResponseError, lambda client: client.evaluate(v1_request()))

    @pytest.mark.parametrize(
        "content",
        ["{}", "[]", '{"final_score": true}', '{"final_score": NaN}', '{"final_score": 1e999}'],
    )
    async def test_score_must_be_finite(self, script: Script, url: str, content: str) -> None:
        """A score without a finite number is a bad response."""
        script.answer(Response(content))
        await fails(url, BadResponseError, lambda client: client.final_score({"t": None}))

    @pytest.mark.parametrize(
        "answer",
        [
            {},
            {"tasks": {}},
            {"tasks": ["t1"]},
            {"tasks": [], "next": "/2"},
            {"tasks": [], "has_more": True},
        ],
    )
    async def test_task_list_of_wrong_shape_is_refused(
        self, script: Script, url: str, answer: object
    ) -> None:
        """A task list of the wrong shape is a bad response."""
        script.answer(JSONResponse(answer))
        error = await fails(url, BadResponseError, lambda client: client.list_tasks("d"))
        assert "tasks" in error.message

    async def test_undecodable_body_is_refused(self, script: Script, url: str) -> None:
        """A body that can't be decoded is a bad response."""
        script.answer(Response(b"not gzip", headers={"content-encoding": "gzip"}))
        await fails(url, BadResponseError)

    async def test_huge_answer_is_refused_but_no_task_list(self, script: Script, url: str) -> None:
        """An answer above 32 MiB is refused, except for a task list."""
        script.answer(Response(b'{"tasks": [], "final_score": 1}' + b" " * 32 * 1024**2))
        for ask in (
            grade,
            lambda client: client.evaluate(v1_request()),
            lambda client: client.final_score({"t1": None}),
            BenchmarkServiceClient.version,
        ):
            script.seen.clear()
            error = await fails(url, BadResponseError, ask)
            assert "it is larger than 32 MiB" in error.message
            assert len(script.seen) == 1
        async with BenchmarkServiceClient(url) as client:
            assert (await client.list_tasks("d")).tasks == []

    async def test_task_list_has_its_own_limit(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A task list has a size limit of its own."""
        assert http_call._LARGEST_TASK_LIST == 1024**3
        monkeypatch.setattr(http_call, "_LARGEST_TASK_LIST", 1024**2)
        script.answer(Response(b'{"tasks": []}' + b" " * 1024**2))
        error = await fails(url, BadResponseError, lambda client: client.list_tasks("d"))
        assert "it is larger than 1 MiB" in error.message

    async def test_gzip_is_requested_and_decompressed(self, script: Script, url: str) -> None:
        """Only gzip is asked for, and it is decompressed."""
        packed = gzip.compress(json.dumps(GRADE).encode())
        script.answer(Response(packed, headers={"content-encoding": "gzip"}))
        async with BenchmarkServiceClient(url) as client:
            assert await grade(client) == GRADE
        assert script.seen[0].headers["accept-encoding"] == "gzip"

    async def test_huge_error_body_is_cut(self, script: Script, url: str) -> None:
        """A huge error body is shown by its status and its first words."""
        script.answer(Response(b"no such task " * 1024**2, status_code=400))
        error = await fails(url, RejectedRequestError)
        assert error.status_code == 400
        assert 480 < len(error.detail or "") <= 501
        assert "HTTP 400: no such task" in error.message

    async def test_mock_transport_is_supported(self) -> None:
        """An answer of a mock transport is read."""
        ready = httpx.MockTransport(lambda _request: httpx.Response(200, json=GRADE))
        async with BenchmarkServiceClient("https://host", transport=ready) as client:
            assert await grade(client) == GRADE

    async def test_result_must_be_unicode_to_be_sent(self, script: Script, url: str) -> None:
        """A result that is not valid Unicode is refused before it is sent."""
        request = V1ScoreRequest(run_id="r1", evaluation_results={})
        for results in ({"t1": "\ud800"}, {"t1": None, "\ud800": None}):
            error = await fails(
                url,
                RejectedRequestError,
                lambda client, of=results: client.score_each(request, of.items()),
            )
            assert "score run 'r1'" in error.message
            assert "surrogates" in (error.hint or "")
        assert script.seen == []

    async def test_response_must_be_unicode_to_be_sent(self, script: Script, url: str) -> None:
        """A response that is not valid Unicode is refused before it is sent."""
        error = await fails(
            url,
            RejectedRequestError,
            lambda client: client.evaluate_response(task_id="t1", response="\ud800"),
        )
        assert "'t1'" in error.message
        assert script.seen == []
