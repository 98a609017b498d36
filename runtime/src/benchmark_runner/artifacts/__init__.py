"""The folder of a run: its files, atomic writes, locks and attempts."""

from benchmark_runner.artifacts.run_folder import RunArtifacts

__all__ = ["RunArtifacts"]
