"""Evaluations of artifacts by a scripted service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.client.artifact_evaluation import evaluate_artifact
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import NotFoundError, ServiceError
from benchmark_runner.schemas import Payload, V1EvaluateRequest
from tests.unit.client.scripted_server import QUICK

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.artifacts.kept_file import KeptFile
    from benchmark_runner.client.retry import RetryNotice
    from benchmark_runner.schemas import EvalResult
    from tests.artifact_service import ArtifactService

KEY = "s3cret-key-17"
SMALL = b"--- a\n+++ b\n"
LARGE = bytes(range(256)) * 4096 * 3 + b"end"


class Upload:
    """One evaluation of an artifact."""

    def __init__(self, service: ArtifactService, results: Path) -> None:
        self.service = service
        self.artifacts = RunArtifacts(results, "r1")
        self.notices: list[RetryNotice] = []
        self.opened: list[KeptFile] = []

    async def __call__(
        self, content: bytes = SMALL, *, url: str | None = None, **settings: Any
    ) -> EvalResult:
        record, _ = self.artifacts.keep_submission("t1", content, "fix.patch", 64 * 1024**2)
        payload = Payload(type="artifact", schema="b.artifact.v1", data="")
        request = V1EvaluateRequest(run_id="r1", task_id="t1", dataset="d", payload=payload)

        def open_kept() -> KeptFile:
            self.opened.append(self.artifacts.submission("t1").open(record))
            return self.opened[-1]

        async with BenchmarkServiceClient(
            url or self.service.url,
            headers={"x-descope-api-key": KEY},
            own_headers={"x-tenant": KEY},
            on_retry=self.notices.append,
            **{"retry": QUICK, **settings},
        ) as client:
            try:
                return await evaluate_artifact(client, request, open_kept)
            finally:
                assert all(file._descriptor < 0 for file in self.opened)

    async def lost(self, content: bytes = SMALL, **settings: Any) -> None:
        """Upload to a storage that is not the service's own, which knows nothing of it."""
        with pytest.raises(NotFoundError):
            await self(content, **settings)

    async def fails(self, kind: type[ServiceError], content: bytes = SMALL) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            await self(content)
        assert type(caught.value) is kind
        said = f"{caught.value.message} {caught.value.hint} {caught.value.detail} {self.notices}"
        assert "\n" not in caught.value.message
        for signature in self.service.signatures:
            assert signature not in said
        assert KEY not in said
        return caught.value
