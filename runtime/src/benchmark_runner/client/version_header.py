"""The header that pins requests to a version of the dataset, and its echo in the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.client.failure import bad_response

if TYPE_CHECKING:
    import httpx

    from benchmark_runner.client.call import Call, Service
    from benchmark_runner.schemas import DatasetVersion

__all__ = ["VERSION_HEADER", "lost_version_hint", "refuse_other_version"]

#: The header with the id of the version, in requests and answers.
VERSION_HEADER = "x-benchmark-dataset-version"


def lost_version_hint(pinned: DatasetVersion) -> str:
    """Return the way out of a run whose version the service does not have any more."""
    return (
        f"Restore version {pinned.name} of the dataset at the service, as it was, or use another "
        "--run-id for a new run."
    )


def refuse_other_version(
    call: Call, service: Service, pinned: DatasetVersion, response: httpx.Response
) -> None:
    """Refuse a success that does not say, exactly once, that it is of the pinned version.

    Raises:
        BadResponseError: it may be of another version.
    """
    said = response.headers.get_list(VERSION_HEADER)
    if said == [pinned.id]:
        return
    if not said:
        problem = "it does not say which version of the dataset it is of"
    elif len(said) > 1:
        problem = f"it names {len(said)} versions of the dataset"
    else:
        problem = f"it is of version {said[0]!r} of the dataset"
    error = bad_response(
        call, service, f"{problem}, and the run is of {pinned.name!r}", response.status_code
    )
    error.hint = "Check that the service, and what stands before it, keeps versions of the dataset."
    raise error
