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
def test_bad_input_and_a_changed_identity_exit_with_2(kind: type[BenchmarkRunnerError]) -> None:
    assert kind("x").exit_code == 2


@pytest.mark.parametrize("kind", [ArtifactError, ServiceError, *SERVICE_ERRORS])
def test_an_unusable_service_and_an_unusable_disk_exit_with_1(
    kind: type[BenchmarkRunnerError],
) -> None:
    assert kind("x").exit_code == 1


@pytest.mark.parametrize("kind", SERVICE_ERRORS)
def test_every_failure_of_a_call_is_caught_as_a_service_error(kind: type[ServiceError]) -> None:
    assert issubclass(kind, ServiceError)


def test_every_error_has_the_same_root() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ]

    assert len(kinds) >= 15
    assert all(issubclass(kind, BenchmarkRunnerError) for kind in kinds)


def test_only_a_refused_key_and_a_used_up_quota_stop_all_further_grading() -> None:
    stopping = {kind for kind in SERVICE_ERRORS if kind.stops_evaluation}

    assert stopping == {AuthenticationError, PermissionDeniedError, QuotaExceededError}


def test_the_hint_is_kept_apart_from_the_message() -> None:
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
def test_an_error_is_described_by_its_type_and_message(error: BaseException, text: str) -> None:
    assert describe(error).startswith(text)
    assert describe(error).strip(": ") == describe(error)
