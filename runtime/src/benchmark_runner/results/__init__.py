"""Finished and running runs, read from disk: for notebooks and for the commands that only read.

.. code-block:: python

    from benchmark_runner.results import list_runs, open_run

    for overview in list_runs("results", MyBenchRunner):
        print(overview.run_id, overview.done, overview.total, overview.mean)

    run = open_run("results/my-run", MyBenchRunner)
    scan = run.scan()
    for row in scan:  # a TaskRow for each repeat of each task, in order; memory stays flat
        print(row.task_id, row.repeat, row.state, row.score)
    print(scan.summary.mean, scan.summary.complete, scan.score)
    table = run.to_pandas()  # or run.to_polars()
"""

from benchmark_runner.results.run import Run, open_run
from benchmark_runner.results.run_list import RunOverview, list_runs
from benchmark_runner.results.run_view import RunScan, RunView
from benchmark_runner.results.task_row import TaskRow, TaskState

__all__ = [
    "Run",
    "RunOverview",
    "RunScan",
    "RunView",
    "TaskRow",
    "TaskState",
    "list_runs",
    "open_run",
]
