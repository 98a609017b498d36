"""Tasks, and the config of a run that has frozen them."""

from __future__ import annotations

from benchmark_runner._run.identity import task_hash
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.schemas import Task

SCHEMA = "my-bench.text.v1"


def task(task_id: str, **fields: object) -> Task:
    return Task.model_validate({"id": task_id, "question": f"{task_id}?", **fields})


def frozen(*tasks: Task, **fields: object) -> RunConfig:
    return RunConfig.model_validate(
        {
            "run_id": "run-1",
            "model": "model-a",
            "tasks": [one.id for one in tasks],
            "task_hashes": {one.id: task_hash(one) for one in tasks},
            "payload_schema": SCHEMA,
            **fields,
        }
    )
