"""A run as a folder of trajectories in the ATIF format, each with its grade in its metadata."""

from benchmark_runner.results.export.atif.folder import write_trajectories

__all__ = ["write_trajectories"]
