"""The settings and tasks of a run: ``run_config.json``."""

from benchmark_runner._part import Part
from benchmark_runner.checkpoint.earlier import (
    is_eval_redoable,
    is_generation_redoable,
    load_or_create_run_config,
)
from benchmark_runner.checkpoint.import_record import ImportedFile
from benchmark_runner.checkpoint.run_config import (
    Invocation,
    RunConfig,
    TaskSourceKind,
    field_words,
    fields_with,
    load_run_config,
    part_of,
    save_run_config,
)
from benchmark_runner.checkpoint.until import Until

__all__ = [
    "ImportedFile", "Invocation", "Part", "RunConfig", "TaskSourceKind", "Until", "field_words",
    "fields_with", "is_eval_redoable", "is_generation_redoable", "load_or_create_run_config",
    "load_run_config", "part_of", "save_run_config",
]  # fmt: skip
