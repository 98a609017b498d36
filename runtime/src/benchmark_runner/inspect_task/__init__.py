"""A benchmark as a task of Inspect, with the author's agent as its solver.

``inspect eval my_bench_runner/my_bench`` finds it by the entry point of the group ``inspect_ai``
in the runner's ``pyproject.toml``, which names a module that calls :func:`register_task`. It
needs the extra ``inspect``.
"""

from benchmark_runner.inspect_task.registration import register_task

__all__ = ["register_task"]
