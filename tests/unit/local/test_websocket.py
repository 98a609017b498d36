from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING

import aiohttp
import pytest

from benchmark_runner._redaction import Redactor
from benchmark_runner.local import server as server_module
from benchmark_runner.local import websocket as module
from benchmark_runner.local.host_check import HostCheck
from tests.pages import DOCS, blocks
from tests.unit.local.sample_service import CANARY, KEY, Wire, exact_match, make, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

    Row = dict[str, object]
    Chunks = list[dict[str, object]]
    ServeApp = Callable[[ASGIApp], str]

pytestmark = pytest.mark.anyio

GUIDE = DOCS / "authoring.md"
HEADER = "x-benchmark-dataset-version"
ASKED = {"task_id": "1", "response": "yes", "dataset": "validation"}
SECRET = "a-secret-of-the-service"


async def steps(task: Row, response: str, state: int | None = None) -> AsyncIterator[object]:
    for number in range(state or 0, 3):
        yield f"step {number} of {response}"
        yield {"state": number + 1}
    yield {"score": 1.0, "begun_at": state}


def plain_steps(task: Row, response: str) -> Iterator[object]:
    yield from ("begun", {"state": {"n": 1}}, "done")
    return {"score": 0.5}


class Talk:
    """A conversation with a service over its WebSocket."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self.url = f"{url}/ws/evaluate-response"
        self.headers = headers or {}
        self.close: tuple[int | None, str | None] = (None, None)

    async def __call__(self, message: object) -> Chunks:
        """Send a message, and return all chunks until the end."""
        chunks: Chunks = []
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(self.url, headers=self.headers, max_msg_size=0) as socket,
        ):
            if isinstance(message, bytes):
                await socket.send_bytes(message)
            elif message is not None:
                await socket.send_str(message if isinstance(message, str) else json.dumps(message))
            async for chunk in socket:
                chunks.append(json.loads(chunk.data))
            self.close = (socket.close_code, None)
        return chunks


class TestChunks:
    async def test_plain_grader_sends_its_result(self, wire: Wire) -> None:
        """A grader that returns has one chunk, the result, and the connection ends."""
        talk = Talk(wire.url)
        chunks = await talk({**ASKED, "response": f"{CANARY}-1"})
        assert chunks == [{"type": "result", "data": {"pass_percentage": 1.0}}]
        assert talk.close[0] == 1000

    @pytest.mark.parametrize("grader", [steps, plain_steps])
    async def test_steps_are_sent_in_order(
        self, folder: Path, serve_app: ServeApp, grader: object
    ) -> None:
        """Texts are progress, states are sent as such, the last value is the result."""
        chunks = await Talk(serve_app(make(folder, grader)))(ASKED)
        kinds = [chunk["type"] for chunk in chunks]
        if grader is steps:
            assert kinds == ["message", "eval_resume_state"] * 3 + ["result"]
            assert chunks[0]["data"] == "step 0 of yes"
            assert chunks[-1]["data"] == {"score": 1.0, "begun_at": None}
        else:
            assert kinds == ["message", "eval_resume_state", "message", "result"]
            assert chunks[-1]["data"] == {"score": 0.5}

    async def test_both_http_apis_use_the_last_value(
        self, folder: Path, serve_app: ServeApp
    ) -> None:
        """Over HTTP the same grader gives its result, without progress."""
        wire = Wire(serve_app(make(folder, steps)))
        payload = {"type": "text", "schema": "my-bench.text.v1", "data": "yes"}
        result = {"score": 1.0, "begun_at": None}
        assert wire("POST", "/evaluate-response/", json=ASKED).json() == result
        v1 = wire("POST", "/v1/evaluate", json={**ASKED, "run_id": "r", "payload": payload})
        assert v1.json()["result"] == result

    async def test_version_comes_first(self, folder: Path, serve_app: ServeApp) -> None:
        """A connection about a version is told so first, or refused."""
        write(folder / "qa@1.2.json", [{"id": "1", "question": "?", "answer": "yes"}])
        url = serve_app(make(folder))
        found = Wire(url)("POST", "/resolve-dataset", json={"dataset": "qa"}).json()["version"]
        asked = {**ASKED, "dataset": "qa"}
        assert await Talk(url, {HEADER: found["id"]})(asked) == [
            {"type": "dataset_version", "data": {"id": found["id"], "label": "1.2"}},
            {"type": "result", "data": {"pass_percentage": 1.0}},
        ]
        detail = {"status_code": 404, "detail": "Dataset version not found: qa other"}
        refused = [{"type": "dataset_version_error", "data": detail}]
        assert await Talk(url, {HEADER: "other"})(asked) == refused


class TestResume:
    async def test_grader_goes_on_from_its_state(self, folder: Path, serve_app: ServeApp) -> None:
        """A state instead of the response: the grader gets both, and goes on from there."""
        talk = Talk(serve_app(make(folder, steps)))
        state = (await talk(ASKED))[3]["data"]
        chunks = await talk({"task_id": "1", "dataset": "validation", "eval_resume_state": state})
        assert [chunk["type"] for chunk in chunks] == ["message", "eval_resume_state", "result"]
        assert chunks[0]["data"] == "step 2 of yes"
        assert chunks[-1]["data"] == {"score": 1.0, "begun_at": 2}

    async def test_grader_without_state_begins_again(
        self, folder: Path, serve_app: ServeApp
    ) -> None:
        """A grader that takes no state begins again, with the response from the state."""

        def grade(_task: Row, response: str) -> Iterator[object]:
            yield {"state": None}
            yield {"score": 1.0, "response": response}

        talk = Talk(serve_app(make(folder, grade)))
        state = (await talk(ASKED))[0]["data"]
        chunks = await talk({"task_id": "1", "dataset": "validation", "eval_resume_state": state})
        assert chunks[-1]["data"] == {"score": 1.0, "response": "yes"}

    async def test_state_of_another_grader_is_not_used(
        self, folder: Path, serve_app: ServeApp
    ) -> None:
        """A state from before the references changed is not used, the response is."""
        state = (await Talk(serve_app(make(folder, steps)))(ASKED))[3]["data"]
        tests = [{"id": "1", "question": "?", "answer": "corrected"}]
        write(folder / "main.json", {"dataset_name": "validation", "tests": tests})
        asked = {"task_id": "1", "dataset": "validation", "eval_resume_state": state}
        chunks = await Talk(serve_app(make(folder, steps)))(asked)
        assert chunks[0]["type"] == "message"
        assert chunks[1]["data"] == "step 0 of yes"
        assert chunks[-1]["data"] == {"score": 1.0, "begun_at": None}

    async def test_oversized_state_is_not_sent(
        self, folder: Path, serve_app: ServeApp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A state that no client accepts is not sent, and the evaluation goes on."""
        monkeypatch.setattr(module, "_LARGEST_STATE", 100)
        chunks = await Talk(serve_app(make(folder, steps)))({**ASKED, "response": "x" * 100})
        assert {chunk["type"] for chunk in chunks} == {"message", "result"}
        assert "too large" in str(chunks[1]["data"])

    async def test_documented_grader_continues(self, folder: Path, serve_app: ServeApp) -> None:
        """The grader of the documentation reports, and continues after the tests that have run."""
        example = next(text for text in blocks(GUIDE.read_text(), "python") if "yield" in text)
        ran: list[str] = []

        async def run_test(test: str, _response: str) -> bool:
            ran.append(test)
            return test != "b"

        names: dict[str, object] = {"run_test": run_test}
        exec(example, names)
        rows = [{"id": "1", "question": "?", "tests": ["a", "b", "c"]}]
        write(folder / "main.json", {"dataset_name": "validation", "tests": rows})
        talk = Talk(serve_app(make(folder, names["grade"])))
        chunks = await talk(ASKED)
        assert chunks[0]["data"] == "running a"
        assert chunks[-1]["data"] == {"score": 2 / 3}
        ran.clear()
        asked = {"task_id": "1", "dataset": "validation", "eval_resume_state": chunks[3]["data"]}
        assert (await talk(asked))[-1]["data"] == {"score": 2 / 3}
        assert ran == ["c"]


class TestErrors:
    @pytest.mark.parametrize(
        ("message", "status", "words"),
        [
            ({**ASKED, "task_id": "zzz"}, 400, "Task ID not found: zzz"),
            ({**ASKED, "dataset": "none"}, 404, "Dataset not found: none"),
            ({**ASKED, "dataset": "broken"}, 500, "broken.jsonl"),
            ({**ASKED, "response": "raise"}, 500, "ValueError: no such answer"),
            ({"task_id": "1"}, 422, "one of response and eval_resume_state"),
            ({**ASKED, "eval_resume_state": {"task_id": "1"}}, 422, "eval_resume_state"),
            ({"response": "x"}, 422, "task_id: Field required"),
            ("{malformed", 422, "Invalid JSON"),
            (b"bytes", 422, "Invalid JSON"),
        ],
    )
    async def test_error_is_a_chunk(
        self, wire: Wire, message: object, status: int, words: str
    ) -> None:
        """A message that can't be evaluated ends in an error chunk, without a result."""
        (chunk,) = await Talk(wire.url)(message)
        assert (chunk["type"], chunk["status_code"]) == ("error", status)
        assert words in str(chunk["data"])
        assert CANARY not in str(chunk)

    async def test_generator_without_a_result_fails(
        self, folder: Path, serve_app: ServeApp
    ) -> None:
        """A grader that yields no result, or no JSON as a state, is an error of it."""

        async def silent(_task: Row, _response: str) -> AsyncIterator[object]:
            yield "begun"

        async def odd(_task: Row, _response: str) -> AsyncIterator[object]:
            yield {"state": object()}

        for grader, words in ((silent, "no result"), (odd, "not plain JSON")):
            chunk = (await Talk(serve_app(make(folder, grader)))(ASKED))[-1]
            assert chunk["type"] == "error"
            assert words in str(chunk["data"])

    async def test_secrets_are_masked(self, folder: Path, serve_app: ServeApp) -> None:
        """Secrets of the service are masked in each chunk."""

        async def tell(_task: Row, _response: str) -> AsyncIterator[object]:
            yield SECRET
            yield {"state": SECRET}
            yield {"score": 1, "why": SECRET}

        redactor = Redactor()
        redactor.hide([SECRET])
        chunks = await Talk(serve_app(make(folder, tell, redactor=redactor)))(ASKED)
        assert len(chunks) == 3
        assert SECRET not in str(chunks)

    async def test_artifact_benchmark_refuses_text(self, folder: Path, serve_app: ServeApp) -> None:
        """An artifact benchmark evaluates no response over a WebSocket."""
        (chunk,) = await Talk(serve_app(make(folder, payload_type="artifact")))(ASKED)
        assert (chunk["type"], chunk["status_code"]) == ("error", 400)


class TestConnection:
    @pytest.mark.parametrize("headers", [{}, {"x-descope-api-key": "wrong"}])
    async def test_wrong_key_closes_with_1008(self, locked: Wire, headers: dict[str, str]) -> None:
        """Without the key the connection is closed with 1008 and nothing is read."""
        talk = Talk(locked.url, headers)
        assert await talk(None) == []
        assert talk.close[0] == 1008

    @pytest.mark.parametrize(
        "headers", [{"x-descope-api-key": KEY}, {"authorization": f"Bearer {KEY}"}]
    )
    async def test_either_key_opens(self, locked: Wire, headers: dict[str, str]) -> None:
        """The key opens it as a header and as a bearer key, as for the legacy paths."""
        assert (await Talk(locked.url, headers)(ASKED))[-1]["type"] == "result"

    async def test_silent_connection_is_closed(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection over which no message comes is closed."""
        monkeypatch.setattr(module, "_FIRST_WITHIN", 0.05)
        talk = Talk(wire.url)
        assert await talk(None) == []
        assert talk.close[0] == 1008

    async def test_open_connection_has_no_time_limit(
        self, folder: Path, serve_app: ServeApp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A grade may take longer than a request has to arrive."""
        monkeypatch.setattr(server_module, "REQUEST_WITHIN", 0.5)

        async def slow(_task: Row, _response: str) -> AsyncIterator[object]:
            await asyncio.sleep(0.7)
            yield 1.0

        chunks = await Talk(serve_app(make(folder, slow)))(ASKED)
        assert chunks[-1] == {"type": "result", "data": 1.0}

    async def test_end_of_a_connection_ends_the_grade(
        self, folder: Path, serve_app: ServeApp
    ) -> None:
        """A client that leaves ends the evaluation, and the grader's generator is closed."""
        closed = threading.Event()

        async def endless(_task: Row, _response: str) -> AsyncIterator[object]:
            try:
                yield "begun"
                await asyncio.Event().wait()
            finally:
                closed.set()

        url = serve_app(make(folder, endless))
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}/ws/evaluate-response") as socket,
        ):
            await socket.send_json(ASKED)
            await socket.receive()
        assert await asyncio.to_thread(closed.wait, 10)

    @pytest.mark.parametrize(
        ("origin", "is_allowed"), [(None, True), ("{}", True), ("http://evil.example", False)]
    )
    async def test_pages_of_others_are_refused(
        self, folder: Path, serve_app: ServeApp, origin: str | None, *, is_allowed: bool
    ) -> None:
        """A web page of another origin, which a browser lets connect, is refused."""
        url = serve_app(HostCheck(make(folder, exact_match), "127.0.0.1"))
        talk = Talk(url, {} if origin is None else {"origin": origin.format(url)})
        if is_allowed:
            assert (await talk(ASKED))[-1]["type"] == "result"
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await talk(ASKED)
            assert refused.value.status == 403
