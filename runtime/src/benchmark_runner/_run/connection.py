"""The connection to the benchmark service: over the network, or to the embedded one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._run.service_settings import LOCAL, ServiceSettings
from benchmark_runner._run.task_content import json_row
from benchmark_runner._run.task_source import TaskSource, call_load_tasks
from benchmark_runner._start_state import absolute
from benchmark_runner.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner._run.benchmark import Benchmark
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.local.datasets import LocalDatasets


#: Seconds for closing the connections to the service.
_CLOSE_WITHIN = 3.0


async def connect_to_service(
    service: ServiceSettings, benchmark: Benchmark, runner: BenchmarkRunner, source: TaskSource
) -> BenchmarkServiceClient:
    """Make the client of the service; an embedded one serves the benchmark's tasks."""
    if not service.url:
        raise UsageError(
            "no benchmark service was given",
            hint="Set SERVICE_URL, or give --service-url URL "
            "(--service-url local evaluates on this machine).",
        )
    if service.local:
        return await _connect_to_embedded(service, benchmark, runner, source)
    from benchmark_runner.client.service_client import build_client

    client = build_client(
        service.url,
        timeout=service.attempt_timeout,
        retry=service.retry,
        allow_insecure_http=service.allow_insecure_http,
        max_connections=service.eval_parallelism + 1,
        header_flags=service.headers,
    )
    client.calls.silence = service.attempt_timeout
    return client


async def close_connections(runner: BenchmarkRunner) -> None:
    """Close what the runner has open; a connection that does not close is left to the system."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_WITHIN):
            await runner.aclose()


async def _connect_to_embedded(
    service: ServiceSettings, benchmark: Benchmark, runner: BenchmarkRunner, source: TaskSource
) -> BenchmarkServiceClient:
    from benchmark_runner.local import local_client

    if source.kind == "file":
        datasets = await _dataset_of_file(benchmark, runner, source.file)
    else:
        datasets = benchmark.datasets_in(benchmark.data_dir)
    embedded = benchmark.local_service(runner, *datasets)
    if source.kind != "file" and source.dataset_name is not None:
        embedded.datasets.get(source.dataset_name)  # fails early if it is damaged
    client = local_client(embedded, timeout=service.attempt_timeout)
    client.calls.silence = service.attempt_timeout
    return client


async def _dataset_of_file(
    benchmark: Benchmark, runner: BenchmarkRunner, file: Path | None
) -> tuple[LocalDatasets, str]:
    """Return the tasks that ``runner`` has loaded, with the references that it does not keep."""
    from benchmark_runner.datasets.dataset_file import INPUTS
    from benchmark_runner.local.datasets import LocalDatasets

    file = file and absolute(file)  # the author's code may have changed the working directory
    name = runner.dataset_name or (file.stem if file else "default")
    rows = _rows_of_file(file, {task.id for task in runner.registered_tasks()})
    if rows is None:  # only an author's own loader can read them
        fresh = benchmark.runner(LOCAL, eval_parallelism=1)
        tasks = await call_load_tasks(fresh, str(file) if file else None)
        rows = [*map(json_row, tasks)]
    fields = benchmark.runner_class.EVALUATOR_FIELDS
    inputs = (file.parent if file else benchmark.data_dir) / INPUTS
    return LocalDatasets.from_rows(name, rows, evaluator_fields=fields, inputs=inputs), name


def _rows_of_file(file: Path | None, task_ids: set[str]) -> list[dict[str, JsonValue]] | None:
    from benchmark_runner.datasets import read_dataset

    try:
        rows = [] if file is None else read_dataset(file).rows
    except DatasetError:
        return None
    return rows if task_ids <= {str(row["id"]) for row in rows} else None
