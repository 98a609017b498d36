"""All checks, in their order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark_runner._secrets import user_info
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.cli.console import mask_secrets
from benchmark_runner.cli.doctor.answers_file import (
    Answers,
    AnswersError,
    check_answers,
    read_answers,
)
from benchmark_runner.cli.doctor.contract import check_contract
from benchmark_runner.cli.doctor.contract_file import has_contract
from benchmark_runner.cli.doctor.drift import check_drift
from benchmark_runner.cli.doctor.findings import Finding, NotChecked, fault, not_checked
from benchmark_runner.cli.doctor.processes import ProgramError
from benchmark_runner.cli.doctor.run_command import ParseRun
from benchmark_runner.cli.doctor.runner import Opened, check_reachable, describe_runner, load
from benchmark_runner.cli.doctor.runtime import check_namesake, check_runtime
from benchmark_runner.cli.doctor.task_scores import advice_on_task_scores
from benchmark_runner.cli.doctor.updates import check_conflicts, check_releases
from benchmark_runner.errors import BenchmarkRunnerError, describe

__all__ = ["Checks"]


@dataclass(slots=True)
class Checks:
    """The checks of one repository; the root is ``None`` for an installed wheel.

    ``package`` is the name of the runner's package, and ``parse_run`` reads the flags of ``run``.
    """

    root: Path | None
    package: str
    opened: Opened
    offline: bool
    parse_run: ParseRun
    _runner: BenchmarkRunner | None = None

    def mask(self, service_url: str | None, headers: Sequence[str]) -> None:
        """Mask the keys, and the passwords in the project's addresses, in what is printed."""
        opened = self.opened
        url = opened[1].url if isinstance(opened, tuple) else service_url or ""
        redactor = mask_secrets(url, headers=headers)
        with suppress(AnswersError):
            for address in (read_answers(self.root) if self.root else {}).values():
                redactor.hide(user_info(address))

    async def findings(self) -> AsyncIterator[tuple[str, Finding]]:
        """Yield the name of every check and its finding, as soon as there is one."""
        checks: dict[str, Callable[[], Awaitable[Finding]]] = {
            "conflicts": lambda: check_conflicts(self._repository()),
            "answers": lambda: check_answers(self._repository()),
            "runtime": lambda: check_runtime(self._repository()),
            "runner": self._check_runner,
            "namesake": lambda: check_namesake(self.root, self.package),
            "template": lambda: check_releases(*self._template()),
            "service": self._check_service,
            "drift": lambda: check_drift(*self._template()),
        }
        for name, check in checks.items():
            yield name, await _finding_of(check)
            if name == "runner" and self.root and has_contract(self.root):
                for finding in await _findings_of(self._check_contract):
                    yield "contract", finding

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
        self._runner = await load(*self.opened)
        benchmark, service = self.opened
        finding = describe_runner(benchmark, service, self._runner)
        if finding.status == "ok":
            advice = advice_on_task_scores(benchmark.results_dir(None), self._runner)
            finding = replace(finding, advice=advice)
        return finding

    async def _check_contract(self) -> list[Finding]:
        if isinstance(self.opened, BenchmarkRunnerError):
            raise NotChecked("the runner can't be loaded")
        benchmark, _ = self.opened
        return check_contract(self._repository(), benchmark, self.package, self.parse_run)

    async def _check_service(self) -> Finding:
        self._need_network()
        if isinstance(self.opened, BenchmarkRunnerError) or self._runner is None:
            raise NotChecked("the runner or its dataset can't be loaded")
        return await check_reachable(*self.opened, self._runner)


async def _finding_of(check: Callable[[], Awaitable[Finding]]) -> Finding:
    async def listed() -> list[Finding]:
        return [await check()]

    (finding,) = await _findings_of(listed)
    return finding


async def _findings_of(check: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        return await check()
    except (NotChecked, ProgramError) as reason:
        return [not_checked(str(reason))]
    except BenchmarkRunnerError as error:
        return [fault(error.message, advice=error.hint)]
    except SystemExit as error:
        return [fault(f"the author's code ended Python: {describe(error)}")]
    except OSError as error:
        return [not_checked(describe(error))]
