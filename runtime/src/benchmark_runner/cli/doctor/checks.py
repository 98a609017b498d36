"""All checks, in their order, each told as soon as it is made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmark_runner.cli.doctor.answers_file import AnswersError, check_answers, read_answers
from benchmark_runner.cli.doctor.conflicts import check_conflicts
from benchmark_runner.cli.doctor.drift import check_drift
from benchmark_runner.cli.doctor.findings import Finding, fault, not_checked
from benchmark_runner.cli.doctor.loading import Loaded, load, say_what_loads
from benchmark_runner.cli.doctor.namesake import check_namesake
from benchmark_runner.cli.doctor.releases import check_releases
from benchmark_runner.cli.doctor.service import check_reachable
from benchmark_runner.cli.doctor.versions import check_runtime
from benchmark_runner.errors import BenchmarkRunnerError, describe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from benchmark_runner._run.benchmark import Benchmark
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner.cli.doctor.answers_file import Answers


@dataclass(slots=True, kw_only=True)
class Examination:
    """One visit.

    Attributes:
        root: The author's project; ``None`` for an installed wheel.
        opened: The author's benchmark and how to talk to its service, or why it can't be opened.
        offline: Whether to leave out what needs the network.
    """

    root: Path | None
    opened: tuple[Benchmark, ServiceSettings] | BenchmarkRunnerError
    offline: bool
    _loaded: Loaded | None = None

    async def findings(self) -> AsyncIterator[tuple[str, Finding]]:
        """Make every check, and yield its name and what it found."""
        checks: dict[str, Callable[[], Awaitable[Finding]]] = {
            "conflicts": partial(self._of_repository, check_conflicts),
            "answers": partial(self._of_repository, check_answers),
            "runtime": partial(self._of_repository, check_runtime),
            "runner": self._runner,
            "namesake": partial(check_namesake, self.root),
            "template": partial(self._of_template, check_releases),
            "service": self._service,
            "drift": partial(self._of_template, check_drift),
        }
        for name, check in checks.items():
            try:
                finding = await check()
            except BenchmarkRunnerError as error:
                finding = fault(error.message, advice=error.hint)
            except SystemExit as error:
                finding = fault(f"the author's code ended Python: {describe(error)}")
            except OSError as error:
                finding = not_checked(describe(error))
            yield name, finding

    async def _of_repository(self, check: Callable[[Path], Awaitable[Finding]]) -> Finding:
        if self.root is None:
            return not_checked("installed without its repository")
        return await check(self.root)

    async def _of_template(self, check: Callable[[Path, Answers], Awaitable[Finding]]) -> Finding:
        if self.offline:
            return not_checked("--offline")
        if self.root is None:
            return not_checked("installed without its repository")
        try:
            answers = read_answers(self.root)
        except AnswersError:
            return not_checked("the answers file does not say what this is made from")
        return await check(self.root, answers)

    async def _runner(self) -> Finding:
        if isinstance(self.opened, BenchmarkRunnerError):
            raise self.opened
        benchmark, service = self.opened
        self._loaded = await load(benchmark, service.url)
        return say_what_loads(benchmark, self._loaded, local=service.local)

    async def _service(self) -> Finding:
        if self.offline:
            return not_checked("--offline")
        if isinstance(self.opened, BenchmarkRunnerError) or self._loaded is None:
            return not_checked("the runner or its dataset can't be loaded")
        return await check_reachable(*self.opened, self._loaded)
