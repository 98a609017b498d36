"""The files that the service has for a task, brought into its workspace."""

from __future__ import annotations

import re
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner.client.call import PART, Call, task_list_path
from benchmark_runner.client.response import UnreadableError
from benchmark_runner.client.workspace import Workspace, parts_of
from benchmark_runner.errors import InputError, NotFoundError
from benchmark_runner.schemas import TaskInputsResponse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import httpx

    from benchmark_runner.client.typed_calls import TypedCalls
    from benchmark_runner.schemas import TaskInput

__all__ = ["fetch_inputs"]

_GIB = 1024**3
#: Bytes of one file.
_LARGEST = 16 * _GIB
#: Files of one task.
_MOST = 10_000


async def fetch_inputs(
    calls: TypedCalls, dataset: str | None, task_id: str, folder: Path
) -> list[Path]:
    """Put the files that the service has for a task into a folder, and return their paths.

    Args:
        calls: The calls to the service.
        dataset: The service's name of the dataset; ``None`` for the one named ``default``.
        task_id: The task.
        folder: Where the files belong; made if there are any.

    Raises:
        InputError: a file belongs elsewhere, or can't be written.
        ServiceError: the service can't send them.
    """
    name = "default" if dataset is None else dataset
    path = f"{task_list_path(name)}/{quote(task_id, safe='', errors='surrogatepass')}/inputs"
    inputs = await _declared(calls, path, name, task_id)
    places = _places(inputs, task_id)
    if not inputs:
        return []
    workspace = Workspace(folder)
    try:
        for each, parts in zip(inputs, places, strict=True):
            what = f"fetch the input {each.filename!r} of task {task_id!r}"
            at = f"{path}/{quote(each.filename, safe='', errors='surrogatepass')}"
            save = partial(_save, workspace, parts)
            call = Call(what, "GET", at, name, save=save)
            await calls.http.ask(call, calls.retry, calls.on_retry)
    finally:
        workspace.close()
    return [folder.joinpath(*parts) for parts in places]


async def _declared(
    calls: TypedCalls, path: str, dataset: str, task_id: str
) -> Sequence[TaskInput]:
    call = Call(f"list the inputs of task {task_id!r}", "GET", path, dataset)
    try:
        answer = await calls.ask_quickly(call, None, limit=calls.timeout)
    except NotFoundError as error:
        if _is_without_inputs(error.detail or "", dataset, task_id):
            return ()
        raise
    return calls.parsed(call, answer, TaskInputsResponse).inputs


def _is_without_inputs(detail: str, dataset: str, task_id: str) -> bool:
    """Return True if a 404 says that a task has no inputs, or that the service knows of none."""
    words = detail.replace(task_id, "").replace(dataset, "").lower()
    return "input" in words or re.search(r"\b(dataset|task)\b", words) is None


def _places(inputs: Sequence[TaskInput], task_id: str) -> list[tuple[str, ...]]:
    if len(inputs) > _MOST:
        raise InputError(
            f"the service has {len(inputs):,} inputs of task {task_id!r}, more than {_MOST:,}",
            hint="Pack them into an archive at the service.",
        )
    places = [parts_of(each.dest) for each in inputs]
    taken = {place[:depth] for place in places for depth in range(1, len(place))}
    for place in places:
        if place in taken:
            raise InputError(
                f"the service names {'/'.join(place)!r} twice as the place of an input of task "
                f"{task_id!r}",
                hint="Correct the inputs of the task at the service.",
            )
        taken.add(place)
    return places


async def _save(workspace: Workspace, parts: tuple[str, ...], response: httpx.Response) -> None:
    if response.status_code != HTTPStatus.OK:
        raise UnreadableError(f"it is not the whole file (HTTP {response.status_code})")
    if (encoding := response.headers.get("content-encoding", "identity")) != "identity":
        raise UnreadableError(f"it is compressed as {encoding!r}, which nobody asked for")
    file = workspace.new_file(parts)
    try:
        size, piece = 0, bytearray()
        # Not response.aiter_raw(), which refuses what a transport without a network has ready.
        async for part in cast("httpx.AsyncByteStream", response.stream):
            size += len(part)
            if size > _LARGEST:
                raise UnreadableError(f"it is larger than {_LARGEST / _GIB:g} GiB")
            piece += part
            if len(piece) >= PART:
                await run_in_thread(file.write, piece)
                piece = bytearray()
        await run_in_thread(file.write, piece)
        await run_in_thread(file.keep)
    finally:
        file.close()
