"""A secret in every place that one can come from, echoed by all that can echo: it leaves no trace.

The commands run as processes of their own, and the mask has to stand where the secret was.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from base64 import b64encode
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import pytest
from starlette.responses import Response

from tests.cli.planted_secrets import (
    PLANTED,
    USER,
    EchoingService,
    Planted,
    forms,
    masked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp


class TestFiles:
    def test_agents_echo_is_masked_everywhere(self, planted: Planted) -> None:
        """Secrets that the agent repeats are masked in all files."""
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

    def test_config_holds_no_secret(self, planted: Planted) -> None:
        """The config holds no secret and is complete."""
        planted.ask("answer")
        assert planted.call(*planted.run()).code == 0
        config = planted.read("run_config.json")
        assert config["sampling"] == {"custom_endpoint": "https://models.invalid/v1"}
        assert config["options"] == {}
        assert config["service_url"] == planted.service.url
        assert "***" not in json.dumps(config)

    def test_services_echo_is_masked(self, planted: Planted) -> None:
        """Secrets that the service repeats are masked in evaluations and score."""
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
        assert f"x-gateway: {PLANTED['SERVICE_HEADERS']}" in sent
        assert f"x-tenant: Bearer {PLANTED['--header']}" in sent
        meant = {"VALS_AUTH_KEY", "--service-url", "SERVICE_HEADERS", "--header"}
        others = [name for name in PLANTED if name not in meant]
        assert not [name for name in others if any(form in sent for form in forms(PLANTED[name]))]
        assert "answered <***> <" in sent

    @pytest.mark.parametrize("command", ["evaluate", "score"])
    def test_evaluate_and_score_leave_no_secret(self, planted: Planted, command: str) -> None:
        """Evaluating and scoring again leave no secret."""
        planted.ask("answer")
        planted.call(*planted.run("--skip-eval"))
        # The secrets of the other command's flags are masked in what is sent to be graded.
        others = {PLANTED[flag] for flag in ("--custom-api-key", "--custom-endpoint", "--option")}
        planted.service.knows = [secret for secret in planted.service.knows if secret not in others]
        flag = {"evaluate": "--regrade", "score": "--force"}[command]
        for more in ([], ["--json"]):
            ended = planted.call(*planted.grade(command, flag, *more))
            assert ended.code == 0, ended.err
        assert "heard" in json.dumps(planted.read("final_score.json")["metadata"])


class TestRefusals:
    @pytest.mark.sampled(4)
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 429, 500, 501, 503])
    def test_error_of_an_evaluation_shows_no_secret(self, planted: Planted, status: int) -> None:
        """An error that the service answers to an evaluation shows no secret."""
        planted.ask("answer")
        planted.service.statuses["/evaluate-response/"] = [status] * 2
        ended = planted.call(*planted.run("--service-attempts", "2", "--service-retry-time", "0"))
        assert ended.code == 1
        assert "heard" in ended.out + ended.err
        assert "***" in ended.out + ended.err

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("name", ["VALS_AUTH_KEY", "--option"])
    def test_reason_of_a_retry_is_masked(self, planted: Planted, name: str) -> None:
        """The reason of a retry is shown without its secret."""
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
    def test_error_of_other_requests_shows_no_secret(self, planted: Planted, path: str) -> None:
        """An error before or after the evaluations shows no secret."""
        planted.ask("answer")
        planted.service.statuses[path] = [401] * 2
        for more in (["--json"], []):
            ended = planted.call(*planted.run(*more))
            assert ended.code == 1
            assert "heard" in ended.out + ended.err
            assert "***" in ended.out + ended.err

    def test_down_service_is_named_without_password(self, planted: Planted) -> None:
        """A service that is down is named without its password."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        url = f"http://{USER}:{quote(PLANTED['--service-url'], safe='')}@{address}"
        ended = planted.call("run", "--service-url", url)
        assert ended.code == 1
        assert f"http://{address}" in ended.err

    def test_proxys_echo_is_masked(self, planted: Planted) -> None:
        """A proxy that repeats its password shows none."""
        with Proxy() as proxy:
            password = PLANTED["HTTPS_PROXY"]
            ended = planted.call(
                *("run", "--service-url", "https://service.invalid"),
                HTTPS_PROXY=f"http://{USER}:{password}@{proxy.address}",
            )
        assert ended.code == 1
        pair = b64encode(f"{USER}:{password}".encode()).decode()
        assert f"Basic {pair}" in proxy.heard
        assert "ProxyError: 407 refused Basic ***" in ended.err

    def test_redirect_gets_no_key(
        self, planted: Planted, serve_app: Callable[[ASGIApp], str]
    ) -> None:
        """The target of a redirect gets no key."""

        class Redirecting(EchoingService):
            async def _answer(self, request: Request) -> Response:
                return Response(status_code=307, headers={"location": planted.service.url})

        redirecting = Redirecting()
        redirecting.url = serve_app(redirecting.app())
        url = redirecting.with_password(PLANTED["--service-url"])
        ended = planted.call("run", "--service-url", url)
        assert ended.code == 1
        assert "redirects are not followed" in ended.err
        assert planted.service.sent == []

    def test_no_key_goes_over_plain_http(self, planted: Planted) -> None:
        """No key goes over plain HTTP to another machine."""
        ended = planted.call("run", "--service-url", "http://192.0.2.1")
        assert ended.code == 2
        assert "the key in VALS_AUTH_KEY would go unencrypted to http://192.0.2.1" in ended.err


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
