"""The exit codes of the commands.

.. code-block:: text

    0         all that was asked for is done; a task that ran out of time or turns is done
    1         errors remain, the service can't be used, a limit was reached, another process holds
              the run, or the run is not complete enough to score; doctor found a problem
    2         the command line, the dataset or the runner is not usable, or it is another run
    3, 4      compare --fail-if-worse: B is worse; the runs are not comparable
    5         run --until-...: settled, and the answer is no
    130, 143  stopped by Ctrl-C, by SIGTERM or SIGHUP; what was finished is kept

The codes of errors are in their classes, in :mod:`benchmark_runner.errors`.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from benchmark_runner._stats.threshold_test import ThresholdSide
from benchmark_runner.schemas import Phase

if TYPE_CHECKING:
    from benchmark_runner._run.outcome import Outcome
    from benchmark_runner._run.request import RunRequest


#: ``compare --fail-if-worse``.
WORSE, NOT_COMPARABLE = 3, 4
#: ``run --until-score`` and ``--until-decided-against``.
SETTLED_NO = 5


def after_signal(number: int) -> int:
    """Return the exit code of a command that a signal ended, as shells have it.

    A terminal that goes away (SIGHUP) ends it as SIGTERM does.
    """
    return 128 + (signal.SIGTERM if number == signal.SIGHUP else number)


def exit_code(outcome: Outcome, request: RunRequest) -> int:
    """Return 0 if all that was asked for is done, and the answer to a question is yes."""
    if outcome.stopped_by is not None:
        return 1
    if request.asks:
        side = outcome.verdict.side if outcome.verdict is not None else None
        return {ThresholdSide.ABOVE: 0, ThresholdSide.BELOW: SETTLED_NO, None: 1}[side]
    chosen = outcome.chosen
    match request.command:
        case "run" if request.skip_eval:
            failed = any(group.phase is Phase.GENERATE for group in chosen.failures)
            done = not chosen.without_generation and not failed
        case "run":
            done = chosen.complete
        case "evaluate":
            done = not chosen.without_eval and not chosen.failures
        case _:  # score
            done = outcome.score is not None
    return 0 if done else 1
