"""Finished and running runs, read from disk: for notebooks and for the commands that only read.

.. code-block:: python

    from benchmark_runner.results import list_runs, open_view

    runner = MyBenchRunner("local")
    for run in list_runs("results", runner):
        print(run.run_id, run.done, run.total, run.mean)

    scan = open_view("results", "my-run", runner).scan()
    for row in scan:  # a TaskRow for each repeat of each task, in order; memory stays flat
        print(row.task_id, row.repeat, row.state, row.score)
    print(scan.summary.mean, scan.summary.complete, scan.score)
"""

from benchmark_runner.results.run_list import RunOverview, list_runs
from benchmark_runner.results.run_view import RunScan, RunView, open_view
from benchmark_runner.results.task_row import TaskRow, TaskState

__all__ = ["RunOverview", "RunScan", "RunView", "TaskRow", "TaskState", "list_runs", "open_view"]
