"""The run that a contract starts: what an orchestrator needs of it, and the files it writes."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import PurePosixPath

from benchmark_runner._run.request import RunRequest
from benchmark_runner.cli.doctor.contract_file import Artifact, Contract
from benchmark_runner.cli.doctor.findings import Finding, fault
from benchmark_runner.cli.doctor.run_command import PROBLEM, TASK

__all__ = ["check_request"]

_MOST_ARTIFACTS = 10
#: What a run with --skip-eval writes, below its folder.
_FILES = ("run_config.json", "events.jsonl", f"{TASK}/generation.json")
_OWN_NAMES = frozenset(PurePosixPath(file).name for file in _FILES)


def check_request(contract: Contract, request: RunRequest, payload_type: str) -> Iterator[Finding]:
    """Yield what an orchestrator needs and the command does not do."""
    needed = {
        '--problem "{problem_statement_path}"': str(request.problem) == PROBLEM,
        '"{task_id}"': [*request.task_ids] == [TASK],
        "--skip-eval": request.skip_eval,
        "--run-id": request.run_id is not None,
        "--results-dir": request.results_dir is not None,
    }
    for flag, given in needed.items():
        if not given:
            yield fault(f"run_cmd lacks {flag}", advice=f"Add {flag} to it.")
    if request.custom_api_key is not None:
        advice = "Put it into secrets, as CUSTOM_API_KEY."
        yield fault("run_cmd has a key in --custom-api-key", advice=advice)
    if request.run_id is None or request.results_dir is None:
        return
    if not request.results_dir.is_absolute():
        advice = "Give an absolute path: the working directory is the task's."
        yield fault(f"run_cmd has --results-dir {request.results_dir}", advice=advice)
        return
    folders = ("agent_logs", "submission") if payload_type == "artifact" else ("agent_logs",)
    outputs = _Outputs(PurePosixPath(request.results_dir, request.run_id), folders)
    yield from outputs.check(contract)


class _Outputs:
    """The files of a run: those of its folder, and the folders of each task's."""

    def __init__(self, run_folder: PurePosixPath, task_folders: tuple[str, ...]) -> None:
        self._run_folder = run_folder
        self._task_folders = task_folders

    def check(self, contract: Contract) -> Iterator[Finding]:
        """Yield what the contract collects and a run does not write."""
        output, artifacts = contract.get("final_output"), contract.artifacts
        if not output or not self._run_folder.is_relative_to(output):
            message = f"final_output is {output or 'missing'}, and a run is in {self._run_folder}"
            yield fault(message, advice=f"Write final_output: {self._run_folder}")
        if len(artifacts) > _MOST_ARTIFACTS:
            message = f"{len(artifacts)} output_artifacts are more than {_MOST_ARTIFACTS}"
            yield fault(message, advice="Remove some; final_output has all files.")
        yield from _check_paths([each.path for each in artifacts])
        yield from chain.from_iterable(map(self._check_source, artifacts))

    def _check_source(self, artifact: Artifact) -> Iterator[Finding]:
        source = PurePosixPath(artifact.source)
        if not source.is_absolute():
            message = f"the source {artifact.source!r} of {artifact.path} is not absolute"
            advice = f"Give one such as {self._run_folder}/{{task_id}}/generation.json"
            yield fault(message, advice=advice)
        elif not self._may_write(source):
            advice = (
                f"It writes {self._run_folder}/{{task_id}}/generation.json, for example; what the "
                "agent records is in agent_logs beside that."
            )
            yield fault(f"a run writes no {source}", advice=advice)

    def _may_write(self, source: PurePosixPath) -> bool:
        if not source.is_relative_to(self._run_folder.parent):
            return source.name not in _OWN_NAMES  # the agent may write there
        if not source.is_relative_to(self._run_folder):
            return False
        name = str(source.relative_to(self._run_folder)).replace("{task_id}", TASK)
        if any(fnmatchcase(file, name) for file in _FILES):
            return True
        task, *rest = name.split("/")
        return len(rest) > 1 and rest[0] in self._task_folders and fnmatchcase(TASK, task)


def _check_paths(paths: list[str]) -> Iterator[Finding]:
    for path in dict.fromkeys(paths):
        if not path or path.startswith("/") or ".." in PurePosixPath(path).parts:
            message = f"the path {path!r} of an output artifact is not relative"
            yield fault(message, advice="Give a path such as atif/trajectory.json.")
        if paths.count(path) > 1:
            message = f"several output_artifacts have the path {path}"
            yield fault(message, advice="Give each a path of its own.")
