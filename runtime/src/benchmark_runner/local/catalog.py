"""The datasets of the embedded service, and their tasks, as requests name them."""

import asyncio
from collections.abc import Awaitable, Callable

from pydantic import JsonValue
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from benchmark_runner.client.version_header import VERSION_HEADER
from benchmark_runner.local.datasets import LocalDataset, LocalDatasets

__all__ = ["Catalog", "VersionNotFoundError", "echo_version", "task_row"]

_DEFAULT_DATASET = "default"

_Endpoint = Callable[[Request], Awaitable[Response]]


class Catalog:
    """The datasets that clients can name.

    Args:
        datasets: The datasets.
        default: The dataset of a request without one, or for ``default``, where none has that
            name.
    """

    def __init__(self, datasets: LocalDatasets, default: str | None) -> None:
        self._datasets = datasets
        self._default = default
        self._found: dict[str | None, list[LocalDataset]] = {}

    async def dataset(self, name: str | None, headers: Headers) -> LocalDataset:
        """Return a dataset, in the version that the headers name, else in the default one.

        Raises:
            HTTPException: there is no such dataset or version.
        """
        versions = await self.versions(name)
        sent = headers.getlist(VERSION_HEADER)
        if len(sent) > 1:
            raise HTTPException(400, f"{len(sent)} dataset versions were sent")
        wanted = [dataset for dataset in versions if dataset.version_id in sent]
        if sent and not wanted:
            raise VersionNotFoundError(versions[0], sent[0])
        return (wanted or versions)[0]

    async def resolve(self, name: str, selector: str | None, headers: Headers) -> LocalDataset:
        """Return the version of a dataset that has this label or id; by default the default one.

        Raises:
            HTTPException: there is no such dataset or version, or the headers name one, too.
        """
        if VERSION_HEADER in headers:
            raise HTTPException(400, "A request to resolve a version can't name one in its header")
        versions = await self.versions(name)
        if selector is None:
            return versions[0]
        for dataset in versions:
            if selector in (dataset.label, dataset.version_id):
                return dataset
        raise VersionNotFoundError(versions[0], selector)

    async def versions(self, name: str | None) -> list[LocalDataset]:
        """Return the versions of a dataset, the default one first.

        Raises:
            HTTPException: there is no such dataset.
        """
        if name not in self._found:
            found = await asyncio.to_thread(self._find, name)
            if not found:
                missing = name if name is not None else self._default or _DEFAULT_DATASET
                raise HTTPException(404, f"Dataset not found: {missing}")
            self._found[name] = found
        return self._found[name]

    def _find(self, name: str | None) -> list[LocalDataset]:
        if name not in (None, _DEFAULT_DATASET):
            return self._datasets.versions(name)
        if named_default := self._datasets.versions(_DEFAULT_DATASET):
            return named_default
        only = self._datasets.only() if self._default is None else None
        name = only.name if only is not None else self._default
        return [] if name is None else self._datasets.versions(name)


class VersionNotFoundError(HTTPException):
    """An error about a version that a dataset does not have."""

    def __init__(self, dataset: LocalDataset, version: str) -> None:
        super().__init__(404, f"Dataset version not found: {dataset.name} {version}")


def task_row(dataset: LocalDataset, task_id: str) -> dict[str, JsonValue]:
    """Return the raw task of that id.

    Raises:
        HTTPException: there is none.
    """
    row = dataset.rows.get(task_id)
    if row is None:
        raise HTTPException(400, f"Task ID not found: {task_id}")
    return row


def echo_version(endpoint: _Endpoint) -> _Endpoint:
    """Return an endpoint whose answers name the version that the request has named."""

    async def respond(request: Request) -> Response:
        response = await endpoint(request)
        if VERSION_HEADER in request.headers:
            response.headers[VERSION_HEADER] = request.headers[VERSION_HEADER]
        return response

    return respond
