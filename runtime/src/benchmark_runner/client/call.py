"""A call to the benchmark service: its path, its body, and its place in messages."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from urllib.parse import urlencode

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_json

from benchmark_runner._json import fill
from benchmark_runner._redaction import Redactor
from benchmark_runner.errors import RejectedRequestError
from benchmark_runner.schemas import EvaluateResponseRequest, FinalScoreRequest, V1EvaluateRequest

__all__ = ["Call", "Service", "post", "query", "verify_paths"]

#: Some gateways refuse request lines of more than 4,094 bytes.
_MAX_PATH_LENGTH = 4000


@dataclass(frozen=True, slots=True)
class Service:
    """The service that a client talks to.

    Attributes:
        url: The base URL without user info.
        auth_name: The source of the key, never the key; ``None`` without one.
        bearer: Whether the key goes out as a legacy bearer token.
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

    ``what`` is to follow "could not": ``evaluate task 't1'``. The path is below the base URL.
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


def post(
    service: Service,
    what: str,
    path: str,
    request: EvaluateResponseRequest | FinalScoreRequest | V1EvaluateRequest,
    results: Iterable[tuple[str, JsonValue]] = (),
) -> Call:
    """Return the call that sends a request, with one of the ``results`` in memory at a time.

    Raises:
        RejectedRequestError: some text is not valid Unicode.
    """
    call = Call(what, "POST", path, request.dataset)
    # Only the dataset is left out when it is None: a null result means something.
    left_out = {"dataset"} if request.dataset is None else None
    try:
        body = to_json(request, by_alias=True, exclude=left_out)
        if results:
            text = BytesIO()
            text.writelines(fill(body, (b'"evaluation_results":{', map(_member, results))))
            body = text.getvalue()
    except PydanticSerializationError:
        raise RejectedRequestError(
            call.failed(service, "the request holds text that is not valid Unicode"),
            hint="Remove lone surrogates from the response.",
        ) from None
    return replace(call, body=body)


def query(**fields: str | None) -> str:
    """Return the query of a URL with these fields; empty if all are ``None``."""
    given = {name: value for name, value in fields.items() if value is not None}
    return f"?{urlencode(given, errors='surrogatepass')}" if given else ""


def verify_paths(task_ids: Sequence[str], dataset: str | None) -> Iterator[str]:
    """Return the paths, none of them too long, that together name all these tasks."""
    start = "/verify-task-ids" + query(dataset=dataset)
    mark = "&" if dataset is not None else "?"
    path = ""
    for task_id in task_ids:
        item = urlencode({"task_ids": task_id}, errors="surrogatepass")
        if path and len(path) + 1 + len(item) > _MAX_PATH_LENGTH:
            yield path
            path = ""
        path = f"{path}&{item}" if path else f"{start}{mark}{item}"
    if path:
        yield path


def _member(named: tuple[str, JsonValue]) -> bytes:
    name, value = named
    return b"%b:%b" % (to_json(name), to_json(value, inf_nan_mode="null"))
