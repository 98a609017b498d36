"""The requests about datasets: their versions, their tasks, and the input files of those."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from benchmark_runner import schemas
from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner.local.bodies import json_response, read_body
from benchmark_runner.local.catalog import Catalog, task_row
from benchmark_runner.local.inputs import input_files

__all__ = ["TaskRequests"]


class TaskRequests:
    """The endpoints that tell of the tasks in a catalog, whose input files are in a folder."""

    def __init__(self, catalog: Catalog, inputs: Path) -> None:
        self._catalog = catalog
        self._inputs = inputs

    async def resolve_dataset(self, request: Request) -> Response:
        """Return the version of a dataset that a selector names."""
        body = await read_body(request, schemas.ResolveDatasetRequest)
        found = await self._catalog.resolve(body.dataset, body.version, request.headers)
        version = schemas.DatasetVersion(id=found.version_id, label=found.label)
        return json_response(schemas.ResolveDatasetResponse(dataset=found.name, version=version))

    async def verify_ids(self, request: Request) -> Response:
        """Return the ids that were asked for, or all, or a slice of them."""
        query = request.query_params
        dataset = await self._catalog.dataset(query.get("dataset"), request.headers)
        asked = query.getlist("task_ids")
        for task_id in asked:
            task_row(dataset, task_id)
        chosen = _slice(asked or list(dataset.rows), query.get("slice"))
        return json_response(schemas.VerifyTaskIdsResponse(task_ids=chosen))

    async def list_tasks(self, request: Request) -> Response:
        """Return the tasks as clients see them."""
        dataset = await self._catalog.dataset(request.path_params["dataset"], request.headers)
        return json_response(
            schemas.TaskListResponse(
                dataset=dataset.name,
                dataset_version=dataset.label or dataset.version,
                tasks=dataset.tasks,
            )
        )

    async def list_inputs(self, request: Request) -> Response:
        """Return the names of a task's input files, and their places in its workspace."""
        _, files = await self._input_files(request)
        inputs = [schemas.TaskInput(filename=name, dest=dest) for name, dest in files.items()]
        return json_response(schemas.TaskInputsResponse(inputs=inputs))

    async def send_input(self, request: Request) -> Response:
        """Send an input file."""
        name: str = request.path_params["filename"]
        folder, files = await self._input_files(request, name)
        if name not in files:
            raise HTTPException(404, f"Input not found: {name}")
        return FileResponse(folder / files[name], media_type="application/octet-stream")

    async def _input_files(
        self, request: Request, wanted: str | None = None
    ) -> tuple[Path, dict[str, str]]:
        """Return the folder of a task's input files, and those, or one of them, by their names."""
        dataset = await self._catalog.dataset(request.path_params["dataset"], request.headers)
        task_id: str = request.path_params["task_id"]
        if task_id not in dataset.rows:
            raise HTTPException(404, f"Task not found: {task_id}")
        files = await run_in_thread(input_files, self._inputs, task_id, wanted)
        return self._inputs / task_id, files


def _slice(task_ids: list[str], text: str | None) -> list[str]:
    if text is None:
        return task_ids
    try:
        bounds = [int(part) if part else None for part in text.split(":")]
        if len(bounds) > 1:
            return task_ids[slice(*bounds)]
    except (ValueError, TypeError):  # not a number, a step of 0, or too many parts
        pass
    raise HTTPException(400, f"Invalid slice: {text}")
