"""The version of a dataset that a client is pinned to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.responses import JSONResponse, Response

from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.client.upload import ask_upload_url
from benchmark_runner.errors import (
    AuthenticationError,
    BadResponseError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    ServiceError,
    ServiceUnavailableError,
    UnsupportedError,
    UsageError,
)
from benchmark_runner.schemas import (
    DatasetVersion,
    UploadUrlRequest,
    V1ScoreRequest,
    VersionResponse,
)
from tests.unit.client.scripted_server import GRADE, QUICK, Script, fails, failure, v1_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Ask = Callable[[BenchmarkServiceClient], Awaitable[object]]

pytestmark = pytest.mark.anyio

HEADER = "x-benchmark-dataset-version"
PINNED = DatasetVersion(id="v-17", label="1.2.0")
SCORE: dict[str, object] = {"tasks_evaluated": [], "final_score": 0.5}

#: The calls about a dataset, each with an answer.
VERSIONED: dict[str, tuple[Ask, object]] = {
    "verify": (lambda client: client.verify_task_ids(["t1"]), {"task_ids": ["t1"]}),
    "list": (lambda client: client.list_tasks("d"), {"tasks": []}),
    "find v1": (lambda client: client.find_v1("d"), {"tasks": []}),
    "evaluate": (lambda client: client.evaluate_response(task_id="t1", response=""), GRADE),
    "evaluate v1": (lambda client: client.evaluate(v1_request()), {"status": "evaluated"}),
    "score": (lambda client: client.final_score({"t1": None}), SCORE),
    "score v1": (
        lambda client: client.score(V1ScoreRequest(run_id="r1", evaluation_results={})),
        SCORE,
    ),
    "upload": (
        lambda client: ask_upload_url(
            client, UploadUrlRequest(run_id="r1", task_id="t1", filename="f")
        ),
        {"key": "k", "url": "https://bucket.test/k"},
    ),
}
OTHERS: dict[str, tuple[Ask, object]] = {
    "health": (lambda client: client.health(), {"status": "ok"}),
    "version": (lambda client: client.version("d"), {}),
    "resolve": (lambda client: client.resolve_dataset("d"), {"version": {"id": "v-18"}}),
}


def answer(content: object, *echoes: str) -> Response:
    response = JSONResponse(content)
    response.raw_headers += [(HEADER.encode(), echo.encode()) for echo in echoes]
    return response


async def ask_pinned(url: str, ask: Ask) -> object:
    async with BenchmarkServiceClient(url, retry=QUICK) as client:
        client.pin(PINNED)
        return await ask(client)


@pytest.mark.parametrize("name", VERSIONED)
class TestPinned:
    async def test_id_is_sent(self, script: Script, url: str, name: str) -> None:
        """Each call about the dataset carries the id, also when it is retried."""
        ask, content = VERSIONED[name]
        script.answer(failure(503), answer(content, "v-17"))
        await ask_pinned(url, ask)
        assert [seen.headers[HEADER] for seen in script.seen] == ["v-17"] * 2

    async def test_unpinned_sends_none(self, script: Script, url: str, name: str) -> None:
        """A client that is not pinned sends no version, and reads none."""
        ask, content = VERSIONED[name]
        script.answer(answer(content, "v-16"))
        async with BenchmarkServiceClient(url) as client:
            await ask(client)
        assert HEADER not in script.seen[0].headers

    @pytest.mark.parametrize(
        ("echoes", "problem"),
        [
            ((), "does not say which version"),
            (("v-18",), "is of version 'v-18'"),
            (("v-17", "v-17"), "names 2 versions"),
            (("v-17, v-17",), "is of version 'v-17, v-17'"),
            (("V-17",), "is of version 'V-17'"),
        ],
    )
    async def test_other_echo_is_refused(
        self, script: Script, url: str, name: str, echoes: tuple[str, ...], problem: str
    ) -> None:
        """A success without the id, with another one or with two is refused, and not retried."""
        ask, content = VERSIONED[name]
        script.answer(answer(content, *echoes))
        with pytest.raises(BadResponseError) as caught:
            await ask_pinned(url, ask)
        assert problem in caught.value.message
        assert "the run is of '1.2.0'" in caught.value.message
        assert len(script.seen) == 1


@pytest.mark.parametrize("name", OTHERS)
async def test_other_calls_carry_no_version(script: Script, url: str, name: str) -> None:
    """No other call carries the id."""
    ask, content = OTHERS[name]
    script.answer(content)
    await ask_pinned(url, ask)
    assert HEADER not in script.seen[0].headers


async def test_errors_need_no_echo(script: Script, url: str) -> None:
    """A refusal is reported as what it is, whatever version it is of."""
    script.answer(failure(400, "Task ID not found: t1"))
    with pytest.raises(RejectedRequestError, match="Task ID not found"):
        await ask_pinned(url, VERSIONED["verify"][0])


class TestResolve:
    @pytest.mark.parametrize("selector", [None, "1.2"])
    async def test_version_is_returned(
        self, script: Script, url: str, selector: str | None
    ) -> None:
        """A selector, or none, is sent as it is, and the version is returned."""
        script.answer({"dataset": "d", "version": {"id": "v-17", "label": "1.2.0"}})
        async with BenchmarkServiceClient(url) as client:
            assert await client.resolve_dataset("d", selector) == PINNED
        assert script.seen[0].json() == {"dataset": "d", "version": selector}
        assert (script.seen[0].method, script.seen[0].path) == ("POST", "/resolve-dataset")

    async def test_default_dataset_has_a_name(self, script: Script, url: str) -> None:
        """A dataset that is left out is the one named default."""
        script.answer({"version": {"id": "v-17"}})
        async with BenchmarkServiceClient(url) as client:
            found = await client.resolve_dataset()
        assert (found.label, found.name) == (None, "v-17")
        assert script.seen[0].json() == {"dataset": "default", "version": None}

    @pytest.mark.parametrize(
        ("status", "error", "requests"),
        [
            (400, RejectedRequestError, 1),
            (401, AuthenticationError, 1),
            (403, PermissionDeniedError, 1),
            (404, NotFoundError, 1),
            (409, ServiceUnavailableError, 1),
            (422, RejectedRequestError, 1),
            (429, ServiceUnavailableError, 5),
            (500, ServiceUnavailableError, 5),
            (501, UnsupportedError, 1),
            (503, ServiceUnavailableError, 5),
        ],
    )
    async def test_refusal_is_an_error(
        self, script: Script, url: str, status: int, error: type[ServiceError], requests: int
    ) -> None:
        """A refusal is an error that says what was asked for; one that may pass is retried."""
        script.answer(failure(status, "no such version"))
        found = await fails(url, error, lambda client: client.resolve_dataset("d", "7"))
        assert "could not find the version '7' of dataset 'd'" in found.message
        assert "no such version" in found.message
        assert ("--dataset-version" in (found.hint or "")) is (status in (400, 404, 409))
        assert len(script.seen) == requests

    @pytest.mark.parametrize(
        "version",
        [
            {"id": ""},
            {"id": "a\nb"},
            {"id": "a\x7f"},
            {"id": "v\u00e4"},
            {"id": "x" * 1025},
            {"id": " v-17"},
            {"id": 17},
            {"id": "v-17", "label": "x" * 257},
            {"label": "1.2.0"},
            None,
        ],
    )
    async def test_unusable_version_is_refused(
        self, script: Script, url: str, version: object
    ) -> None:
        """A version that no header can carry, or that breaks the contract, is refused."""
        script.answer({"dataset": "d", "version": version})
        await fails(url, BadResponseError, lambda client: client.resolve_dataset("d"))

    async def test_other_dataset_is_refused(self, script: Script, url: str) -> None:
        """The version of another dataset is refused."""
        script.answer({"dataset": "e", "version": {"id": "v-17"}})
        found = await fails(url, BadResponseError, lambda client: client.resolve_dataset("d"))
        assert "about dataset 'e', not 'd'" in found.message


@pytest.mark.parametrize(
    ("answered", "keeps"),
    [
        ({}, False),
        ({"dataset_version_selection": True}, True),
        ({"dataset_version_pinning": True}, True),
        ({"dataset_version_selection": False}, False),
        ({"dataset_version_selection": "yes"}, False),
        ({"dataset_version_selection": None, "dataset_version_pinning": 1}, False),
    ],
)
def test_service_says_that_it_keeps_versions(answered: dict[str, object], keeps: bool) -> None:
    """Only a true, under either name, says that a run may choose a version."""
    assert VersionResponse.model_validate(answered).keeps_versions is keeps


async def test_longest_selector(script: Script, url: str) -> None:
    """A selector is sent if a service takes one of its length, and refused otherwise."""
    script.answer({"version": {"id": "v-17"}})
    async with BenchmarkServiceClient(url) as client:
        await client.resolve_dataset("d", "1" * 1024)
        with pytest.raises(UsageError, match="longer than 1,024"):
            await client.resolve_dataset("d", "1" * 1025)
