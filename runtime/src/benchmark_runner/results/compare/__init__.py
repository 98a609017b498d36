"""The comparison of two runs, task by task.

.. code-block:: python

    from benchmark_runner.results import open_run
    from benchmark_runner.results.compare import compare, judge, read_side

    a, b = (read_side(open_run(f"results/{name}", MyBenchRunner)) for name in ("first", "second"))
    comparison = compare(a, b)
    print(judge(comparison).verdict, comparison.effect.difference.mean)
"""

from benchmark_runner.results.compare.effect import Comparison, Effect, compare
from benchmark_runner.results.compare.findings import Finding
from benchmark_runner.results.compare.pairing import Pairing, pair
from benchmark_runner.results.compare.side import Side, read_side
from benchmark_runner.results.compare.verdict import Judgement, Verdict, judge

__all__ = [
    "Comparison",
    "Effect",
    "Finding",
    "Judgement",
    "Pairing",
    "Side",
    "Verdict",
    "compare",
    "judge",
    "pair",
    "read_side",
]
