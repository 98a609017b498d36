"""Keys in every spelling, echoed by all that can echo, in every file and stream of each command."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Literal

import httpx
import pytest

from tests.cli.planted_secrets import forms
from tests.cli.test_serve import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Ended
    from tests.cli.planted_secrets import Planted

#: The variables, each with a key or several, as people write them.
SPELLINGS = {
    "VALS_AUTH_KEY": "semicolon-hidden-01;semicolon-hidden-02",
    "VALS_API_KEY": "comma-hidden-03, comma-hidden-04",
    "BENCHMARK_API_KEY": "space-hidden-05 space-hidden-06",
    "CUSTOM_API_KEY": ' "quoted-hidden-07"\r\n',
    "WATSONX_APIKEY": "Bearer watsonx-hidden-080808",
    "PGPASSWORD": "'pgpassword-hidden-0909'",
    "MYSECRET": "joined-hidden-10101010\r",
    "GITHUB_PAT": "github-hidden-11111111",
    "OPENAI_API_KEYS": "pool-hidden-12121212,pool-hidden-13131313",
    "OPENAI_API_KEY_2": "second-hidden-14141414",
    "MY_CREDENTIALS": '{"private_key": "json-hidden-15151515\\njson-hidden-16161616"}',
    "SIGNING_KEY": "-----BEGIN KEY-----\nlines-hidden-17171717\n-----END KEY-----",
    "OTLP_HEADERS": "x-tenant=1,authorization=Bearer header-hidden-18181818",
    "CONNECTION_STRING": "Endpoint=sb://x/;SharedAccessKey=azure-hidden-19191919==",
    "HTTPS_PROXY": "http://someone:proxy-hidden-20@127.0.0.1:9",
}
KEYS = [
    *("semicolon-hidden-01", "semicolon-hidden-02", "comma-hidden-03", "comma-hidden-04"),
    *("space-hidden-05", "space-hidden-06", "quoted-hidden-07", "watsonx-hidden-080808"),
    *("pgpassword-hidden-0909", "joined-hidden-10101010", "github-hidden-11111111"),
    *("pool-hidden-12121212", "pool-hidden-13131313", "second-hidden-14141414"),
    *("json-hidden-15151515", "json-hidden-16161616", "lines-hidden-17171717"),
    *("header-hidden-18181818", "azure-hidden-19191919==", "proxy-hidden-20"),
]
GRADER = """\
import json
from pathlib import Path

KEYS = json.loads((Path(__file__).parents[1] / "planted.json").read_text())


def grade(task, response):
    if task["question"] == "raise":
        raise ValueError(f"refused {KEYS}")
    return {"score": 1.0, "said": KEYS}
"""


@pytest.fixture
def spelled(planted: Planted) -> Planted:
    """A project whose agent, grader and service repeat the keys of ``SPELLINGS``."""
    (planted.project.root / "planted.json").write_text(json.dumps(KEYS))
    (planted.project.root / ".env").write_text("")
    planted.project.write_grader(GRADER)
    planted.service.knows = KEYS
    planted.environment = {**SPELLINGS, "SERVICE_URL": planted.service.url}
    return planted


def commands(spelled: Planted) -> Iterator[tuple[list[str], int]]:
    """Each command with its exit code, in an order in which they can be called."""
    export = str(spelled.project.results / "rows")
    page = str(spelled.project.root / "page")
    yield ["run", "--run-id", "r1", "--dry-run"], 0
    yield ["run", "--run-id", "r1"], 1
    yield ["run", "--run-id", "r1", "--json"], 1
    yield ["evaluate", "--run-id", "r1", "--regrade"], 1
    yield ["evaluate", "--run-id", "r1", "--json"], 1
    yield ["score", "--run-id", "r1", "--force"], 0
    yield ["score", "--run-id", "r1", "--force", "--json"], 0
    yield ["run", "--run-id", "r2", "--service-url", "local"], 1
    for json_flag in ([], ["--json"]):
        yield ["runs", *json_flag], 0
        yield ["status", "r1", *json_flag], 0
        yield ["show", "r1", "t0", *json_flag], 0
        yield ["show", "r1", "t1", *json_flag], 0
        yield ["compare", "r1", "r2", *json_flag], 0
        yield ["report", "r1", "--output", f"{page}.html", *json_flag], 0
        yield ["report", "r1", "r2", "--output", f"{page}-2.html", *json_flag], 0
        yield ["doctor", "--offline", *json_flag], 1
        yield ["run", "--run-id", "r1", "--limit", KEYS[0], *json_flag], 2
        yield ["status", KEYS[1], *json_flag], 2
        yield ["show", "r1", KEYS[2], *json_flag], 2
    for kind in ("csv", "jsonl"):
        yield ["export", "r1", "--format", kind], 0
        yield ["export", "r1", "--format", kind, "--output", f"{export}.{kind}"], 0


@pytest.mark.parametrize("how", ["call", pytest.param("execute", marks=pytest.mark.full)])
def test_no_command_shows_or_keeps_a_key(spelled: Planted, how: Literal["call", "execute"]) -> None:
    """No key is shown or kept by any command, however it is written in the environment."""
    ended: dict[str, Ended] = {}
    for args, code in commands(spelled):
        name = " ".join(args)
        ended[name] = getattr(spelled, how)(*args)  # which looks for what is hidden
        assert ended[name].code == code, f"{name}: {ended[name].out}{ended[name].err}"
    assert "<***>" in ended["show r1 t0"].out
    assert "heard" in (spelled.project.results / "r1" / "t0" / "eval.json").read_text()
    for page in ("page.html", "page-2.html"):  # whose own code has the word that is looked for
        text = (spelled.project.root / page).read_text()
        assert "***" in text
        assert not [form for key in KEYS for form in forms(key) if form in text]
    assert spelled.read("t0", "generation.json")["metadata"]["said"][0].startswith("kept <***> ")
    events = (spelled.project.results / "r1" / "events.jsonl").read_text()
    assert '"event":"answer_masked"' in events


def test_served_answers_hold_no_key(spelled: Planted) -> None:
    """The answers of ``serve``, results and errors, hold no key of its environment."""
    serving = Serving(spelled.project, **SPELLINGS)
    unknown = {"task_id": KEYS[3], "response": "x"}
    said = httpx.post(f"{serving.url}/evaluate-response/", json=unknown).text
    for task_id in ("t0", "t1"):
        legacy = {"task_id": task_id, "response": "x"}
        said += httpx.post(f"{serving.url}/evaluate-response/", json=legacy).text
        payload = {"type": "text", "schema": "sample.text.v1", "data": "x"}
        body = {"run_id": "r1", "task_id": task_id, "payload": payload}
        said += httpx.post(f"{serving.url}/v1/evaluate", json=body).text
    said += serving.stop(signal.SIGTERM)[1]
    assert "refused ['***'" in said
    assert '"said":["***"' in said
    spelled.check(said)
