"""The kind of a failure that the answer of a model's provider caused."""

from __future__ import annotations

import urllib.error
from email.message import Message
from types import SimpleNamespace

import httpx
import pytest

from benchmark_runner._run.failure_kinds import classify
from benchmark_runner.errors import GraderError
from benchmark_runner.schemas import FailureKind, Phase


def with_fields(**fields: object) -> Exception:
    error = RuntimeError("refused")
    vars(error).update(fields)
    return error


def of_httpx(status: int) -> Exception:
    request = httpx.Request("POST", "https://model.test")
    return httpx.HTTPStatusError(
        "refused", request=request, response=httpx.Response(status, request=request)
    )


def of_urllib(status: int) -> Exception:
    return urllib.error.HTTPError("https://model.test", status, "refused", Message(), None)


def raised_from(cause: Exception) -> Exception:
    error = RuntimeError("gave up")
    error.__cause__ = cause
    return error


def raised_while(handled: Exception, error: Exception) -> Exception:
    error.__context__ = handled
    return error


FORMS = {
    "status_code": lambda status: with_fields(status_code=status),
    "status": lambda status: with_fields(status=status),
    "code": lambda status: with_fields(code=status),
    "response": lambda status: with_fields(response=SimpleNamespace(status_code=status)),
    "botocore": lambda status: with_fields(
        response={"ResponseMetadata": {"HTTPStatusCode": status}}
    ),
    "httpx": of_httpx,
    "urllib": of_urllib,
    "cause": lambda status: raised_from(of_httpx(status)),
    "context": lambda status: raised_while(of_httpx(status), RuntimeError("gave up")),
    "group": lambda status: ExceptionGroup("both", [of_httpx(status), ValueError()]),
    "words": lambda status: RuntimeError(f"Error code: {status} - refused"),
    "HTTP": lambda status: RuntimeError(f"HTTP {status}"),
    "number": lambda status: RuntimeError(f"{status}: refused"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (401, FailureKind.AUTH, False),
        (402, FailureKind.QUOTA, True),
        (403, FailureKind.AUTH, False),
        (408, FailureKind.TIMEOUT, True),
        (429, FailureKind.SERVICE_UNAVAILABLE, True),
        (500, FailureKind.SERVICE_UNAVAILABLE, True),
        (529, FailureKind.SERVICE_UNAVAILABLE, True),
    ],
)
def test_providers_answer_is_not_author_code(
    form: str, status: int, kind: FailureKind, retryable: bool
) -> None:
    """An answer of a provider is told by its status, wherever libraries keep it."""
    failure = classify(FORMS[form](status), Phase.GENERATE)
    assert (failure.kind, failure.retryable) == (kind, retryable)


class HostileError(Exception):
    @property
    def status_code(self) -> int:
        raise RuntimeError("no")

    response = 7


class LeavingError(Exception):
    @property
    def __cause__(self) -> BaseException:
        raise SystemExit

    @property
    def code(self) -> int:
        raise SystemExit


class Consumed:
    def __getitem__(self, name: str) -> object:
        raise RuntimeError("read already")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no luck"),
        ValueError("42 is not 500"),
        ValueError("500 items are too many"),
        with_fields(status_code=200),
        with_fields(status_code="429"),
        with_fields(code=7),
        of_httpx(400),
        of_httpx(404),
        raised_while(of_httpx(429), KeyError("retry-after")),
        HostileError(),
        LeavingError(),
        with_fields(response=Consumed()),
    ],
    ids=lambda error: f"{type(error).__name__} {error}",
)
def test_other_errors_are_author_code(error: Exception) -> None:
    """Errors of the agent itself are author code, also while it handles a provider's."""
    assert classify(error, Phase.GENERATE).kind is FailureKind.AUTHOR_CODE


@pytest.mark.parametrize(
    ("detail", "retryable"),
    [("ValueError: 'x' (grader.py, line 3)", True), ("TypeError: no", False), (None, True)],
)
def test_graders_error_is_author_code(detail: str | None, retryable: bool) -> None:
    """An error of the author's grader is author code."""
    failure = classify(GraderError("failed", status_code=500, detail=detail), Phase.EVALUATE)
    assert (failure.kind, failure.retryable) == (FailureKind.AUTHOR_CODE, retryable)
