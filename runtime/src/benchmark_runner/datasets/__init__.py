"""Tasks from a JSON, JSONL or CSV file, in the file's order.

A JSON file is ``{"dataset_name": …, "tests": [{"id", "question", "timeout"?, …}]}`` or just
the list; JSONL has one such object a line; CSV has a header with at least ``id`` and
``question``.
"""

from benchmark_runner.datasets.dataset_file import (
    DATASET_SUFFIXES,
    DatasetFile,
    open_dataset,
    read_dataset,
)
from benchmark_runner.datasets.task_rows import build_tasks

__all__ = ["DATASET_SUFFIXES", "DatasetFile", "build_tasks", "open_dataset", "read_dataset"]
