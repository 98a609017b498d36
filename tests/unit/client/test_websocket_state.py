"""Evaluations over the WebSocket that take long: silence, states, and the check before a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from benchmark_runner import errors
from benchmark_runner.client import channel_opener, websocket, websocket_evaluation
from benchmark_runner.client.preflight import check_service
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.websocket_evaluation import WebSocketEvaluation, find_websocket
from benchmark_runner.schemas import DatasetVersion, EvalStatus
from tests.unit.client.websocket_service import (
    GRADE,
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


class TestSilence:
    async def test_well_service_is_waited_for(self) -> None:
        """A silent service that is well is waited for, also if it holds every place."""
        released = asyncio.Event()

        async def waits(_: object) -> None:
            await released.wait()

        async with serving([waits, RESULT]) as service:
            grading = asyncio.create_task(service.graded(silence=0.05, max_connections=1))
            async with asyncio.timeout(10):
                await service.until(lambda: service.asked_for_health >= 3)
            released.set()
            assert (await grading).result_json() == GRADE
        assert service.opened == 1

    async def test_unwell_service_is_given_up(self) -> None:
        """A silent service that is not well is an error after the retries."""
        async with serving([is_silent], health="down") as service:
            failed = await service.fails(silence=0.05)
        assert type(failed) is errors.ServiceUnavailableError
        assert "no message within 0.05 s" in failed.message
        assert "not well" in failed.message
        assert service.opened == QUICK.attempts

    async def test_connection_is_kept_alive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pings are sent while nothing is said, and no pong is insisted on."""
        monkeypatch.setattr(websocket, "_PING_EVERY", 0.02)
        async with serving([]) as service:
            grading = asyncio.create_task(service.graded())
            await service.until(lambda: service.pings >= 3)
            assert not grading.done()
            grading.cancel()
            await asyncio.wait({grading})
        assert service.opened == 1

    async def test_talkative_service_holds_nobody_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A service that goes on talking after its result, or a cancellation, is left."""
        monkeypatch.setattr(websocket, "_CLOSE_WITHIN", 0.1)

        async def talks(connection: Connection) -> None:
            while True:
                await connection.say(message("more"))
                await asyncio.sleep(0.01)

        notes = Notes()
        async with serving([RESULT, talks], [talks]) as service, asyncio.timeout(5):
            assert (await service.graded()).result_json() == GRADE
            grading = asyncio.create_task(service.graded(notes))
            await service.until(lambda: service.opened == 2)
            grading.cancel()
            await asyncio.wait({grading})

    async def test_first_message_has_a_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A service that does not take the first message is an error in time."""
        monkeypatch.setattr(websocket, "_CLOSE_WITHIN", 0.05)
        once = RetryPolicy(attempts=1)

        async def waits(_: object) -> None:
            await asyncio.Event().wait()

        async with (
            serving([waits], greets=True) as service,
            service.client(silence=0.1, retry=once) as client,
        ):
            evaluation = WebSocketEvaluation(client, "t1", "x" * 32 * 1024**2, "d", Notes())
            with pytest.raises(errors.ServiceUnavailableError, match=r"not taken within 0\.1 s"):
                async with asyncio.timeout(10):
                    await evaluation.run()

    async def test_handshake_has_a_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A service that never answers the request for a WebSocket is an error in time."""
        monkeypatch.setattr(channel_opener, "_HANDSHAKE_TIMEOUT", 0.05)
        async with serving([RESULT], delay=10.0) as service:
            failed = await service.fails()
        assert type(failed) is errors.ServiceUnavailableError
        assert "no connection within 0.05 s" in failed.message


class TestStates:
    async def test_newest_state_is_sent_instead_of_the_response(self) -> None:
        """Another connection begins with the newest state, and not with the response."""
        notes = Notes()
        first = [state(step=1), state(step=2), breaks_off]
        async with serving(first, [state(step=3), breaks_off], [RESULT]) as service:
            await service.graded(notes)
        assert notes.saved == [{"step": 1}, {"step": 2}, {"step": 3}]
        assert service.firsts[1:] == [
            {"task_id": "t1", "eval_resume_state": {"step": 2}, "dataset": "d"},
            {"task_id": "t1", "eval_resume_state": {"step": 3}, "dataset": "d"},
        ]

    async def test_state_is_kept_before_the_next_message(self) -> None:
        """The next message is not read before the state is safe."""
        notes, order = Notes(), list[str]()

        async def save(kept: dict[str, Any]) -> None:
            await asyncio.sleep(0.05)
            order.append(f"saved {kept['step']}")

        notes.save = save  # type: ignore[method-assign]
        notes.told = order
        script = [state(step=1), message("one"), state(step=2), message("two"), RESULT]
        async with serving(script) as service:
            await service.graded(notes)
        assert order == ["saved 1", "one", "saved 2", "two"]

    async def test_attempts_with_a_new_state_do_not_count(self) -> None:
        """Only attempts without a new state in between count towards the limit."""
        steps = [[state(step=number), breaks_off] for number in range(10)]
        async with serving(*steps, [RESULT]) as service:
            assert (await service.graded()).result_json() == GRADE
        assert service.opened == 11

    async def test_same_state_again_is_no_progress(self) -> None:
        """A service that sends the same state and breaks off is given up after the attempts."""
        async with serving([state(step=1), breaks_off]) as service:
            failed = await service.fails()
        assert type(failed) is errors.ServiceUnavailableError
        assert service.opened == 1 + QUICK.attempts

    @pytest.mark.parametrize(
        "refusal",
        [
            [error("unknown eval_resume_state"), closes()],
            [error("Field required", status_code=422), closes()],
            [closes(1007, "ValidationError")],
            [error("the state of job 7 has expired"), closes(1011)],
            [error("gone", status_code=410), closes()],
        ],
    )
    async def test_refused_state_restarts_once(self, refusal: list[Step]) -> None:
        """A service that refuses its own state gets the response once more."""
        notes = Notes()
        async with serving([state(step=1), breaks_off], refusal, [RESULT]) as service:
            assert (await service.graded(notes)).result_json() == GRADE
        assert [*service.firsts[2]] == ["task_id", "response", "dataset"]
        assert "refused" in notes.told[0]

    async def test_refused_state_is_kept_for_another_time(self) -> None:
        """A refused state is still there for the next run if starting again fails, too."""
        notes, refusal = Notes(), [error("Dataset not found", status_code=404), closes()]
        async with serving([state(step=1), breaks_off], refusal, refusal, [RESULT]) as service:
            await service.fails(journal=notes)
            assert (await service.graded(notes)).result_json() == GRADE
        assert "response" in service.firsts[2]
        assert service.firsts[3]["eval_resume_state"] == {"step": 1}

    async def test_task_in_progress_is_waited_for(self) -> None:
        """A service that is still at work on the state, after a kill, is asked again with it."""
        busy = [error("is being evaluated right now", status_code=409), closes()]
        notes = Notes()
        await notes.save({"step": 1})
        async with serving(busy, busy, busy, busy, [RESULT]) as service:
            assert (await service.graded(notes)).result_json() == GRADE
        assert {str(first.get("eval_resume_state")) for first in service.firsts} == {"{'step': 1}"}

    async def test_restart_happens_only_once(self) -> None:
        """A service that refuses each of its states is not paid again and again."""
        refusal = [error("stale resume state"), closes()]
        script = [[state(step=1), breaks_off], refusal, [state(step=2), breaks_off], refusal]
        async with serving(*script) as service:
            graded = await service.graded(Notes())
        assert graded.status is EvalStatus.ERROR
        assert service.opened == 4


class TestPreflight:
    @pytest.mark.parametrize(
        ("script", "raised"),
        [
            ([closes(1008, "Unauthorized")], errors.AuthenticationError),
            ([closes(1008, "Trial tenants may only access /v1/*")], errors.PermissionDeniedError),
            ([is_silent], None),
        ],
    )
    async def test_refusal_is_found_without_a_message(
        self, script: list[Step], raised: type[Exception] | None
    ) -> None:
        """A refusal is found by opening a connection, before a message costs quota."""
        async with serving(script, greets=True) as service, service.client() as client:
            if raised is None:
                await find_websocket(client, "d")
            else:
                with pytest.raises(raised):
                    await find_websocket(client, "d")
        assert service.firsts == []
        assert service.opened == 1

    @pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 405, 426, 501])
    async def test_missing_websocket_stops_the_run(self, status: int) -> None:
        """A service that opens no WebSocket stops the run, with the line to set."""
        refusal = web.json_response({"detail": "no"}, status=status)
        async with serving(refusals=[refusal]) as service, service.client() as client:
            with pytest.raises(errors.ServiceError) as refused:
                await check_service(client, "t1", "d", "websocket")
        assert service.opened == 0
        assert refused.value.status_code == status
        assert "EVALUATION_API" in (refused.value.hint or "") or status == 401

    async def test_proxy_that_wants_a_password(self) -> None:
        """A proxy that wants a password does not tell that there is no WebSocket."""
        refusal = web.Response(status=407)
        async with serving(refusals=[refusal]) as service, service.client() as client:
            with pytest.raises(errors.RejectedRequestError) as refused:
                await check_service(client, "t1", "d", "websocket")
        assert "HTTP_PROXY" in (refused.value.hint or "")
        assert "EVALUATION_API" not in (refused.value.hint or "")

    async def test_trouble_stops_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Trouble with the WebSocket before a run stops nothing, and costs seconds at most."""
        monkeypatch.setattr(websocket_evaluation, "_FOUND_WITHIN", 0.1)
        async with serving(delay=10.0) as service, service.client() as client:
            await check_service(client, "t1", "d", "websocket")
        busy = [web.Response(status=503) for _ in range(QUICK.attempts)]
        async with serving(refusals=busy) as service, service.client() as client:
            await check_service(client, "t1", "d", "websocket")

    async def test_own_evaluate_needs_none(self) -> None:
        """A runner that evaluates in its own way needs no WebSocket."""
        refusal = web.Response(status=404)
        async with serving(refusals=[refusal]) as service, service.client() as client:
            await check_service(client, "t1", "d", "websocket", own_evaluate=True)


class TestVersions:
    async def test_version_is_noted(self) -> None:
        """The version that a service names is noted with the result, by its label."""
        said = {"type": "dataset_version", "data": {"id": "v-1", "label": "1.0"}}
        async with serving([said, RESULT], [RESULT]) as service:
            assert (await service.graded()).dataset_version == "1.0"
            assert (await service.graded()).dataset_version is None

    @pytest.mark.parametrize(
        ("said", "is_right"),
        [
            ([{"type": "dataset_version", "data": {"id": "v-1", "label": "1.0"}}], True),
            ([{"type": "dataset_version", "data": {"id": "v-2", "label": "2.0"}}], False),
            ([{"type": "dataset_version", "data": None}], False),
            ([], False),
        ],
    )
    async def test_pinned_client_refuses_another_version(
        self, said: list[Step], is_right: bool
    ) -> None:
        """A pinned client asks for its version, and refuses the grade of another or of none."""
        async with serving([*said, RESULT]) as service:
            pinned = DatasetVersion(id="v-1", label="1.0")
            if is_right:
                assert (await service.graded(pinned=pinned)).result_json() == GRADE
            else:
                failed = await service.fails(pinned=pinned)
                assert type(failed) is errors.BadResponseError
                assert "1.0" in failed.message
        assert service.headers[0]["x-benchmark-dataset-version"] == "v-1"
