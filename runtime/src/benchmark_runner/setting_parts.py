"""The part that each option of ``run`` has in whether a resume is the same run.

A new option gets its line here, and so an answer to what another value means for a run that
is there; without one, a test fails.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from benchmark_runner.checkpoint import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Each option, and the argument, as it is typed.
PART_OF_OPTION: Final[Mapping[str, Part]] = MappingProxyType(
    {
        "--run-id": Part.RECORD,
        # What is generated, and with what.
        "--model": Part.IDENTITY,
        "--dataset-file": Part.IDENTITY,
        "--dataset-name": Part.IDENTITY,
        "--problem": Part.IDENTITY,
        "--limit": Part.IDENTITY,
        "--option": Part.IDENTITY,
        "--max-tokens": Part.IDENTITY,
        "--temperature": Part.IDENTITY,
        "--top-p": Part.IDENTITY,
        "--top-k": Part.IDENTITY,
        "--reasoning-effort": Part.IDENTITY,
        "--custom-endpoint": Part.IDENTITY,
        "--chat-completions": Part.IDENTITY,
        "--disable-streaming": Part.IDENTITY,
        # Who grades.
        "--service-url": Part.GRADER,
        # How the work is done.
        "--skip-eval": Part.OPERATIONAL,
        "--parallelism": Part.OPERATIONAL,
        "--timeout": Part.OPERATIONAL,
        "--max-cost": Part.OPERATIONAL,
        "--max-errors": Part.OPERATIONAL,
        "--no-durable": Part.OPERATIONAL,
        "--eval-parallelism": Part.OPERATIONAL,
        "--eval-timeout": Part.OPERATIONAL,
        "--service-attempts": Part.OPERATIONAL,
        "--service-retry-time": Part.OPERATIONAL,
        "--allow-insecure-http": Part.OPERATIONAL,
        # What this one command works on, and what it prints.
        "TASK_IDS": Part.INVOCATION,
        "--task-file": Part.INVOCATION,
        "--dry-run": Part.INVOCATION,
        "--rerun": Part.INVOCATION,
        "--retry-timeouts": Part.INVOCATION,
        "--accept-changed-tasks": Part.INVOCATION,
        "--accept-code-change": Part.INVOCATION,
        "--results-dir": Part.INVOCATION,
        "--quiet": Part.INVOCATION,
        "--json": Part.INVOCATION,
        # A secret: used, and never written down.
        "--custom-api-key": Part.INVOCATION,
    }
)
