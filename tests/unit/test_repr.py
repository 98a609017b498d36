"""Objects that hold keys show none in their ``repr()``."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from benchmark_runner._project.folders import Project
from benchmark_runner._redaction import Redactor
from benchmark_runner._run.benchmark import Benchmark
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.cli.job import Job
from benchmark_runner.client.call import Service
from benchmark_runner.client.endpoint import Endpoint
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.llm import LLMConfig
from tests.fakes import make_settings


class TestRepr:
    """What ends up in a log or a debugger by way of ``repr()``."""

    URL = "https://someone:hidden-password@example.com"
    KEY = "hidden-key-0123456789"

    @pytest.fixture
    def holders(self) -> dict[str, object]:
        """One of each class that holds a key, or a URL with a password in it."""
        config = LLMConfig(custom_api_key=SecretStr(self.KEY), custom_endpoint=self.URL)
        settings = make_settings("runner.benchmark:MyRunner", default_service_url=self.URL)
        service = ServiceSettings(url=self.URL)
        request = RunRequest(
            model="m",
            options=[f"token={self.KEY}"],
            custom_api_key=self.KEY,
            custom_endpoint=self.URL,
        )
        job = Job(
            benchmark=Benchmark(settings, Project(None, Path()), BenchmarkRunner),
            service=service,
            request=request,
            artifacts=RunArtifacts(Path(), "r1"),
        )
        headers = {"x-descope-api-key": self.KEY}
        endpoint = Endpoint.of(self.URL, headers, "VALS_AUTH_KEY", trusted=False)
        asked = Service(
            url=endpoint.url,
            local=False,
            auth_name=endpoint.auth_name,
            bearer=endpoint.bearer,
            redactor=Redactor(endpoint.secrets),
        )
        client = BenchmarkServiceClient(self.URL, headers=headers)
        redactor = Redactor([self.KEY])
        held = (config, settings, service, request, job, endpoint, asked, client, redactor)
        return {type(holder).__name__: holder for holder in held}

    @pytest.mark.parametrize(
        "name",
        [
            "LLMConfig",
            "CliSettings",
            "ServiceSettings",
            "RunRequest",
            "Job",
            "Endpoint",
            "Service",
            "BenchmarkServiceClient",
            "Redactor",
        ],
    )
    def test_repr_never_shows_a_key(self, holders: dict[str, object], name: str) -> None:
        """No object that holds a key shows it in its repr()."""
        shown = repr(holders[name])
        assert name in shown
        assert "hidden" not in shown

    def test_repr_shows_the_rest(self, holders: dict[str, object]) -> None:
        """The repr() of an object that holds a key shows its other fields."""
        assert "url='https://example.com'" in repr(holders["Endpoint"])
        assert "model='m'" in repr(holders["RunRequest"])
