"""The folder of a run: its files, atomic writes, locks and attempts."""

from benchmark_runner.artifacts.run_folder import (
    BLOCKED_LOG,
    EVAL_TRACEBACK_LOG,
    TRACEBACK_LOG,
    RunArtifacts,
)

__all__ = ["BLOCKED_LOG", "EVAL_TRACEBACK_LOG", "TRACEBACK_LOG", "RunArtifacts"]
