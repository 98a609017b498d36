from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner.errors import UsageError
from benchmark_runner.local.server import serve
from tests.unit.local.sample_service import make

if TYPE_CHECKING:
    from pathlib import Path

SERVE = """
import sys
from pathlib import Path
from benchmark_runner.local.datasets import LocalDatasets
from benchmark_runner.local.server import serve
from benchmark_runner.local.app import LocalService

datasets = LocalDatasets(Path(sys.argv[1]), evaluator_fields=frozenset({"answer"}))
service = LocalService("my-bench", datasets, lambda task, response: 1)
print("ended by", serve(service, "127.0.0.1", 0, lambda url: print(url, flush=True), print))
"""


class TestServe:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_serve_ends_cleanly_at_a_signal(self, folder: Path, number: int) -> None:
        """serve() reports its URL and ends without an error at a signal."""
        with subprocess.Popen(
            [sys.executable, "-c", SERVE, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as process:
            url = process.stdout.readline().strip()
            assert httpx.get(f"{url}/health").json() == {"status": "ok"}
            process.send_signal(number)
            output, errors = process.communicate(timeout=10)
        assert process.returncode == 0
        assert output == f"ended by {int(number)}\n"
        assert errors == ""

    @pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
    def test_unusable_address_is_a_usage_error(self, folder: Path, host: str) -> None:
        """An address at which it can't listen is a usage error."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(UsageError) as caught:
                serve(make(folder), host, port, print, print)
        assert f"{host} port {port}" in caught.value.message
        assert "--port" in (caught.value.hint or "")
