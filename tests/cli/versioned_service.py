"""A benchmark service that keeps versions of its dataset, of which a run chooses one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from tests.cli.summing_service import SummingService

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = "x-benchmark-dataset-version"
#: Paths that are not about a version.
UNVERSIONED = ("/health", "/version", "/resolve-dataset")


@dataclass
class VersionedService(SummingService):
    """A service with some versions of its dataset.

    Attributes:
        versions: The id of each version, by its label.
        default: The label of the one that it uses by itself.
        echoes: Whether its answers name their version.
    """

    versions: dict[str, str] = field(
        default_factory=lambda: {"1.1.0": "v-11", "1.2.0": "v-12", "2.0.0": "v-20"}
    )
    default: str = "1.2.0"
    echoes: bool = True

    def usual(self, path: str, body: Any) -> Any:
        self.dataset_version = self.default
        if path == "/version":
            return {**super().usual(path, body), "dataset_version_selection": True}
        if path != "/resolve-dataset":
            return super().usual(path, body)
        selector = body["version"]
        found = [
            label
            for label in self.versions
            if label == (selector or self.default) or label.startswith(f"{selector}.")
        ]
        if not found:
            raise HTTPException(404, f"Dataset version not found: {selector}")
        label = found[-1]
        version = {"id": self.versions[label], "label": label}
        return {"dataset": body["dataset"], "version": version}

    def echo(self, path: str, sent: Mapping[str, str]) -> Mapping[str, str]:
        version = sent.get(HEADER)
        if path in UNVERSIONED:
            if version is not None and path == "/resolve-dataset":
                raise HTTPException(400, "The version header is not allowed here")
            return {}
        if version is not None and version not in self.versions.values():
            raise HTTPException(404, f"Dataset version not found: {version}")
        return {HEADER: version or self.versions[self.default]} if self.echoes else {}

    @property
    def asked_for(self) -> set[str | None]:
        """The ids of versions, ``None`` for none, in requests about the dataset."""
        return {sent.get(HEADER) for path, sent in self.headers if path not in UNVERSIONED}

    @property
    def selectors(self) -> list[str | None]:
        """The selectors that it was asked about."""
        return [body["version"] for path, body in self.bodies if path == "/resolve-dataset"]
