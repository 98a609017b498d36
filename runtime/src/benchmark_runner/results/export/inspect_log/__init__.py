"""A run as a log of Inspect: an ``.eval`` file, as Inspect itself writes it.

The file is a zip file, whose members are written in Inspect's own order: the beginning of the
log, a member for each repeat of each task, summaries of them, the scores of tasks, and last the
header, which has all else but the samples.
"""

from benchmark_runner.results.export.inspect_log.log_file import log_file_name, write_log

__all__ = ["log_file_name", "write_log"]
