"""The folder of a run: files written atomically, locks, attempts."""

from benchmark_runner.artifacts.run_folder import RunArtifacts

__all__ = ["RunArtifacts"]
