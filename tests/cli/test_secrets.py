"""A secret in every place that one can come from, echoed by all that can echo: it leaves no trace.

The commands run as processes of their own, and the mask has to stand where the secret was.
"""

from __future__ import annotations

import fcntl
import html
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, quote_plus

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes import usual_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from tests.cli.conftest import Ended, RunnerProject

#: By the place that each comes from. "hidden" stands in all of them, and nowhere else.
PLANTED = {
    "VALS_AUTH_KEY": "vals-auth-hidden-01",
    "VALS_API_KEY": "vals-api-hidden-02",
    "BENCHMARK_API_KEY": "bearer-hidden-03",
    "CUSTOM_API_KEY": "model-hidden-04",
    "OPENAI_API_KEY": "sk-proj-hidden-050505",
    "MY_SERVICE_PASSWORD": 'hidden/06+06="06"&<\\>',
    "ANTHROPIC_API_KEY": "sk-ant-hidden-070707",
    "--custom-api-key": "flag-hidden-08",
    "--option": "option-hidden-09",
    "--custom-endpoint": "endpoint-flag-hidden-10",
    "CUSTOM_ENDPOINT": "endpoint-variable-hidden-11",
    "--service-url": "service/flag-hidden-12",
    "SERVICE_URL": "service-variable-hidden-13",
    "HTTPS_PROXY": "proxy-hidden-14",
}
#: Those that stand in the project's .env, not in the environment.
IN_ENV_FILE = ("ANTHROPIC_API_KEY",)
USER = "someone"

AGENT = """\
import asyncio
import json
import os
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

from benchmark_runner import BenchmarkRunner, GenerationResult
from pydantic import BaseModel, SecretStr

ROOT = Path(__file__).parents[1]
PLANTED = json.loads((ROOT / "planted.json").read_text())


def every_form():
    for secret in PLANTED:
        yield secret
        yield repr(secret)
        yield json.dumps({"key": secret})
        yield quote(secret, safe="")
        yield b64encode(secret.encode()).decode()
        yield "Basic " + b64encode(("someone:" + secret).encode()).decode()


def echo(before):
    return before + " <" + "> <".join(every_form()) + "> after"


class Options(BaseModel):
    token: SecretStr = SecretStr("")


class SampleRunner(BenchmarkRunner):
    NAME = "sample"
    OPTIONS_MODEL = Options

    async def generate(self, task, model, llm_config=None, log_dir=None):
        match task.question:
            case "raise":
                raise ValueError(echo("raised"))
            case "chain":
                try:
                    raise KeyError(PLANTED[0])
                except KeyError as error:
                    raise RuntimeError(echo("chained")) from error
            case "error":
                return GenerationResult(status="error", error=echo("said"))
            case "wait":
                os.write(int(os.environ["READY_FD"]), b"waiting\\n")
                await asyncio.Event().wait()
        return GenerationResult(
            answer=echo("answered"),
            model="m",
            stop_reason=echo("stopped"),
            metadata={"said": [echo("kept")], **{secret: "as a name" for secret in PLANTED}},
        )
"""


def forms(secret: str) -> Iterator[str]:
    """What a secret looks like on its way, worked out here and not by the code under test."""
    for text in (secret, f"{USER}:{secret}"):
        yield text
        yield repr(text)[1:-1]
        yield html.escape(text)
        yield json.dumps(text)[1:-1]
        yield json.dumps(json.dumps(text))[3:-3]
        yield quote(text, safe="")
        yield quote(text)
        yield quote_plus(text)
        yield b64encode(text.encode()).decode().rstrip("=")
        yield urlsafe_b64encode(text.encode()).decode().rstrip("=")


FORMS = {form for secret in PLANTED.values() for form in forms(secret)}


def no_secret_in(what: str, where: str) -> None:
    found = [form for form in FORMS if form in what]
    assert not found, f"{where} holds {found}:\n{what}"
    # Any part that is left of one, and what has the word in it in base64.
    for part in ("hidden", "aGlkZGVu", "hpZGRlb", "oaWRkZW"):
        assert part not in what, f"{where} holds a part of a secret:\n{what}"


class EchoingService:
    """A service that repeats all that it was sent, and the secrets it knows, in every answer.

    ``statuses`` holds what a path answers first; then it answers 200.
    """

    def __init__(self) -> None:
        self.knows = [*PLANTED.values()]
        self.statuses: dict[str, list[int]] = {}
        self.sent: list[str] = []
        self.url = ""

    def app(self) -> ASGIApp:
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    def with_password(self, password: str) -> str:
        return self.url.replace("://", f"://{USER}:{quote(password, safe='')}@")

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        headers = [f"{name}: {value}" for name, value in request.headers.items()]
        self.sent += [*headers, (await request.body()).decode()]
        known = [form for secret in self.knows for form in forms(secret)]
        said = "heard " + " ".join([*known, *headers])
        body = json.loads(await request.body() or b"null")
        if statuses := self.statuses.get(path):
            # Long enough to be seen on a terminal.
            return JSONResponse({"detail": said}, statuses.pop(0), headers={"retry-after": "1"})
        return JSONResponse(self._usual(path, body, said))

    def _usual(self, path: str, body: Any, said: str) -> Any:
        echoed = {"said": said, "all": self.knows, PLANTED["VALS_AUTH_KEY"]: 1}
        match path:
            case "/health":
                return {**usual_answer(path, body), "detail": said}
            case "/version":
                return {**usual_answer(path, body), "service_name": said, "eval_mode": said}
            case "/verify-task-ids":
                return {"task_ids": [said]}
            case "/evaluate-response/":
                return {**usual_answer(path, body), **echoed}
            case _:
                return {**usual_answer(path, body), "metadata": echoed}


@pytest.fixture
def service(serve_app: Callable[[ASGIApp], str]) -> EchoingService:
    echoing = EchoingService()
    echoing.url = serve_app(echoing.app())
    return echoing


class Planted:
    """A project with a secret in every place."""

    def __init__(self, project: RunnerProject, service: EchoingService) -> None:
        self.project = project
        self.service = service
        project.write_agent(AGENT)
        (project.root / "planted.json").write_text(json.dumps([*PLANTED.values()]))
        lines = [f"{name}={PLANTED[name]}\n" for name in IN_ENV_FILE]
        (project.root / ".env").write_text("".join(lines))
        self.ask("answer", "raise", "chain", "error")
        self.environment = {
            name: value
            for name, value in PLANTED.items()
            if not name.startswith("--") and name not in IN_ENV_FILE
        }
        for name, place in (("CUSTOM_ENDPOINT", "models.invalid"), ("HTTPS_PROXY", "127.0.0.1:9")):
            self.environment[name] = f"http://{USER}:{PLANTED[name]}@{place}"
        self.environment["SERVICE_URL"] = service.with_password(PLANTED["SERVICE_URL"])
        endpoint = f"https://{USER}:{PLANTED['--custom-endpoint']}@models.invalid/v1"
        self.model_flags = [
            *("--custom-api-key", PLANTED["--custom-api-key"]),
            *("--custom-endpoint", endpoint),
            *("--option", f"token={PLANTED['--option']}"),
        ]
        self.service_flag = ["--service-url", service.with_password(PLANTED["--service-url"])]

    def ask(self, *questions: str) -> None:
        """Make these the tasks."""
        tasks = [
            {"id": f"t{number}", "question": question, "answer": ""}
            for number, question in enumerate(questions)
        ]
        self.project.write_tasks(tasks)

    def run(self, *more: str) -> list[str]:
        return ["run", "--run-id", "r1", *self.model_flags, *self.service_flag, *more]

    def grade(self, command: str, *more: str) -> list[str]:
        return [command, "--run-id", "r1", *self.service_flag, *more]

    def execute(self, *args: str, **changed: str) -> Ended:
        ended = self.project.execute(*args, **self.environment | changed)
        self.check(ended.out + ended.err)
        return ended

    def check(self, shown: str) -> None:
        """No secret is shown, nor in any file below the results, nor in its name."""
        no_secret_in(shown, "the output")
        results = self.project.results
        for path in results.rglob("*"):
            no_secret_in(str(path.relative_to(results)), "a name")
            if path.is_file():
                no_secret_in(path.read_text(), path.name)

    def read(self, *parts: str) -> Any:
        return self.project.read("r1", *parts)


@pytest.fixture
def planted(project: RunnerProject, service: EchoingService) -> Planted:
    return Planted(project, service)


def masked(text: str, word: str) -> bool:
    """Whether ``text`` is an echo that begins with ``word`` and of which only masks are left."""
    return text.startswith(f"{word} <***> <") and text.endswith("> after") and "***:***" not in text


class TestFiles:
    def test_what_the_agent_echoes_is_masked_wherever_it_puts_it(self, planted: Planted) -> None:
        ended = planted.execute(*planted.run("--skip-eval"))
        assert ended.code == 1
        answered = planted.read("t0", "generation.json")
        assert answered["status"] == "success"
        assert masked(answered["data"], "answered")
        assert answered["answer"] == answered["data"]
        assert masked(answered["stop_reason"], "stopped")
        assert masked(answered["metadata"]["said"][0], "kept")
        assert answered["metadata"]["***"] == "as a name"
        raised = planted.read("t1", "generation.json")
        assert masked(raised["error"], "ValueError: raised".removesuffix(" <"))
        log = (planted.project.results / "r1" / "t1" / "agent_logs" / "traceback.log").read_text()
        assert "ValueError: raised <***> <'***'>" in log
        assert "in generate" in log
        log = (planted.project.results / "r1" / "t2" / "agent_logs" / "traceback.log").read_text()
        assert "KeyError: '***'" in log
        assert "RuntimeError: chained <***>" in log
        assert masked(planted.read("t3", "generation.json")["error"], "said")
        assert "ValueError: raised <***> <'***'>" in ended.out

    def test_the_runs_own_settings_hold_none_and_are_whole(self, planted: Planted) -> None:
        planted.ask("answer")
        assert planted.execute(*planted.run()).code == 0
        config = planted.read("run_config.json")
        assert config["sampling"] == {"custom_endpoint": "https://models.invalid/v1"}
        assert config["options"] == {}
        assert config["service_url"] == planted.service.url
        assert "***" not in json.dumps(config)

    def test_what_the_service_echoes_is_masked_in_grades_and_score(self, planted: Planted) -> None:
        planted.ask("answer")
        ended = planted.execute(*planted.run())
        assert ended.code == 0, ended.err
        result = planted.read("t0", "eval.json")["result"]
        assert result["said"].startswith("heard ")
        assert "x-descope-api-key: ***" in result["said"]
        assert "authorization: Basic ***" in result["said"]
        assert result["all"] == ["***"] * len(PLANTED)
        assert result["***"] == 1
        metadata = planted.read("final_score.json")["metadata"]
        assert metadata["said"].startswith("heard ")
        # It did hear them: those that are meant for it, and no others, in the answer neither.
        sent = "\n".join(planted.service.sent)
        pair = b64encode(f"{USER}:{PLANTED['--service-url']}".encode()).decode()
        assert f"x-descope-api-key: {PLANTED['VALS_AUTH_KEY']}" in sent
        assert f"authorization: Basic {pair}" in sent
        others = [name for name in PLANTED if name not in {"VALS_AUTH_KEY", "--service-url"}]
        assert not [name for name in others if any(form in sent for form in forms(PLANTED[name]))]
        assert "answered <***> <" in sent

    @pytest.mark.parametrize("command", ["evaluate", "score"])
    def test_grading_and_scoring_again_leave_none(self, planted: Planted, command: str) -> None:
        planted.ask("answer")
        planted.execute(*planted.run("--skip-eval"))
        # The secrets of the other command's flags are masked in what is sent to be graded.
        others = {PLANTED[flag] for flag in ("--custom-api-key", "--custom-endpoint", "--option")}
        planted.service.knows = [secret for secret in planted.service.knows if secret not in others]
        flag = {"evaluate": "--regrade", "score": "--force"}[command]
        for more in ([], ["--json"]):
            ended = planted.execute(*planted.grade(command, flag, *more))
            assert ended.code == 0, ended.err
        assert "heard" in json.dumps(planted.read("final_score.json")["metadata"])


class TestRefusals:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 500, 501, 503])
    def test_an_answer_that_refuses_a_grade_shows_none(self, planted: Planted, status: int) -> None:
        planted.ask("answer")
        planted.service.statuses["/evaluate-response/"] = [status] * 2
        ended = planted.execute(
            *planted.run("--service-attempts", "2", "--service-retry-time", "0")
        )
        assert ended.code == 1
        assert "heard" in ended.out + ended.err
        assert "***" in ended.out + ended.err

    @pytest.mark.parametrize("name", ["VALS_AUTH_KEY", "--option"])
    def test_a_retry_is_shown_without_the_secret_that_is_its_reason(
        self, planted: Planted, name: str
    ) -> None:
        planted.ask("answer")
        planted.service.knows = [PLANTED[name]]
        planted.service.statuses["/evaluate-response/"] = [500]
        # Each event makes a line.
        patch = "from benchmark_runner._progress import display\n\ndisplay.PLAIN_INTERVAL = 0\n"
        script = planted.project.script.read_text()
        planted.project.script.write_text(
            script.replace("from runner.cli", f"{patch}\nfrom runner.cli")
        )
        ended = planted.execute(*planted.run())
        assert ended.code == 0, ended.err
        assert "1 to retry, the next in 1 s: HTTP 500: heard *** *** " in ended.err

    @pytest.mark.parametrize("path", ["/health", "/verify-task-ids", "/final-score/"])
    def test_neither_does_one_before_or_after_the_grades(self, planted: Planted, path: str) -> None:
        planted.ask("answer")
        planted.service.statuses[path] = [401] * 2
        for more in (["--json"], []):
            ended = planted.execute(*planted.run(*more))
            assert ended.code == 1
            assert "heard" in ended.out + ended.err
            assert "***" in ended.out + ended.err

    def test_a_service_that_is_down_is_named_without_its_password(self, planted: Planted) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        url = f"http://{USER}:{quote(PLANTED['--service-url'], safe='')}@{address}"
        ended = planted.execute("run", "--service-url", url)
        assert ended.code == 1
        assert f"http://{address}" in ended.err

    def test_a_proxy_that_echoes_its_password_shows_none(self, planted: Planted) -> None:
        with Proxy() as proxy:
            password = PLANTED["HTTPS_PROXY"]
            ended = planted.execute(
                *("run", "--service-url", "https://service.invalid"),
                HTTPS_PROXY=f"http://{USER}:{password}@{proxy.address}",
            )
        assert ended.code == 1
        pair = b64encode(f"{USER}:{password}".encode()).decode()
        assert f"Basic {pair}" in proxy.heard
        assert "ProxyError: 407 refused Basic ***" in ended.err

    def test_a_redirect_gets_no_key(
        self, planted: Planted, serve_app: Callable[[ASGIApp], str]
    ) -> None:
        class Redirecting(EchoingService):
            async def _answer(self, request: Request) -> Response:
                return Response(status_code=307, headers={"location": planted.service.url})

        redirecting = Redirecting()
        redirecting.url = serve_app(redirecting.app())
        url = redirecting.with_password(PLANTED["--service-url"])
        ended = planted.execute("run", "--service-url", url)
        assert ended.code == 1
        assert "redirects are not followed" in ended.err
        assert planted.service.sent == []

    def test_no_key_goes_over_plain_http_to_another_machine(self, planted: Planted) -> None:
        ended = planted.execute("run", "--service-url", "http://192.0.2.1")
        assert ended.code == 2
        assert "the key in VALS_AUTH_KEY would go unencrypted to http://192.0.2.1" in ended.err


class TestOutput:
    def test_one_object_holds_none_and_is_json(self, planted: Planted) -> None:
        ended = planted.execute(*planted.run("--json"))
        assert ended.code == 1
        errors = [failure["error"] for failure in ended.json["failures"]]
        assert sorted(error.partition(" <***> <'***'> <")[0] for error in errors) == [
            "RuntimeError: chained",
            "ValueError: raised",
            "said",
        ]
        assert ended.json["resume_command"].endswith(f"--service-url {planted.service.url}")

    def test_the_resume_command_names_no_key_and_no_user(self, planted: Planted) -> None:
        planted.ask("answer")
        ended = planted.execute(*planted.run())
        assert ended.code == 0, ended.err
        assert ended.resume_command.endswith(f"run --run-id r1 --service-url {planted.service.url}")
        assert "***" not in ended.resume_command

    def test_a_terminal_shows_none(self, planted: Planted) -> None:
        planted.ask("answer")
        planted.service.knows = [PLANTED["--option"]]
        planted.service.statuses["/evaluate-response/"] = [500]
        code, shown = on_a_terminal(planted, *planted.run())
        assert code == 0
        planted.check(shown)
        assert "1 to retry, the next in 1 s: HTTP 500: heard *** *** " in shown
        assert "Score" in shown

    def test_an_interrupted_run_shows_none(self, planted: Planted) -> None:
        planted.ask("answer", "raise", "wait")
        reader, writer = os.pipe()
        process = planted.project.start(*planted.run(), ready=writer, **planted.environment)
        os.close(writer)
        with os.fdopen(reader) as ready:
            assert ready.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        ended = planted.project.end(process)
        assert ended.code == 130
        assert "What was finished is kept" in ended.err
        planted.check(ended.out + ended.err)

    @pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "JSON"])
    def test_a_dataset_that_fails_to_load_shows_none(
        self, planted: Planted, as_json: list[str]
    ) -> None:
        planted.project.set_in_class(
            "def load_tasks(self, dataset_file):\n        raise ValueError(echo('refused'))"
        )
        ended = planted.execute(*planted.run(*as_json))
        assert ended.code == 2
        assert "refused <***> <" in ended.out + ended.err

    @pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "JSON"])
    def test_a_module_that_fails_to_import_shows_none(
        self, planted: Planted, as_json: list[str]
    ) -> None:
        planted.project.write_agent(f"{AGENT}\n\nraise ValueError(echo('refused'))\n")
        ended = planted.execute(*planted.run(*as_json))
        assert ended.code == 2
        assert "refused <***> <" in ended.out + ended.err

    @pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "JSON"])
    def test_a_fault_of_ours_ends_in_a_traceback_without_any(
        self, planted: Planted, as_json: list[str]
    ) -> None:
        # Our own code does not expect this of a runner.
        planted.project.set_in_class(
            "def register_tasks(self, tasks):\n        raise ZeroDivisionError(echo('broken'))"
        )
        process = planted.project.start(*planted.run(*as_json), **planted.environment)
        with process:
            out, err = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "Traceback (most recent call last)" in err
        assert "ZeroDivisionError: broken <***>" in err
        assert bool(as_json) is ("ZeroDivisionError: broken <***>" in out)
        planted.check(out + err)

    def test_a_secret_option_that_is_refused_is_not_repeated(self, planted: Planted) -> None:
        planted.project.change_agent(
            ("BaseModel, SecretStr", "BaseModel, SecretStr, field_validator"),
            (
                '    token: SecretStr = SecretStr("")\n',
                (
                    '    token: SecretStr = SecretStr("")\n\n'
                    '    @field_validator("token")\n'
                    "    def check(cls, value):\n"
                    "        raise ValueError(value.get_secret_value() + ' is no token')\n"
                ),
            ),
        )
        secret = PLANTED["--option"]
        for given, said in (
            (f"token={secret}", "--option token: Value error, *** is no token"),
            (secret, "--option number 1 is not KEY=VALUE"),
            (f"={secret}", "--option number 1 is not KEY=VALUE"),
        ):
            ended = planted.execute("run", "--option", given)
            assert ended.code == 2
            assert said in ended.err

    @pytest.mark.parametrize("kind", ["SecretBytes", "Secret[str]", "list[SecretStr]"])
    def test_every_secret_type_of_an_option_is_masked(self, planted: Planted, kind: str) -> None:
        planted.ask("raise")
        listed = kind.startswith("list")
        check = (
            '\n    @field_validator("token", mode="before")\n'
            "    def check(cls, value):\n"
            f"        return value.split() if {listed} else value\n"
        )
        planted.project.change_agent(
            (
                "import BaseModel, SecretStr",
                "import BaseModel, Secret, SecretBytes, SecretStr, field_validator",
            ),
            ('    token: SecretStr = SecretStr("")\n', f"    token: {kind}\n{check}"),
        )
        ended = planted.execute(*planted.run())
        assert ended.code == 1
        assert planted.read("run_config.json")["options"] == {}
        assert "ValueError: raised <***>" in ended.out

    @pytest.mark.parametrize(
        "endpoint", ["{user}@models.invalid/v1", "http://{user}@models:port/v1", "ftp://{user}@m"]
    )
    def test_an_endpoint_that_is_refused_is_named_without_its_password(
        self, planted: Planted, endpoint: str
    ) -> None:
        user = f"{USER}:{PLANTED['--custom-endpoint']}"
        ended = planted.execute("run", "--custom-endpoint", endpoint.format(user=user))
        assert ended.code == 2
        assert "is not an http or https URL" in ended.err

    def test_the_key_of_serve_is_not_shown(self, planted: Planted) -> None:
        planted.project.write_grader("import sys\n\nraise ValueError(' '.join(sys.argv[1:]))\n")
        ended = planted.execute("serve", "--key", PLANTED["--option"])
        assert ended.code == 2
        assert "ValueError: serve --key ***" in ended.err


class TestAKeyInAPlainOption:
    def test_it_is_refused_before_anything_is_written(self, project: RunnerProject) -> None:
        project.change_agent(
            ("import asyncio\n", "import asyncio\n\nfrom pydantic import BaseModel\n"),
            (
                "class SampleRunner",
                "class Options(BaseModel):\n    token: str\n\n\nclass SampleRunner",
            ),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        key = "sk-4711-abcdefghijklmnop"
        ended = project.execute("run", "--option", f"token={key}", MODEL_API_KEY=key)
        assert ended.code == 2
        assert "--option token holds a key" in ended.err
        assert "SecretStr" in ended.err
        assert key not in ended.out + ended.err
        assert not project.results.exists()


class TestWordsThatAreNoSecret:
    def test_a_short_or_common_password_changes_no_answer(self, project: RunnerProject) -> None:
        words = {
            "DB_PASSWORD": "postgres",
            "MY_TOKEN": "123456789",
            "KEY": "three",
            "MY_KEY": "generation",
            "GCP_CREDENTIALS": str(project.root / "results"),
        }
        question = "say postgres 123456789 three generation"
        project.write_tasks([{"id": "t1", "question": question, "answer": ""}])
        ended = project.execute("run", "--run-id", "r1", **words)
        assert ended.code == 0, ended.err
        assert project.read("r1", "t1", "generation.json")["data"] == question.removeprefix("say ")
        assert "***" not in ended.out + ended.err

    @pytest.mark.parametrize("word", ["max_turns", "generation_error", "evaluated", "metadata"])
    def test_a_key_that_is_a_word_of_ours_leaves_files_that_can_be_read(
        self, project: RunnerProject, word: str
    ) -> None:
        project.write_tasks(
            [
                {"id": "t1", "question": "say one", "answer": "one"},
                {"id": "t2", "question": "out-of-turns", "answer": ""},
            ]
        )
        for _ in range(2):
            ended = project.execute("run", "--run-id", "r1", "--json", CUSTOM_API_KEY=word)
            assert ended.code == 0, ended.err
            assert ended.json["counts"]["max_turns"] == 1
            assert ended.json["set_aside"] == []
        assert project.read("r1", "t2", "generation.json")["status"] == "max_turns"
        assert len(project.calls) == 2


class Proxy:
    """Refuses each connection, and says for what password."""

    def __init__(self) -> None:
        self.heard = ""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._refuse_all)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        socket.create_connection(self._listener.getsockname()).close()  # says nothing
        self._thread.join(10)
        self._listener.close()

    def _refuse_all(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                request = connection.recv(65536).decode()
                if not request:
                    return
                found = re.search(r"proxy-authorization: (.*)\r", request, re.IGNORECASE)
                self.heard = found[1] if found else ""
                connection.sendall(
                    f"HTTP/1.1 407 refused {self.heard}\r\ncontent-length: 0\r\n\r\n".encode()
                )


def on_a_terminal(planted: Planted, *args: str) -> tuple[int, str]:
    """Run on a wide terminal and return the exit code and what came, without its controls."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 2000, 0, 0))
    process = subprocess.Popen(
        [sys.executable, str(planted.project.script), *args],
        cwd=planted.project.root,
        env=planted.project.environment(TERM="xterm", **planted.environment),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    received = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # what Linux says when the other side is closed
            break
        if not chunk:
            break
        received += chunk
    os.close(master)
    return process.wait(30), re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", received.decode())
