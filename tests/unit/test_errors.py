from __future__ import annotations

import pytest

from benchmark_runner import errors
from benchmark_runner.errors import (
    ArtifactError,
    AuthenticationError,
    BadResponseError,
    BenchmarkRunnerError,
    DatasetError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RejectedRequestError,
    RunIdentityError,
    RunnerDefinitionError,
    ServiceError,
    ServiceUnavailableError,
    UnsupportedError,
    UsageError,
    describe,
)

SERVICE_ERRORS = [
    AuthenticationError,
    BadResponseError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RejectedRequestError,
    ServiceUnavailableError,
    UnsupportedError,
]


@pytest.mark.parametrize(
    "kind", [UsageError, DatasetError, RunnerDefinitionError, RunIdentityError]
)
def test_bad_input_exits_with_2(kind: type[BenchmarkRunnerError]) -> None:
    """Errors of bad input and of a changed identity have exit code 2."""
    assert kind("x").exit_code == 2


@pytest.mark.parametrize("kind", [ArtifactError, ServiceError, *SERVICE_ERRORS])
def test_unusable_service_or_disk_exits_with_1(
    kind: type[BenchmarkRunnerError],
) -> None:
    """Errors of the service and of the disk have exit code 1."""
    assert kind("x").exit_code == 1


@pytest.mark.parametrize("kind", SERVICE_ERRORS)
def test_failed_calls_are_service_errors(kind: type[ServiceError]) -> None:
    """Each error of a call to the service is a ServiceError."""
    assert issubclass(kind, ServiceError)


def test_every_error_has_the_same_root() -> None:
    """Each error of the module is a BenchmarkRunnerError."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ]

    assert len(kinds) >= 15
    assert all(issubclass(kind, BenchmarkRunnerError) for kind in kinds)


def test_errors_that_stop_all_evaluations() -> None:
    """Only a refused key and a used-up quota stop all further evaluations."""
    stopping = {kind for kind in SERVICE_ERRORS if kind.stops_evaluation}

    assert stopping == {AuthenticationError, PermissionDeniedError, QuotaExceededError}


def test_hint_is_apart_from_the_message() -> None:
    """The hint is an attribute and not part of the message."""
    error = UsageError("no such file", hint="Check the path.")

    assert (error.message, error.hint) == ("no such file", "Check the path.")
    assert str(error) == "no such file"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("three is too many"), "ValueError: three is too many"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("  "), "ValueError"),
        (KeyError("answer"), "KeyError: 'answer'"),
        (DatasetError("data.json: no such file", hint="Check it."), "DatasetError: data.json: no"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_error_is_described_by_type_and_message(error: BaseException, text: str) -> None:
    """An error is described by its type and, if there is one, its message."""
    assert describe(error).startswith(text)
    assert describe(error).strip(": ") == describe(error)
