"""The contract with an orchestrator, and that it fits the runner."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.doctor.repositories import CHECKS, COLUMNS, offline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import RunnerProject

CONTRACT = """\
name: sample
install_cmd: sh setup.sh
install_egress: [https://index.example]
run_cmd: >-
  /bundle/sample/.venv-bundle/bin/sample-runner run --run-id r --results-dir /app/results
  --skip-eval --model "{model}" --timeout "{timeout}" --problem "{problem_statement_path}"
  "{task_id}"
final_output: /app/results/r
output_artifacts:
  - path: generation.json
    source: /app/results/r/{task_id}/generation.json
  - path: atif/trajectory.json
    source: /app/results/r/{task_id}/agent_logs/trajectory.json
    required: false
secrets: {}
defaults:
  model: {type: str, required: false, default: sample-model}
kwargs:
  timeout: {type: int, required: false, default: 1800}
"""
OUTPUT = "  - path: more/FILE\n    source: SOURCE\n    required: false\n"
GENERATION = "source: /app/results/r/{task_id}/generation.json"


def found_in(project: RunnerProject) -> list[dict[str, Any]]:
    document = project.run("doctor", "--offline", "--json").json
    return [each for each in document["checks"] if each["check"] == "contract"]


@pytest.fixture
def write(healthy: RunnerProject) -> Callable[..., RunnerProject]:
    """Writes a contract that fits, with these changes."""
    (healthy.root / "setup.sh").write_text("")

    def write(*changes: tuple[str, str]) -> RunnerProject:
        text = CONTRACT
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (healthy.root / "contract.yaml").write_text(text)
        return healthy

    return write


def test_copy_without_a_contract_is_not_asked(healthy: RunnerProject) -> None:
    """A copy without a contract is not asked about it."""
    assert [*offline(healthy)] == CHECKS
    assert found_in(healthy) == []


def test_contract_that_fits_is_ok(write: Callable[..., RunnerProject]) -> None:
    """A contract that fits is no problem."""
    (found,) = found_in(write())
    assert (found["status"], found["remedy"]) == ("ok", None)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "change",
    [
        ("name: sample", "name: Sample_v2"),
        ("sh setup.sh", "sh -c 'apt-get install git && sh /bundle/sample/setup.sh'"),
        ("  /bundle/sample/.venv-bundle/bin/sample-runner", "  uv run sample-runner"),
        ('"{task_id}"\n', '"{task_id}" 2>&1 | tee /logs/x\n'),
        ("final_output: /app/results/r", "final_output: /app/results"),
        (
            "generation.json\n    source: /app/results/r/{task_id}/g",
            "g\n    source: /app/results/r/*/g",
        ),
        (GENERATION, "source: /app/results/r/run_config.json"),
        (GENERATION, "source: /app/results/r/*/agent_logs/*/trajectory*.json"),
        (GENERATION, "source: /logs/of/the/agent.json"),
        ("install_egress: [https://index.example]", 'install_egress: "*"'),
        ("secrets: {}", "secrets: [CUSTOM_API_KEY]"),
        ("required: false, default: sample-model", "required: true"),
        ("secrets: {}", "secrets: {}\ningest_lambda: analysis"),
        (" --timeout", " --temperature {heat} --timeout"),
    ],
    ids=str,
)
def test_other_forms_fit_too(write: Callable[..., RunnerProject], change: tuple[str, str]) -> None:
    """Other forms that an orchestrator and the runner understand are no problem."""
    changes = [change]
    if "{heat}" in change[1]:
        changes.append(("kwargs:\n", "kwargs:\n  heat: {type: float, required: true}\n"))
    if change[1].startswith("name:"):
        changes.append(("/bundle/sample/", "/bundle/Sample_v2/"))
    assert [each["status"] for each in found_in(write(*changes))] == ["ok"]


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    ("change", "message", "remedy"),
    [
        (("name: sample", "name: other"), "name is 'other', and the runner is 'sample'", "Write"),
        (("/bundle/sample/", "/bundle/old/"), "run_cmd uses /bundle/old", "/bundle/sample"),
        (("name: sample\n", ""), "name is missing", "Add name:"),
        (("setup.sh", "install.sh"), "install_cmd uses install.sh, which does not exist", "Add"),
        (("--skip-eval", "--skip-evals"), "No such option: --skip-evals", "run --help"),
        (("--skip-eval", ""), "run_cmd lacks --skip-eval", "Add --skip-eval"),
        (("--run-id r", ""), "run_cmd lacks --run-id", "Add"),
        (("--results-dir /app/results", ""), "run_cmd lacks --results-dir", "Add"),
        (("/app/results\n", "results\n"), "--results-dir results", "absolute"),
        (('"{task_id}"\n', "\n"), "--problem needs exactly one TASK_ID", "run --problem"),
        (('"{task_id}"\n', '"a-task"\n'), 'run_cmd lacks "{task_id}"', "Add"),
        (('"{problem_statement_path}"', "/x"), 'lacks --problem "{problem_', "Add"),
        (('--model "{model}"', ""), "run_cmd lacks {model}", "Add --model"),
        (('"{timeout}"', "soon"), "timeout is not in run_cmd", "or remove it"),
        (('"{timeout}"', '"{time}"'), "nobody fills in {time}", "kwargs"),
        (("default: 1800", "default: soon"), "Invalid value for '--timeout'", "run --help"),
        ((", default: 1800", ""), "timeout has no default", "required: true"),
        (("type: int", "type: integer"), "timeout has the type 'integer'", "Give one of"),
        (('"{timeout}"', "'{timeout}"), "a quotation without an end", "Close"),
        (("  /bundle", "  A=1 /bundle"), "begins with A=1, which is no program", "sh -c"),
        (("sample-runner run", "other-runner run"), "calls other-runner", "Call sample-runner"),
        (("sample-runner run", "sample-runner score"), "without run", "Call sample-runner run"),
        (("--skip-eval", "--skip-eval --custom-api-key k"), "has a key in", "CUSTOM_API_KEY"),
        (("final_output: /app/results/r", "final_output: /logs"), "final_output is /logs", "/r"),
        (("results/r/{task_id}/g", "results/x/{task_id}/g"), "writes no /app/results/x/", "It"),
        (("{task_id}/generation", "{task_id}/eval"), "a run writes no", "generation.json"),
        (("{task_id}/generation.json", "{task_id}/submission/*"), "a run writes no", "It"),
        ((GENERATION, "source: generation.json"), "is not absolute", "Give one"),
        ((GENERATION, "source: /app/generation.json"), "a run writes no /app/gen", "It writes"),
        (("path: generation.json", "path: /generation.json"), "is not relative", "atif"),
        (("path: generation.json", "path: atif/trajectory.json"), "several output_art", "own"),
        (("secrets: {}", "secrets: {MY_API_KEY: x}"), "MY_API_KEY is a secret that the", ".env.ex"),
        (("output_artifacts:", "output_artifacts: yes\nx:"), "output_artifacts is no li", "path"),
        (("secrets: {}", "secrets: x"), "secrets is no table", "NAME"),
        (("secrets: {}", "secret: {}"), "secret is no key", "Did you mean secrets?"),
        (("[https://index.example]", "index.example"), "install_egress is no list", "*"),
        (("sample-model", "gpt-9"), "'gpt-9' by default, and 'sample-model'", "the same"),
        (("default: sample-model", "choices: [a], default: sample-model"), "its choices", "Add it"),
    ],
    ids=str,
)  # fmt: skip
def test_problem_has_a_remedy(
    write: Callable[..., RunnerProject], change: tuple[str, str], message: str, remedy: str
) -> None:
    """A contract that does not fit is a problem, with what to do."""
    project = write(change)
    found = [each for each in found_in(project) if message in each["message"]]
    assert found, found_in(project)
    assert {each["status"] for each in found} == {"fault"}
    assert remedy in found[0]["remedy"]


def test_deleted_setup_comes_from_git(write: Callable[..., RunnerProject]) -> None:
    """Of a setup.sh that was deleted, the remedy is git: an update brings it back no more."""
    project = write()
    (project.root / "setup.sh").unlink()
    (found,) = found_in(project)
    assert found["message"] == "install_cmd uses setup.sh, which does not exist"
    assert found["remedy"].startswith("Restore it from git.")


def test_too_many_artifacts_are_a_problem(write: Callable[..., RunnerProject]) -> None:
    """More than ten artifacts are a problem."""
    more = "".join(OUTPUT.replace("FILE", str(n)).replace("SOURCE", f"/logs/{n}") for n in range(8))
    assert [each["status"] for each in found_in(write(("secrets:", f"{more}secrets:")))] == ["ok"]
    more += OUTPUT.replace("SOURCE", "/logs/more")
    (found,) = found_in(write(("secrets:", f"{more}secrets:")))
    assert found["message"] == "11 output_artifacts are more than 10"


@pytest.mark.parametrize("place", ["code", "example", "settings"])
def test_key_that_is_read_must_be_a_secret(write: Callable[..., RunnerProject], place: str) -> None:
    """A key that the runner names is among the secrets, or named in a comment."""
    project = write()
    file, text = {
        "code": ("runner/tools.py", 'import os\nKEY = os.environ.get("SEARCH_API_KEY")\n'),
        "example": (".env.example", "# VALS_AUTH_KEY=\n# MAX_TOKENS=\n# SEARCH_API_KEY=\n"),
        "settings": ("runner/agent.toml", 'command = "agent --key $SEARCH_API_KEY"\n'),
    }[place]
    (project.root / file).write_text(text)
    (found,) = found_in(project)
    assert found["message"] == f"SEARCH_API_KEY, named in {file}, is not among the secrets"
    for change in ("secrets:\n  SEARCH_API_KEY: x", "# SEARCH_API_KEY: x\nsecrets: {}"):
        (found,) = found_in(write(("secrets: {}", change)))
        assert found["status"] == "ok"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: {x", "is no YAML, at line 1"),
        ("name: 2024-12-32", "is no YAML"),
        pytest.param("[" * 3000, "is no YAML", id="deep"),
        ("", "holds no keys"),
        ("- a\n", "holds no keys"),
        (
            "name: [1]\nrun_cmd: 5\nsecrets: 3\noutput_artifacts: x\nkwargs: [1]\n",
            "name is missing",
        ),
        ("output_artifacts: [1, {path: [2]}]\ndefaults: {model: 1}\n1: 2\n", "name is missing"),
        ("\ud800", "not UTF-8 text"),
    ],
)
def test_damaged_contract_is_a_problem(healthy: RunnerProject, text: str, message: str) -> None:
    """A contract that can't be read is a problem, whatever it holds."""
    (healthy.root / "contract.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    found = found_in(healthy)
    assert message in found[0]["message"]
    assert {each["status"] for each in found} == {"fault"}
    assert all(each["remedy"] for each in found if message != "not UTF-8 text")


@pytest.mark.parametrize(
    ("make", "message"),
    [(os.mkfifo, "is no file"), (partial(os.symlink, "gone"), "can't be read: No such file")],
    ids=["pipe", "dangling link"],
)
def test_what_is_no_file_is_a_problem(
    healthy: RunnerProject, make: Callable[[Path], None], message: str
) -> None:
    """A pipe in the contract's place is not waited for, and a link to nothing is told."""
    make(healthy.root / "contract.yaml")
    (found,) = found_in(healthy)
    assert (found["status"], message in found["message"]) == ("fault", True)


@pytest.mark.parametrize(
    ("value", "status"),
    [("sk-proj-0123456789abcdefgh", "fault"), ("prodBenchmarksInfraApiKeys", "ok")],
)
def test_key_does_not_stand_in_the_contract(
    write: Callable[..., RunnerProject], value: str, status: str
) -> None:
    """A value that is a key, not the name of one, is a problem, and is not repeated."""
    (found,) = found_in(write(("secrets: {}", f"secrets: {{CUSTOM_API_KEY: {value}}}")))
    assert found["status"] == status
    assert value not in found["message"]


def test_command_line_within_another_is_checked(write: Callable[..., RunnerProject]) -> None:
    """The flags are checked, too, where an author's program holds the runner's commands."""
    project = write(("--skip-eval", "--skip-evil"))
    file = project.root / "runner/cli.py"
    outer = "import typer\ninner, cli = cli, typer.Typer()\ncli.add_typer(inner, name='bench')\n"
    file.write_text(file.read_text() + outer)
    checks = project.run("bench", "doctor", "--offline", "--json").json["checks"]
    (found,) = [each["message"] for each in checks if each["check"] == "contract"]
    assert found.startswith("run_cmd: No such option: --skip-evil")


def test_script_of_the_authors_is_not_looked_into(write: Callable[..., RunnerProject]) -> None:
    """A run_cmd that calls a script of the author's can't be checked."""
    (found,) = found_in(
        write(("/bundle/sample/.venv-bundle/bin/sample-runner run", "sh /bundle/sample/run.sh"))
    )
    assert found["status"] == "not_checked"
    assert "does not call sample-runner itself" in found["message"]


def test_call_within_a_shell_is_looked_into(write: Callable[..., RunnerProject]) -> None:
    """The call of the runner is found in what a shell is given."""
    (found,) = found_in(
        write(
            ("  /bundle", "  sh -c 'cd /x && /bundle"),
            ("--skip-eval", "--skip-evil"),
            ('"{task_id}"\n', '"{task_id}"\'\n'),
        )
    )
    assert "No such option: --skip-evil" in found["message"]


def test_runner_that_is_broken_leaves_it_unchecked(write: Callable[..., RunnerProject]) -> None:
    """Without a usable runner the contract is not checked."""
    project = write()
    project.write_agent("def (\n")
    assert [each["status"] for each in found_in(project)] == ["not_checked"]


def test_artifact_is_collected(write: Callable[..., RunnerProject]) -> None:
    """A run whose answer is a file writes that."""
    project = write(("{task_id}/generation.json", "{task_id}/submission/*"))
    project.set_in_class('PAYLOAD_TYPE = "artifact"')
    project.set_in_class('EVALUATION_API = "v1"')
    assert [each["status"] for each in found_in(project)] == ["ok"]


def test_text_has_each_problem(write: Callable[..., RunnerProject]) -> None:
    """The text has each problem with what to do, within 80 columns."""
    ended = write(("--skip-eval", ""), ("name: sample", "name: other")).run("doctor", "--offline")
    assert ended.code == 1
    problems = [line for line in ended.out.splitlines() if line.startswith("PROBLEM      contract")]
    assert len(problems) == 3
    assert max(map(len, ended.out.splitlines())) <= COLUMNS
    assert "3 problems: contract; not checked" in ended.out
