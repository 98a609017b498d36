"""The calls of an author's ``start()`` and ``stop()``, around all generations of a command."""

from functools import partial

from benchmark_runner._concurrency.deadline import DeadlineExceeded
from benchmark_runner._concurrency.lifespan import Lifespan
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import RunnerStartError, describe, place_of

#: Seconds that ``stop()`` gets where no signal has come.
STOP_WITHIN = 60.0


class RunnerLifespan:
    """The time in which the runner's shared resources are open."""

    def __init__(self, runner: BenchmarkRunner) -> None:
        self._runner = runner
        self._lifespan: Lifespan | None = None

    async def start(self) -> RunnerStartError | None:
        """Call ``start()``, and return the error that says why it failed."""
        runner = self._runner
        # Of the class: runners of the earlier framework may have attributes of these names.
        methods = type(runner).start, type(runner).stop
        self._lifespan = Lifespan(*(partial(method, runner) for method in methods))
        try:
            await self._lifespan.start(runner.START_TIMEOUT)
        except DeadlineExceeded as error:
            failed = f"start() did not end within {runner.START_TIMEOUT:g} s{_place(error)}"
            return RunnerStartError(
                failed,
                hint="Correct start() in runner/benchmark.py, or raise START_TIMEOUT there. "
                "Nothing was generated.",
            )
        except Exception as error:  # noqa: BLE001 (any error of the author's code)
            return RunnerStartError(
                f"start() failed: {describe(error)} ({place_of(error)})",
                hint="Correct start() in runner/benchmark.py, or what it needs, then resume the "
                "run. Nothing was generated.",
            )
        return None

    async def stop(self) -> str | None:
        """Call ``stop()`` if ``start()`` has returned, and return what went wrong."""
        if self._lifespan is None:
            return None
        try:
            await self._lifespan.stop(STOP_WITHIN)
        except DeadlineExceeded as error:
            return f"stop() did not end in time{_place(error)}"
        except Exception as error:  # noqa: BLE001 (likewise)
            return f"stop() failed: {describe(error)} ({place_of(error)})"
        return None


def _place(error: DeadlineExceeded) -> str:
    return f"; it waited in {error.wait.place}" if error.wait.place else ""
