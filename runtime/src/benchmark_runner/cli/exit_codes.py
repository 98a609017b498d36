"""The exit codes of the commands.

== ===================================================================================
0  Done: for ``run``, ``evaluate`` and ``score``, all that was asked for.
1  Not all of it: something failed, or is missing. For ``doctor``: it found a problem.
2  The command can't be carried out as it is given, or the run can't be opened.
3  ``compare --fail-if-worse``: the candidate is worse.
4  ``compare --fail-if-worse``: the runs can't be compared.
== ===================================================================================

Errors have their exit codes in :mod:`benchmark_runner.errors`. After a signal it is 128 and the
signal's number: 130 for Ctrl-C, 143 for SIGTERM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.schemas import Phase

if TYPE_CHECKING:
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.workflow import Outcome


def exit_code(outcome: Outcome, request: RunRequest) -> int:
    """Return 0 if all that was asked for is done, else 1."""
    if outcome.stopped_by is not None:
        return 1
    chosen = outcome.chosen
    match request.command:
        case "run" if request.skip_eval:
            failed = any(group.phase is Phase.GENERATE for group in chosen.failures)
            done = not chosen.without_generation and not failed
        case "run":
            done = chosen.complete
        case "evaluate":
            done = not chosen.without_eval and not chosen.failures
        case "score":
            done = outcome.score is not None
    return 0 if done else 1
