"""The contract with an orchestrator, which has to fit the runner."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchmark_runner._project.manifest import read_manifest, table_in
from benchmark_runner._run.benchmark import Benchmark
from benchmark_runner.cli.doctor.contract_file import (
    CONTRACT_FILE,
    Contract,
    check_shape,
    read_contract,
)
from benchmark_runner.cli.doctor.contract_run import check_request
from benchmark_runner.cli.doctor.findings import Finding, fault, not_checked, ok
from benchmark_runner.cli.doctor.keys_read import FRAMEWORK_KEYS, keys_read
from benchmark_runner.cli.doctor.run_command import ParseRun, call_in
from benchmark_runner.errors import BenchmarkRunnerError

__all__ = ["check_contract"]

_BUNDLE = re.compile(r"/bundle/([^/\s\"']+)")
#: An update brings back no file that was deleted.
_FROM_TEMPLATE = (
    "Restore it from git. A copy that never had it gets it with "
    "copier update --data orchestrator=contract."
)
_SCRIPT = re.compile(r"[^\s\"';&|]+\.(?:sh|py)\b")


def check_contract(
    root: Path, benchmark: Benchmark, package: str, parse: ParseRun
) -> list[Finding]:
    """Return the problems of the contract at the project's root, or that there are none.

    Raises:
        UsageError: it can't be read.
    """
    contract = read_contract(root)
    found = [*_Check(root, contract, benchmark, package, parse).findings()]
    return found or [ok(f"{CONTRACT_FILE} fits the runner")]


@dataclass(frozen=True, slots=True)
class _Check:
    root: Path
    contract: Contract
    benchmark: Benchmark
    package: str
    parse: ParseRun

    def findings(self) -> Iterator[Finding]:
        yield from check_shape(self.contract)
        yield from self._check_name()
        yield from self._check_install()
        yield from self._check_run()
        yield from self._check_model()
        yield from self._check_secrets()

    def _check_name(self) -> Iterator[Finding]:
        name, own = self.contract.get("name"), self.benchmark.runner_class.NAME
        if name and not _alike(name).startswith(_alike(own)):
            message = f"name is {name!r}, and the runner is {own!r}"
            yield fault(message, advice=f'Write name: "{own}", or begin it so.')
        for key in ("install_cmd", "run_cmd"):
            for folder in dict.fromkeys(_BUNDLE.findall(self.contract.get(key))):
                if name and folder != name:
                    message = (
                        f"{key} uses /bundle/{folder}, and the repository is in /bundle/{name}"
                    )
                    yield fault(message, advice=f"Write /bundle/{name} there.")

    def _check_install(self) -> Iterator[Finding]:
        for script in _SCRIPT.findall(self.contract.get("install_cmd")):
            inside = re.sub(r"^/bundle/[^/]+/", "", script)
            if not inside.startswith("/") and not (self.root / inside).is_file():
                advice = _FROM_TEMPLATE if inside == "setup.sh" else "Add it, or correct the name."
                yield fault(f"install_cmd uses {inside}, which does not exist", advice=advice)

    def _check_run(self) -> Iterator[Finding]:
        contract = self.contract
        if not contract.get("run_cmd").strip():
            return
        known = {*contract.parameters, "problem_statement_path", "task_id"}
        for name in contract.placeholders:
            if name not in known:
                advice = "Add it to kwargs, or remove it from run_cmd."
                yield fault(f"nobody fills in {{{name}}} of run_cmd", advice=advice)
        scripts = self._scripts()
        try:
            call = call_in(contract, scripts)
        except ValueError:
            yield fault("run_cmd has a quotation without an end", advice="Close it.")
            return
        if call.needs_a_shell:
            advice = "An orchestrator puts `timeout` before it: wrap it as sh -c '...'."
            yield fault(f"run_cmd begins with {call.program}, which is no program", advice=advice)
        if call.arguments is None:
            yield self._no_call(call.program, scripts)
        elif call.arguments[:1] != ["run"]:
            yield fault("run_cmd calls the runner without run", advice=f"Call {scripts[0]} run.")
        else:
            yield from self._check_arguments(call.arguments[1:], scripts[0])

    def _check_arguments(self, arguments: Sequence[str], script: str) -> Iterator[Finding]:
        try:
            request = self.parse(arguments)
        except BenchmarkRunnerError as error:
            yield fault(f"run_cmd: {error.message}", advice=error.hint)
        except Exception as error:
            # What Typer and Click raise for a command line share no class in all versions.
            format_message: Callable[[], str] | None = getattr(error, "format_message", None)
            if format_message is None:
                raise
            yield fault(
                f"run_cmd: {format_message()}", advice=f"{script} run --help has all flags."
            )
        else:
            yield from check_request(
                self.contract, request, self.benchmark.runner_class.PAYLOAD_TYPE
            )

    def _scripts(self) -> Sequence[str]:
        declared = table_in(read_manifest(self.root), "project", "scripts")
        return [*declared] or [f"{self.benchmark.runner_class.NAME}-runner"]

    def _no_call(self, program: str, scripts: Sequence[str]) -> Finding:
        if program.endswith("-runner"):
            message = f"run_cmd calls {PurePosixPath(program).name}, which is no script of this one"
            return fault(message, advice=f"Call {scripts[0]}.")
        return not_checked(f"run_cmd does not call {scripts[0]} itself: its flags are not known")

    def _check_model(self) -> Iterator[Finding]:
        own = self.benchmark.settings.default_model
        if "model" not in self.contract.placeholders:
            yield fault("run_cmd lacks {model}", advice='Add --model "{model}" to it.')
        given = self.contract.parameters.get("model")
        if given is None:
            yield fault("defaults has no model", advice="Add model: to defaults, with a type.")
        elif (default := given.get("default")) is not None and own and default != own:
            message = f"the model is {default!r} by default, and {own!r} in runner/cli.py"
            yield fault(message, advice="Write the same model in both.")

    def _check_secrets(self) -> Iterator[Finding]:
        read = keys_read(self.root, self.package)
        for name, file in read.items():
            if not re.search(rf"\b{name}\b", self.contract.text):
                advice = f"Add {name}: to secrets, or to a comment there if it is not needed."
                yield fault(f"{name}, named in {file}, is not among the secrets", advice=advice)
        for name in self.contract.literal_keys:
            advice = "Write the name of its value at the orchestrator, and revoke a committed key."
            yield fault(f"the value of {name} looks like a key itself", advice=advice)
        for name in self.contract.secrets:
            if name not in read and name not in FRAMEWORK_KEYS:
                advice = "Remove it, or name it in .env.example if something else reads it."
                yield fault(f"{name} is a secret that the runner does not read", advice=advice)


def _alike(name: str) -> str:
    return name.lower().replace("_", "-")
