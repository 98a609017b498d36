"""All checks, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark_runner.cli.doctor.answers_file import AnswersError, check_answers, read_answers
from benchmark_runner.cli.doctor.conflicts import check_conflicts
from benchmark_runner.cli.doctor.drift import check_drift
from benchmark_runner.cli.doctor.findings import Finding, NotChecked, fault, not_checked
from benchmark_runner.cli.doctor.namesake import check_namesake
from benchmark_runner.cli.doctor.releases import check_releases
from benchmark_runner.cli.doctor.runner import Loaded, check_reachable, describe_loaded, load
from benchmark_runner.cli.doctor.versions import check_runtime
from benchmark_runner.errors import BenchmarkRunnerError, describe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from benchmark_runner.cli.doctor.answers_file import Answers
    from benchmark_runner.cli.doctor.repository import Opened

__all__ = ["Checks"]


@dataclass(slots=True, kw_only=True)
class Checks:
    """The checks of one repository.

    Attributes:
        root: The author's project; ``None`` for an installed wheel.
        opened: The author's benchmark and its service, or the error of opening them.
        offline: Leave out what needs the network.
    """

    root: Path | None
    opened: Opened
    offline: bool
    _loaded: Loaded | None = None

    async def findings(self) -> AsyncIterator[tuple[str, Finding]]:
        """Yield the name of every check and its finding, as soon as there is one."""
        checks: dict[str, Callable[[], Awaitable[Finding]]] = {
            "conflicts": lambda: check_conflicts(self._repository()),
            "answers": lambda: check_answers(self._repository()),
            "runtime": lambda: check_runtime(self._repository()),
            "runner": self._check_runner,
            "namesake": lambda: check_namesake(self.root),
            "template": lambda: check_releases(*self._template()),
            "service": self._check_service,
            "drift": lambda: check_drift(*self._template()),
        }
        for name, check in checks.items():
            yield name, await _finding_of(check)

    def _repository(self) -> Path:
        if self.root is None:
            raise NotChecked("installed without its repository")
        return self.root

    def _template(self) -> tuple[Path, Answers]:
        self._need_network()
        root = self._repository()
        try:
            return root, read_answers(root)
        except AnswersError:
            raise NotChecked("the answers file does not say what this is made from") from None

    def _need_network(self) -> None:
        if self.offline:
            raise NotChecked("--offline")

    async def _check_runner(self) -> Finding:
        if isinstance(self.opened, BenchmarkRunnerError):
            raise self.opened
        benchmark, service = self.opened
        self._loaded = await load(benchmark, service.url)
        return describe_loaded(benchmark, self._loaded, local=service.local)

    async def _check_service(self) -> Finding:
        self._need_network()
        if isinstance(self.opened, BenchmarkRunnerError) or self._loaded is None:
            raise NotChecked("the runner or its dataset can't be loaded")
        return await check_reachable(*self.opened, self._loaded)


async def _finding_of(check: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await check()
    except NotChecked as reason:
        return not_checked(str(reason))
    except BenchmarkRunnerError as error:
        return fault(error.message, advice=error.hint)
    except SystemExit as error:
        return fault(f"the author's code ended Python: {describe(error)}")
    except OSError as error:
        return not_checked(describe(error))
