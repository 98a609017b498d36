"""The requests for the versions of a service and its datasets."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from benchmark_runner.client.call import Call, post, query
from benchmark_runner.client.failure import bad_response
from benchmark_runner.errors import ServiceError, UsageError
from benchmark_runner.schemas import (
    LONGEST_SELECTOR,
    ResolveDatasetRequest,
    ResolveDatasetResponse,
    VersionResponse,
)

if TYPE_CHECKING:
    from benchmark_runner.client.retry import RetryPolicy
    from benchmark_runner.client.typed_calls import TypedCalls
    from benchmark_runner.schemas import DatasetVersion

__all__ = ["ask_versions", "resolve_dataset"]

#: A conflict about the version, which does not pass.
_FINAL = frozenset({HTTPStatus.CONFLICT})
#: Answers about what was asked for.
_ABOUT_SELECTOR = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


async def resolve_dataset(
    calls: TypedCalls, dataset: str | None, selector: str | None
) -> DatasetVersion:
    """Ask for the version of a dataset that a selector means; the default one without.

    Args:
        calls: The calls to the service.
        dataset: The service's name of the dataset; ``None`` for the one named ``default``.
        selector: A version, or a part of one, as a person gave it.

    Raises:
        UsageError: the selector is longer than a service takes.
        ServiceError: the service does not name a version.
    """
    if selector is not None and len(selector) > LONGEST_SELECTOR:
        raise UsageError(
            f"--dataset-version is longer than {LONGEST_SELECTOR:,} characters",
            hint="Give a version that the service has, or leave it out.",
        )
    name = "default" if dataset is None else dataset
    version = "default version" if selector is None else f"version {selector!r}"
    request = ResolveDatasetRequest(dataset=name, version=selector)
    call = post(calls.service, f"find the {version}", "/resolve-dataset", request)
    try:
        answer = await calls.ask_quickly(call, calls.quick_retry.ending_at(_FINAL))
    except ServiceError as error:
        if selector is not None and error.status_code in _ABOUT_SELECTOR:
            error.hint = "Give --dataset-version a version that the service has, or leave it out."
        raise
    resolved = calls.parsed(call, answer, ResolveDatasetResponse)
    calls.refuse_another(call, answer, "dataset", resolved.dataset, name)
    if resolved.version.id != resolved.version.id.strip():
        problem = f"no header can carry the version's id {resolved.version.id!r}"
        raise bad_response(call, calls.service, problem, answer.status)
    return resolved.version


async def ask_versions(
    calls: TypedCalls, dataset: str | None, retry: RetryPolicy | None
) -> VersionResponse:
    """Return the versions of the service and of a dataset; that is one request, or two.

    An embedded service's own version has that of the references, which differ in each version of a
    dataset: it is asked again about the one that the calls are pinned to.
    """
    found = await _ask(calls, query(dataset=dataset), dataset, retry)
    pinned = calls.http.pinned
    if pinned is None or found.eval_mode != "local":
        return found
    return await _ask(calls, query(dataset=dataset, version=pinned.id), dataset, retry)


async def _ask(
    calls: TypedCalls, asked: str, dataset: str | None, retry: RetryPolicy | None
) -> VersionResponse:
    call = Call("ask for the versions", "GET", f"/version{asked}", dataset)
    answer = await calls.ask_quickly(call, retry)
    return calls.parsed(call, answer, VersionResponse)
