"""Evaluations over the WebSocket: every message and end of the contract, and bad ones."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from benchmark_runner import errors
from benchmark_runner.client import conversation
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.websocket_evaluation import WebSocketEvaluation
from benchmark_runner.schemas import EvalStatus
from tests.unit.client.websocket_service import (
    GRADE,
    KEY,
    QUICK,
    RESULT,
    Notes,
    breaks_off,
    closes,
    error,
    is_silent,
    message,
    serving,
    state,
)

if TYPE_CHECKING:
    from tests.unit.client.websocket_service import Connection, Step

pytestmark = pytest.mark.anyio

MIB = 1024**2


class TestMessages:
    async def test_first_message_is_of_the_contract(self) -> None:
        """The first message has the task, the response and the dataset, and the key is sent."""
        async with serving([RESULT]) as service:
            graded = await service.graded(own_headers={"x-tenant": "acme"})
        assert (graded.status, graded.result_json()) == (EvalStatus.EVALUATED, GRADE)
        assert service.firsts == [{"task_id": "t1", "response": "the answer", "dataset": "d"}]
        assert service.headers[0]["x-descope-api-key"] == KEY
        assert service.headers[0]["x-tenant"] == "acme"
        assert service.headers[0]["user-agent"].startswith("python-httpx/")

    @pytest.mark.parametrize("data", [0.5, None, "text", [1], True])
    async def test_result_may_be_any_json(self, data: object) -> None:
        """A result may be any JSON."""
        async with serving([{"type": "result", "data": data}]) as service:
            graded = await service.graded()
        assert graded.status is EvalStatus.EVALUATED
        assert graded.result_json() == data

    async def test_progress_is_told_short_and_masked(self) -> None:
        """Progress is told on one line, cut and without the key."""
        notes = Notes()
        texts: list[object] = [f"a {KEY}\nb", "word " * MIB, {"done": 1}, None]
        async with serving([*map(message, texts), RESULT]) as service:
            await service.graded(notes)
        assert notes.told[0] == "a *** b"
        assert len(notes.told[1]) <= 201
        assert notes.told[2:] == ['{"done": 1}']

    async def test_unknown_messages_are_ignored(self) -> None:
        """Messages of unknown types, or without one, are passed over."""
        odd = [{"type": "later", "data": 1}, {}, {"type": ["x"]}, {"type": "dataset_version"}]
        async with serving([*odd, RESULT]) as service:
            assert (await service.graded()).result_json() == GRADE

    async def test_result_wins_over_an_error(self) -> None:
        """A result that follows an error counts."""
        async with serving([error("Traceback"), RESULT]) as service:
            assert (await service.graded()).result_json() == GRADE

    async def test_largest_message_is_read(self) -> None:
        """A message of just 10 MiB is read."""
        chunk = json.dumps(message(""))
        chunk = json.dumps(message("x" * (10 * MIB - len(chunk))))
        assert len(chunk) == 10 * MIB
        async with serving([chunk, RESULT]) as service:
            assert (await service.graded()).result_json() == GRADE


class TestErrorsOfTheGrader:
    async def test_error_is_no_grade(self) -> None:
        """An error without a result is that of the evaluation, and is not asked for again."""
        frame = '  File "g.py", line 1, in f\n    f()\n'
        trace = f'Traceback (most recent call last):\n{frame}KeyError: "x"'
        async with serving([error(trace), closes(1011)]) as service:
            graded = await service.graded()
        assert graded.status is EvalStatus.ERROR
        assert graded.error == 'KeyError: "x"'
        assert graded.result is None
        assert graded.failure is not None
        assert graded.failure.retryable
        assert service.opened == 1

    async def test_error_holds_no_key(self) -> None:
        """The text of an error is cut, and keys in it are masked."""
        async with serving([error(f"{KEY} " + "word " * MIB), closes()]) as service:
            graded = await service.graded()
        assert graded.error is not None
        assert graded.error.startswith("*** word")
        assert len(graded.error) < 600

    async def test_silence_after_an_error_ends_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A service that reports an error and then says nothing does not hold the task up."""
        for patience, silence in ((30.0, 0.1), (0.1, 30.0)):
            monkeypatch.setattr(conversation, "_AFTER_ERROR", patience)
            async with serving([error("broken"), is_silent]) as service:
                graded = await service.graded(silence=silence)
            assert graded.error == "broken"

    @pytest.mark.parametrize(
        ("chunk", "raised"),
        [
            (error("no", status_code=401), errors.AuthenticationError),
            (error({"status_code": 403, "detail": "no"}), errors.PermissionDeniedError),
            (error("no", status_code=404), errors.NotFoundError),
            (error("no", status_code=422), errors.RejectedRequestError),
            (error("no", status_code=503), errors.ServiceUnavailableError),
            (
                {"type": "dataset_version_error", "data": {"status_code": 404, "detail": "no"}},
                errors.NotFoundError,
            ),
            (
                {"type": "dataset_version_error", "data": {"status_code": 409, "detail": "no"}},
                errors.ServiceUnavailableError,
            ),
        ],
    )
    async def test_status_of_an_error_counts(
        self, chunk: dict[str, Any], raised: type[errors.ServiceError]
    ) -> None:
        """An error with a status means what it does as an HTTP answer."""
        async with serving([chunk, closes()]) as service:
            policy = RetryPolicy(attempts=2, total_time=0.2, first_wait=0.001, max_wait=0.002)
            failed = await service.fails(retry=policy, silence=0.1)
        assert type(failed) is raised
        assert service.opened == 1 or raised is errors.ServiceUnavailableError


class TestBadMessages:
    @pytest.mark.parametrize(
        ("step", "said"),
        [
            (b'{"type": "result", "data": 1}', "binary"),
            ("no json", "not valid JSON"),
            ("[1]", "not a JSON object"),
            ({"type": "result"}, "no data"),
            ('{"type": "result", "data": NaN}', "not valid JSON"),
            ('{"type": "result", "data": 1e999}', "not"),
            (json.dumps({"type": "result", "data": 1, "task_id": "t2"}), "'t2'"),
            (message("x" * 11 * MIB), "larger than 10 MiB"),
            (state(content="x" * 50 * MIB), "larger than 10 MiB"),
        ],
        ids=["binary", "text", "list", "no data", "nan", "infinite", "another", "11 MB", "50 MB"],
    )
    async def test_bad_message_is_an_error(self, step: Step, said: str) -> None:
        """A message that the contract does not allow is an error with a reason, and no score."""
        async with serving([step, RESULT]) as service:
            failed = await service.fails()
        assert type(failed) is errors.BadResponseError
        assert said in failed.message
        assert service.opened == 1

    async def test_state_that_is_no_object_is_not_kept(self) -> None:
        """A state that is no object is not kept; the grade counts all the same."""
        notes = Notes()
        async with serving([{"type": "eval_resume_state", "data": [1]}, RESULT]) as service:
            assert (await service.graded(notes)).result_json() == GRADE
        assert notes.saved == []
        assert "not a JSON object" in notes.told[0]


class TestEnds:
    @pytest.mark.parametrize(
        ("end", "said"),
        [
            (closes(), "code 1000"),
            (closes(1001), "close code 1001"),
            (closes(1011, "quota store down"), "quota store down"),
            (closes(1012), "close code 1012"),
            (closes(1013), "close code 1013"),
            (closes(4000, "own"), "code 4000: own"),
            (breaks_off, "broke off"),
        ],
        ids=["1000", "1001", "1011", "1012", "1013", "4000", "abort"],
    )
    async def test_lost_connection_is_made_again(self, end: Step, said: str) -> None:
        """A connection that ends without a result is made again, up to the limit."""
        async with serving([end], [message("x"), end], [RESULT]) as service:
            assert (await service.graded()).result_json() == GRADE
            assert service.opened == 3
            service.scripts = [[end]]
            failed = await service.fails()
        assert type(failed) is errors.ServiceUnavailableError
        assert said in failed.message
        assert service.opened == 3 + QUICK.attempts

    @pytest.mark.parametrize(
        ("code", "reason", "raised", "said"),
        [
            (1008, "Unauthorized", errors.AuthenticationError, "does not accept"),
            (1008, "Trial tenants may only access /v1/*", errors.PermissionDeniedError, '"v1"'),
            (1008, "Dataset not allowed", errors.PermissionDeniedError, "--dataset-name"),
            (1008, "something else", errors.RejectedRequestError, "something else"),
            (1009, "too big", errors.RejectedRequestError, "shorter"),
            (1003, "text only", errors.RejectedRequestError, "does not understand"),
        ],
    )
    async def test_refusal_is_final(
        self, code: int, reason: str, raised: type[errors.ServiceError], said: str
    ) -> None:
        """A close code that refuses means what the HTTP status does, and is not retried."""
        async with serving([closes(code, reason)]) as service:
            failed = await service.fails()
        assert type(failed) is raised
        assert said in f"{failed.message} {failed.hint}"
        assert service.opened == 1

    async def test_used_up_quota_stops(self) -> None:
        """A used-up quota stops the evaluation, and names the time of its reset."""
        reset = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
        reason = f"Evaluation quota reached; retry after {reset:%Y-%m-%dT%H:%M:%SZ}."
        async with serving([closes(1008, reason)]) as service:
            failed = await service.fails()
        assert isinstance(failed, errors.QuotaExceededError)
        assert failed.resets_at == reset
        assert service.opened == 1

    async def test_quota_that_resets_soon_is_waited_for(self) -> None:
        """A quota that resets within seconds is waited for."""
        reset = datetime.now(UTC) + timedelta(seconds=1)
        reason = f"Evaluation quota reached; retry after {reset:%Y-%m-%dT%H:%M:%SZ}."
        async with serving([closes(1008, reason)], [RESULT]) as service:
            assert (await service.graded()).result_json() == GRADE


class TestHandshakes:
    @pytest.mark.parametrize(
        ("status", "raised", "said"),
        [
            (401, errors.AuthenticationError, "does not accept"),
            (403, errors.PermissionDeniedError, "EVALUATION_API"),
            (404, errors.NotFoundError, "EVALUATION_API"),
            (307, errors.RejectedRequestError, "redirects"),
            (200, errors.RejectedRequestError, "200"),
        ],
    )
    async def test_refused_connection_is_final(
        self, status: int, raised: type[errors.ServiceError], said: str
    ) -> None:
        """A refused handshake means what its HTTP status does; no redirect is followed."""
        headers = {"location": "http://127.0.0.1:9/elsewhere"} if status == 307 else None
        refusal = web.json_response({"detail": "no"}, status=status, headers=headers)
        async with serving(refusals=[refusal]) as service:
            failed = await service.fails()
        assert type(failed) is raised
        assert said in f"{failed.message} {failed.hint}"
        assert len(service.headers) == 1

    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    async def test_busy_service_is_asked_again(self, status: int) -> None:
        """A service that is busy or in trouble is asked again."""
        busy = [web.Response(status=status), web.Response(status=status)]
        async with serving(refusals=busy) as service:
            assert (await service.graded()).result_json() == GRADE
        assert len(service.headers) == 3

    async def test_used_up_quota_stops(self) -> None:
        """A 429 with a long Retry-After is a used-up quota."""
        refusal = web.Response(status=429, headers={"retry-after": "90000"})
        async with serving(refusals=[refusal]) as service:
            failed = await service.fails()
        assert isinstance(failed, errors.QuotaExceededError)

    async def test_down_service_is_reported(self) -> None:
        """A service that is down is an error that names its address."""
        async with serving() as service:
            pass
        failed = await service.fails()
        assert type(failed) is errors.ServiceUnavailableError
        assert service.url in failed.message

    async def test_connections_count_among_the_requests(self) -> None:
        """No more connections are open at a time than the client may have requests."""
        at_once: list[int] = []
        open_ones: set[int] = set()

        async def holds(connection: Connection) -> None:
            open_ones.add(id(connection))
            at_once.append(len(open_ones))
            await asyncio.sleep(0.02)  # a third one would come meanwhile
            open_ones.remove(id(connection))

        async with (
            serving([holds, RESULT]) as service,
            service.client(max_connections=2) as client,
        ):
            each = [WebSocketEvaluation(client, "t1", "a", None, Notes()) for _ in range(8)]
            await asyncio.gather(*(one.run() for one in each))
        assert len(at_once) == 8
        assert max(at_once) == 2
