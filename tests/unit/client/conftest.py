from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.client.scripted_server import Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    ServeApp = Callable[[ASGIApp], str]


@pytest.fixture(scope="module")
def server(serve_app: ServeApp) -> tuple[Script, str]:
    script = Script()
    return script, serve_app(script)


@pytest.fixture
def script(server: tuple[Script, str]) -> Script:
    script, _ = server
    script.answers, script.seen, script.most_at_once = [], [], 0
    return script


@pytest.fixture
def url(server: tuple[Script, str]) -> str:
    return server[1]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VALS_AUTH_KEY", "VALS_API_KEY", "BENCHMARK_API_KEY", "SERVICE_HEADERS"):
        monkeypatch.delenv(name, raising=False)
