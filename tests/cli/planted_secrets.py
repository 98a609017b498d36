"""Secrets planted wherever a run takes one, an agent and a service that echo them."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.scripted_service import usual_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    "SERVICE_HEADERS": "header-variable-hidden-15",
    "--header": "header-flag-hidden-16",
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
        echoed = {"said": said, "all": self.knows, self.knows[0]: 1}
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
        self.environment["SERVICE_HEADERS"] = f"\nx-gateway = {PLANTED['SERVICE_HEADERS']}\n"
        self.environment["SERVICE_URL"] = service.with_password(PLANTED["SERVICE_URL"])
        endpoint = f"https://{USER}:{PLANTED['--custom-endpoint']}@models.invalid/v1"
        self.model_flags = [
            *("--custom-api-key", PLANTED["--custom-api-key"]),
            *("--custom-endpoint", endpoint),
            *("--option", f"token={PLANTED['--option']}"),
        ]
        self.service_flag = [
            *("--service-url", service.with_password(PLANTED["--service-url"])),
            *("--header", f"X-Tenant=Bearer {PLANTED['--header']}"),
        ]

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

    def call(self, *args: str, **changed: str) -> Ended:
        """Call the command line in this process, and check what it shows and leaves."""
        return self._checked(self.project.run(*args, **self.environment | changed))

    def execute(self, *args: str) -> Ended:
        """Call it in a process of its own, which knows its arguments from the start."""
        return self._checked(self.project.execute(*args, **self.environment))

    def _checked(self, ended: Ended) -> Ended:
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


def masked(text: str, word: str) -> bool:
    """Whether ``text`` is an echo that begins with ``word`` and of which only masks are left."""
    return text.startswith(f"{word} <***> <") and text.endswith("> after") and "***:***" not in text
