from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.client.preflight import check_service, fetch_version
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.service_client import build_client
from benchmark_runner.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    ServiceError,
    ServiceUnavailableError,
    UnsupportedError,
)
from tests.scripted_service import ScriptedService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp

    from benchmark_runner.client.service_client import BenchmarkServiceClient

    Connect = Callable[[], BenchmarkServiceClient]

pytestmark = pytest.mark.anyio

TASK_LIST = "/v1/datasets/validation/tasks"
ONLY_V1 = "Trial tenants may only access approved /v1 endpoints (/v1/*)"
ONE_TRY = RetryPolicy(attempts=1)
KEY = "s3cret-key"


@pytest.fixture(scope="module")
def service_and_url(serve_app: Callable[[ASGIApp], str]) -> tuple[ScriptedService, str]:
    service = ScriptedService()
    return service, serve_app(service.app())


@pytest.fixture
def service(
    service_and_url: tuple[ScriptedService, str], monkeypatch: pytest.MonkeyPatch
) -> ScriptedService:
    for name in ("VALS_AUTH_KEY", "VALS_API_KEY", "BENCHMARK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    service, _ = service_and_url
    service.forget()
    service.answers = {
        "/health": (200, {"status": "ok"}),
        "/verify-task-ids": (200, {"task_ids": ["t1"]}),
        "/version": (200, {"service_version": "1.2"}),
    }
    return service


@pytest.fixture
async def connect(
    service: ScriptedService, service_and_url: tuple[ScriptedService, str]
) -> AsyncIterator[Connect]:
    """Makes clients, so that a test sets the environment first."""
    clients: list[BenchmarkServiceClient] = []

    def connect() -> BenchmarkServiceClient:
        clients.append(build_client(service_and_url[1], retry=ONE_TRY))
        return clients[-1]

    yield connect
    for client in clients:
        await client.aclose()


async def test_health_then_one_task_is_verified(service: ScriptedService, connect: Connect) -> None:
    """The health is checked first, then one task is verified, then the version is asked for."""
    version = await check_service(connect(), "t1", "validation", "legacy")

    assert version is not None
    assert version.service_version == "1.2"
    assert service.requests == [
        "GET /health",
        "GET /verify-task-ids?dataset=validation&task_ids=t1",
        "GET /version?dataset=validation",
    ]


async def test_default_dataset_is_not_named(service: ScriptedService, connect: Connect) -> None:
    """Without a dataset name the request names none."""
    await check_service(connect(), "t1", None, "legacy")

    assert service.requests[1] == "GET /verify-task-ids?task_ids=t1"


async def test_a_service_that_is_down_stops_the_run(service: ScriptedService) -> None:
    """A service that is down stops the run with its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with build_client(f"http://127.0.0.1:{port}", retry=ONE_TRY) as client:
        with pytest.raises(ServiceUnavailableError, match=f"127.0.0.1:{port}"):
            await check_service(client, "t1", None, "legacy")


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_unhealthy_service_stops_the_run(
    service: ScriptedService, connect: Connect, status: int
) -> None:
    """An unhealthy service stops the run before the key is sent."""
    service.answers["/health"] = (status, {"detail": "starting"})

    with pytest.raises(ServiceUnavailableError, match="starting"):
        await check_service(connect(), "t1", None, "legacy")

    assert service.requests == ["GET /health"]


@pytest.mark.parametrize("status", ["down", "unhealthy", "starting", "error", ""])
async def test_health_that_is_not_well_stops_the_run(
    service: ScriptedService, connect: Connect, status: str
) -> None:
    """A service that says that it is not well stops the run before the key is sent."""
    service.answers["/health"] = (200, {"status": status})

    with pytest.raises(ServiceUnavailableError, match=f"not well: '{status}'"):
        await check_service(connect(), "t1", None, "legacy")

    assert service.requests == ["GET /health"]


@pytest.mark.parametrize("status", ["ok", "OK", "healthy", "up"])
async def test_health_has_several_words(
    service: ScriptedService, connect: Connect, status: str
) -> None:
    """The usual words for a service that is well are understood."""
    service.answers["/health"] = (200, {"status": status})

    await check_service(connect(), "t1", None, "legacy")


async def test_other_server_stops_the_run(service: ScriptedService, connect: Connect) -> None:
    """A server that is no benchmark service stops the run."""
    service.answers["/health"] = (200, ["welcome"])

    with pytest.raises(ServiceError, match="health"):
        await check_service(connect(), "t1", None, "legacy")


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("api", ["legacy", "v1"])
async def test_rejected_key_stops_the_run(
    service: ScriptedService,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    key: str | None,
    api: str,
) -> None:
    """A key that is not accepted stops the run; the error names its variable only."""
    if key is not None:
        monkeypatch.setenv("VALS_AUTH_KEY", key)
    service.answers["/verify-task-ids"] = (401, {"detail": "Unauthorized"})

    with pytest.raises(AuthenticationError) as caught:
        await check_service(connect(), "t1", "validation", api)

    assert "VALS_AUTH_KEY" in f"{caught.value.message} {caught.value.hint}"
    assert KEY not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("detail", ["Dataset not allowed", "Dataset=validation access not allowed"])
async def test_forbidden_dataset_stops_the_run(
    service: ScriptedService, connect: Connect, detail: str
) -> None:
    """A dataset that is not allowed stops the run."""
    service.answers["/verify-task-ids"] = (403, {"detail": detail})

    with pytest.raises(PermissionDeniedError, match="validation"):
        await check_service(connect(), "t1", "validation", "legacy")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"detail": "Path not allowed for trial tenants"}),
        (403, {"detail": "Forbidden"}),
        (403, None),
        (400, {"detail": "Task ID not found: t11"}),
        (400, {"detail": "Bad value"}),
        (404, {"detail": "Not Found"}),
        (404, {"detail": "Dataset not found: validation"}),
        (405, {"detail": "Method Not Allowed"}),
        (500, {"detail": "could not look for t1"}),
        (200, {"unexpected": True}),
        (200, {"task_ids": []}),
    ],
)
@pytest.mark.parametrize("api", ["legacy", "v1"])
async def test_other_answers_do_not_stop_the_run(
    service: ScriptedService, connect: Connect, status: int, body: object, api: str
) -> None:
    """Any other answer to the check does not stop the run."""
    service.answers["/verify-task-ids"] = (status, body)
    service.answers[TASK_LIST] = (200, {"tasks": []})

    await check_service(connect(), "t1", "validation", api)


UNKNOWN = [
    (400, "Task ID not found: t1"),
    (404, "Task not found: t1"),
    (404, "no task 't1' in validation"),
]


@pytest.mark.parametrize(("status", "detail"), UNKNOWN)
@pytest.mark.parametrize("api", ["legacy", "v1"])
async def test_unknown_task_stops_the_run(
    service: ScriptedService, connect: Connect, status: int, detail: str, api: str
) -> None:
    """A task that the service does not know stops the run with the setting to check."""
    service.answers["/verify-task-ids"] = (status, {"detail": detail})

    with pytest.raises(ServiceError, match="t1") as caught:
        await check_service(connect(), "t1", "validation", api)

    assert "dataset_name" in (caught.value.hint or "")


async def test_key_for_v1_stops_a_legacy_runner(service: ScriptedService, connect: Connect) -> None:
    """A key that reaches only /v1 stops a legacy runner, and not one of /v1."""
    service.answers["/verify-task-ids"] = (403, {"detail": ONLY_V1})
    service.answers[TASK_LIST] = (200, {"tasks": []})

    with pytest.raises(PermissionDeniedError) as caught:
        await check_service(connect(), "t1", "validation", "legacy")

    hint = 'The key reaches only /v1. Set EVALUATION_API = "v1" in runner/benchmark.py.'
    assert caught.value.hint == hint
    await check_service(connect(), "t1", "validation", "v1")


@pytest.mark.parametrize("dataset", ["validation", None])
@pytest.mark.parametrize("body", [{"detail": "Not Found"}, None])
async def test_service_without_v1_stops_its_runner(
    service: ScriptedService, connect: Connect, dataset: str | None, body: object
) -> None:
    """A service without /v1 stops a runner that uses it, and no other."""
    path = f"/v1/datasets/{dataset or 'default'}/tasks"
    service.answers[path] = (404, body)

    with pytest.raises(NotFoundError) as caught:
        await check_service(connect(), "t1", dataset, "v1")

    assert 'EVALUATION_API = "legacy"' in (caught.value.hint or "")
    await check_service(connect(), "t1", dataset, "legacy")
    await check_service(connect(), "t1", dataset, "v1", listed=True)


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (404, "Dataset not found: validation"),
        (404, "validation is unknown"),
        (403, "Trial tenants may only access approved /v1 endpoints (/v1/*)"),
        (405, "Method Not Allowed"),
        (501, "list_tasks is not implemented"),
        (500, "Internal server error"),
        (200, "no list at all"),
    ],
)
async def test_other_answers_of_v1_do_not_stop(
    service: ScriptedService, connect: Connect, status: int, detail: str
) -> None:
    """Any other answer of a /v1 path does not stop the run."""
    service.answers[TASK_LIST] = (status, {"detail": detail})

    await check_service(connect(), "t1", "validation", "v1")


@pytest.mark.parametrize(
    ("status", "detail"), [(401, "Unauthorized"), (403, "Dataset=validation access not allowed")]
)
async def test_refusal_of_v1_stops_the_run(
    service: ScriptedService, connect: Connect, status: int, detail: str
) -> None:
    """A key that /v1 refuses stops the run."""
    service.answers[TASK_LIST] = (status, {"detail": detail})

    with pytest.raises(ServiceError, match=detail):
        await check_service(connect(), "t1", "validation", "v1")


@pytest.mark.parametrize(
    "mode", ["sandbox", "in_process_artifact", "in_process_materialized_artifact"]
)
async def test_mode_of_v1_stops_a_legacy_runner(
    service: ScriptedService, connect: Connect, mode: str
) -> None:
    """A service that evaluates by /v1 only stops a legacy runner, and not one of /v1."""
    service.answers["/version"] = (200, {"eval_mode": mode})
    service.answers[TASK_LIST] = (200, {"tasks": []})

    with pytest.raises(UnsupportedError, match=mode) as caught:
        await check_service(connect(), "t1", "validation", "legacy")

    assert 'EVALUATION_API = "v1"' in (caught.value.hint or "")
    await check_service(connect(), "t1", "validation", "v1")


@pytest.mark.parametrize("mode", ["text", "local", "some_new_mode", None])
async def test_other_modes_do_not_stop_the_run(
    service: ScriptedService, connect: Connect, mode: str | None
) -> None:
    """Any other mode does not stop the run."""
    service.answers["/version"] = (200, {"eval_mode": mode})

    await check_service(connect(), "t1", "validation", "legacy")


class TestOwnEvaluate:
    """An author's evaluate() may grade elsewhere: only a refused key stops the run."""

    async def test_only_a_key_can_stop_it(self, service: ScriptedService, connect: Connect) -> None:
        """Neither an unknown task, nor a mode, nor a missing path stops the run."""
        service.answers["/verify-task-ids"] = (400, {"detail": "Task ID not found: t1"})
        service.answers["/version"] = (200, {"eval_mode": "sandbox"})
        service.answers[TASK_LIST] = (404, {"detail": "Not Found"})

        for api in ("legacy", "v1"):
            await check_service(connect(), "t1", "validation", api, own_evaluate=True)

    @pytest.mark.parametrize(
        ("status", "detail"), [(401, "Unauthorized"), (403, "Dataset not allowed")]
    )
    async def test_refused_key_stops_it(
        self, service: ScriptedService, connect: Connect, status: int, detail: str
    ) -> None:
        """A refused key stops the run."""
        service.answers["/verify-task-ids"] = (status, {"detail": detail})

        with pytest.raises(ServiceError, match=detail):
            await check_service(connect(), "t1", "validation", "legacy", own_evaluate=True)


async def test_legacy_key_with_v1_api_stops_the_run(
    service: ScriptedService, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A legacy key with the v1 API stops the run and names the key to use."""
    monkeypatch.setenv("BENCHMARK_API_KEY", KEY)

    with pytest.raises(PermissionDeniedError, match="/v1") as caught:
        await check_service(connect(), "t1", "validation", "v1")

    assert "BENCHMARK_API_KEY" in caught.value.message
    assert "VALS_AUTH_KEY" in str(caught.value.hint)
    assert KEY not in f"{caught.value.message} {caught.value.hint}"


async def test_legacy_key_with_legacy_api_is_fine(
    service: ScriptedService, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A legacy key with the legacy API is accepted."""
    monkeypatch.setenv("BENCHMARK_API_KEY", KEY)

    await check_service(connect(), "t1", "validation", "legacy")


async def test_v1_api_uses_its_own_key(
    service: ScriptedService, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both keys set, the v1 API gets its own."""
    monkeypatch.setenv("BENCHMARK_API_KEY", KEY)
    monkeypatch.setenv("VALS_AUTH_KEY", KEY)

    await check_service(connect(), "t1", "validation", "v1")


class TestVersion:
    async def test_version_is_asked_for_the_dataset(
        self, service: ScriptedService, connect: Connect
    ) -> None:
        """The version is asked for the dataset."""
        version = await fetch_version(connect(), "validation")

        assert version is not None
        assert version.service_version == "1.2"
        assert service.requests == ["GET /version?dataset=validation"]

    @pytest.mark.parametrize(
        ("status", "body"), [(404, {"detail": "Not Found"}), (503, None), (200, []), (401, {})]
    )
    async def test_missing_version_stops_nothing(
        self, service: ScriptedService, connect: Connect, status: int, body: object
    ) -> None:
        """A service that does not give its version stops nothing."""
        service.answers["/version"] = (status, body)

        assert await fetch_version(connect(), None) is None
