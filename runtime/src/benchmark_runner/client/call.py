"""A call to the benchmark service, and the service it goes to, as messages name them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark_runner._redaction import Redactor

__all__ = ["Call", "Service"]


@dataclass(frozen=True, slots=True)
class Service:
    """The service that a client talks to.

    Attributes:
        url: The base URL without user info.
        auth_name: The source of the key, never the key; ``None`` without one.
        bearer: Whether the key goes out as a legacy bearer token.
        redactor: Masks the secrets of this client and of the author in messages.
    """

    url: str
    local: bool
    auth_name: str | None
    bearer: bool
    redactor: Redactor = field(repr=False)

    def __str__(self) -> str:
        return "with the local service" if self.local else f"at {self.url}"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the service, retries included.

    Attributes:
        what: The verb and its object, to follow "could not": ``evaluate task 't1'``.
        path: The path below the base URL, with its query.
        body: The JSON body, ready to be sent.
    """

    what: str
    method: str
    path: str
    dataset: str | None = None
    body: bytes | None = None

    @property
    def is_task_list(self) -> bool:
        """True if it asks for the tasks of a dataset."""
        return self.path.startswith("/v1/datasets/")

    @property
    def is_work(self) -> bool:
        """True if something is to be evaluated or scored, which may take long."""
        return self.method == "POST"

    @property
    def is_v1(self) -> bool:
        """True if it uses the API that takes no bearer key."""
        return self.path.startswith("/v1/")

    def failed(self, service: Service, cause: str) -> str:
        """Return the message of a failed call."""
        dataset = "" if self.dataset is None else f" of dataset {self.dataset!r}"
        return f"could not {self.what}{dataset} {service}: {cause}"
