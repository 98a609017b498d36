"""Errors of an author's tasks, callbacks and threads that nobody waits for."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from benchmark_runner._concurrency.author_scope import AuthorCall, Owner
from benchmark_runner.artifacts.run_folder import BACKGROUND_LOG, RunArtifacts
from benchmark_runner.errors import ArtifactError

#: Errors of one task that are written: code that is called again and again fails as often.
_MOST = 100


class StrayErrors:
    """Writes such errors into the log of the task that they belong to.

    The others go to ``note``, which prints them.
    """

    def __init__(self, artifacts: RunArtifacts, note: Callable[[str], None]) -> None:
        self._artifacts = artifacts
        self._note = note
        self._counts: Counter[Owner] = Counter()

    def add(self, author: AuthorCall | None, text: str) -> None:
        """Write or print one error; from any thread."""
        with suppress(ArtifactError, RuntimeError):  # a signal handler may interrupt a print
            if author is None or author.owner is None:
                self._note(text.rstrip())
                return
            self._counts[author.owner] += 1
            if self._counts[author.owner] <= _MOST:
                task_id, repeat = author.owner
                artifacts = self._artifacts.of_repeat(repeat)
                artifacts.write_log(task_id, BACKGROUND_LOG, text, append=True)
