"""``serve`` on a port, and ``run`` against it from another process."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import RunnerProject

KEY = "hidden-key-1"
ARTIFACT_AGENT = """
from benchmark_runner import BenchmarkRunner, GenerationResult


class SampleRunner(BenchmarkRunner):
    NAME = "sample"
    PAYLOAD_TYPE = "artifact"
    EVALUATION_API = "v1"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        return GenerationResult(artifact=f"patch of {task.id}".encode(), filename="fix.patch")
"""
LEAVING_GRADER = """
import asyncio
import sys

async def leave():
    sys.exit(4)

async def grade(task, response):
    if response == "leave":
        asyncio.get_running_loop().call_soon(sys.exit, 5)
        await asyncio.create_task(leave())
    return 1.0
"""


class Serving:
    """A ``serve`` process that says where it is."""

    def __init__(self, project: RunnerProject, *args: str, **environment: str) -> None:
        self.project = project
        self.process = project.start("serve", "--port", "0", *args, **environment)
        assert self.process.stdout is not None
        # All that it says before the first request.
        self.said = "".join(self.process.stdout.readline() for _ in range(3))
        found = re.search(r"http://\S+:\d+", self.said)
        assert found, self.said
        self.url = found[0]

    def stop(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        ended = self.project.end(self.process)
        return ended.code, self.said + ended.out + ended.err


@pytest.fixture
def serving(project: RunnerProject) -> Iterator[Serving]:
    started = Serving(project, "--key", KEY)
    yield started
    if started.process.poll() is None:
        _, said = started.stop(signal.SIGTERM)
        assert KEY not in said


@pytest.mark.parametrize("api", ["legacy", "v1", "websocket"])
def test_right_key_evaluates_by_each_api(project: RunnerProject, api: str) -> None:
    """With the right key each API evaluates."""
    if api == "websocket":
        pytest.importorskip("wsproto")
    project.set_in_class(f'EVALUATION_API = "{api}"')
    serving = Serving(project, "--key", KEY)
    ended = project.run(
        *("run", "--run-id", "r1", "--dataset-name", "validation", "--service-url", serving.url),
        VALS_AUTH_KEY=KEY,
    )
    assert serving.stop(signal.SIGTERM)[0] == 143
    assert ended.code == 0, ended.err
    score = project.read("r1", "final_score.json")
    assert score["final_score"] == pytest.approx(2 / 3)
    assert (score["local"], score["service_url"]) == (True, serving.url)
    assert f"evals    by {serving.url}" in ended.out


def test_artifacts_are_uploaded_and_removed(project: RunnerProject, tmp_path: Path) -> None:
    """Files are uploaded to its own address, evaluated, and gone once it has ended."""
    project.write_agent(ARTIFACT_AGENT)
    project.write_grader("def grade(task, response):\n    return len(response.read_bytes())\n")
    serving = Serving(project, "--key", KEY, TMPDIR=str(tmp_path))
    ended = project.run("run", "--run-id", "r1", "--service-url", serving.url, VALS_AUTH_KEY=KEY)
    assert ended.code == 0, ended.err
    assert project.read("r1", "t1", "eval.json")["result"] == len("patch of t1")
    uploaded = [*tmp_path.glob("benchmark-submissions-*/*")]
    assert sorted(file.read_text() for file in uploaded) == [f"patch of t{n}" for n in (1, 2, 3)]
    assert serving.stop(signal.SIGINT)[0] == 130
    assert not [*tmp_path.glob("benchmark-submissions-*")]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("api", ["legacy", "v1"])
def test_other_keys_generate_nothing(project: RunnerProject, serving: Serving, api: str) -> None:
    """Other keys are refused before anything is generated."""
    project.set_in_class(f'EVALUATION_API = "{api}"')
    refused = [{}, {"VALS_AUTH_KEY": "hidden-wrong"}, {"BENCHMARK_API_KEY": "hidden-wrong"}]
    if api == "v1":
        refused.append({"BENCHMARK_API_KEY": KEY})
    for keys in refused:
        ended = project.run("run", "--service-url", serving.url, **keys)
        assert ended.code == 1, keys
        assert "VALS_AUTH_KEY" in ended.err
        assert "hidden" not in ended.out + ended.err
    assert project.calls == []
    assert not project.results.exists()


def test_bearer_key_is_for_the_legacy_api_only(project: RunnerProject, serving: Serving) -> None:
    """A bearer key evaluates by the legacy API only."""
    ended = project.run("run", "--service-url", serving.url, BENCHMARK_API_KEY=KEY)
    assert ended.code == 0, ended.err
    ended = project.run(
        "run", "--service-url", serving.url, "--dataset-name", "validation", BENCHMARK_API_KEY=KEY
    )
    assert ended.code == 1
    assert "/v1 requires VALS_AUTH_KEY" in ended.err
    assert len(project.calls) == 3


@pytest.mark.parametrize(("flags", "host"), [([], "127.0.0.1"), (["--host", "0.0.0.0"], "0.0.0.0")])
def test_default_host_is_this_machine(project: RunnerProject, flags: list[str], host: str) -> None:
    """It listens to this machine only, unless --host is given."""
    serving = Serving(project, *flags)
    assert serving.stop(signal.SIGTERM)[0] == 143
    # The address is the one of the socket.
    assert re.fullmatch(rf"http://{re.escape(host)}:\d+", serving.url)


def test_signal_ends_it_cleanly(project: RunnerProject) -> None:
    """A signal ends it cleanly."""
    serving = Serving(project)
    assert httpx.get(f"{serving.url}/health").json() == {"status": "ok"}
    code, said = serving.stop(signal.SIGINT)
    assert code == 130
    assert f"SERVICE_URL={serving.url}" in said


def test_grader_can_not_end_it(project: RunnerProject) -> None:
    """A grader whose task or callback calls sys.exit() fails one evaluation; the next succeeds."""
    project.write_grader(LEAVING_GRADER)
    serving = Serving(project)

    def evaluated(response: str) -> int:
        body = {"task_id": "t1", "response": response, "dataset": "validation"}
        return httpx.post(f"{serving.url}/evaluate-response/", json=body).status_code

    assert [evaluated(response) for response in ("leave", "42")] == [500, 200]
    code, said = serving.stop(signal.SIGTERM)
    assert code == 143
    assert "SystemExit: 5" in said


def test_other_data_folder_may_be_served(project: RunnerProject, tmp_path: Path) -> None:
    """Another folder of datasets may be served."""
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "tiny.csv").write_text("id,question,answer\nx,say it,it\n")
    serving = Serving(project, "--data-dir", str(tmp_path / "sets"))
    tasks = httpx.get(f"{serving.url}/v1/datasets/tiny/tasks").json()["tasks"]
    serving.stop(signal.SIGTERM)
    assert tasks == [{"id": "x", "question": "say it", "timeout": None}]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--key", ""], "--key is empty"),
        (["--data-dir", "nowhere"], "nowhere: no such folder"),
        (["--port", "70000"], "--port"),
        (["--host", "host.invalid"], "host.invalid"),
    ],
)
def test_invalid_settings_are_refused(project: RunnerProject, args: list[str], said: str) -> None:
    """Settings that can't be served are refused."""
    ended = project.run("serve", *args)
    assert ended.code == 2
    assert said in ended.err


def test_missing_grader_names_make_cli(project: RunnerProject) -> None:
    """Without a grader the error names make_cli()."""
    project.write_cli(grader=None)
    ended = project.run("serve")
    assert ended.code == 2
    assert "make_cli()" in ended.err


def test_taken_port_is_named(project: RunnerProject) -> None:
    """A port that is taken is named."""
    serving = Serving(project)
    port = serving.url.rpartition(":")[2]
    ended = project.execute("serve", "--port", port)
    serving.stop(signal.SIGTERM)
    assert ended.code == 2
    assert f"port {port}" in ended.err


def test_served_score_is_never_official(project: RunnerProject) -> None:
    """A score of a served local service is marked as local."""
    serving = Serving(project)
    flags = ["--run-id", "r1", "--service-url", serving.url]
    ended = project.run("run", *flags)
    assert ended.code == 0, ended.err
    assert "not an official score" in ended.out
    assert "[local]" in ended.out
    assert project.read("r1", "t1", "eval.json")["local"] is True
    assert project.run("score", *flags, "--force").code == 0
    document = project.run("score", *flags, "--json").json
    serving.stop(signal.SIGTERM)
    assert document["local"] is True
    assert project.read("r1", "final_score.json")["local"] is True
