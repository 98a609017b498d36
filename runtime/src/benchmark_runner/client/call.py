"""A call to the benchmark service: its path, its body, and its place in messages."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from tempfile import SpooledTemporaryFile, gettempdir
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_json

from benchmark_runner._json import fill
from benchmark_runner._redaction import Redactor
from benchmark_runner.errors import ArtifactError, RejectedRequestError
from benchmark_runner.schemas import (
    EvaluateResponseRequest,
    FinalScoreRequest,
    ResolveDatasetRequest,
    UploadUrlRequest,
    V1EvaluateRequest,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

__all__ = [
    "PART", "WEBSOCKET_PATH", "Call", "Service", "is_key_part", "post", "query", "task_list_path",
    "verify_paths",
]  # fmt: skip

#: Some gateways refuse request lines of more than 4,094 bytes.
_MAX_PATH_LENGTH = 4000
_TASK_LIST = re.compile(r"/v1/datasets/[^/]*/tasks")
#: Legacy paths whose answers depend on the version of the dataset.
_OF_VERSION = ("/verify-task-ids", "/evaluate-response/", "/final-score/")
#: The paths of a run's score.
_SCORING = ("/final-score/", "/v1/score")
#: The path of an evaluation over the WebSocket.
WEBSOCKET_PATH = "/ws/evaluate-response"
#: The service allows these in the parts of an upload's key; the ``+`` only in some versions.
_KEY_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
#: Bytes of a request that are kept in memory; a larger one is sent from a file.
_IN_MEMORY = 16 * 1024**2
#: A larger body is sent in parts of this many bytes, so that others have their turn in between.
PART = 256 * 1024


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
    Without ``reads_answer``, only the status of a success matters. The body of one that is to be
    saved goes to ``save``, which does not keep it in memory.
    """

    what: str
    method: str
    path: str
    dataset: str | None = None
    body: bytes | SpooledTemporaryFile[bytes] | None = None
    reads_answer: bool = True
    save: "Callable[[httpx.Response], Awaitable[None]] | None" = None

    @property
    def is_task_list(self) -> bool:
        """True if it asks for the tasks of a dataset."""
        return _TASK_LIST.fullmatch(self.path) is not None

    @property
    def is_health(self) -> bool:
        """True if it asks whether the service is well."""
        return self.path == "/health"

    @property
    def is_input(self) -> bool:
        """True if it asks for a file that belongs to a task, or which there are."""
        return self.save is not None or self.path.endswith("/inputs")

    @property
    def is_work(self) -> bool:
        """True if something is to be evaluated or scored, which may take long."""
        return self.is_evaluation or self.path in _SCORING

    @property
    def is_evaluation(self) -> bool:
        """True if a grade is asked for, which is paid whether or not it is received."""
        return self.path in ("/evaluate-response/", "/v1/evaluate", WEBSOCKET_PATH)

    @property
    def is_of_version(self) -> bool:
        """True if the answer depends on the version of the dataset."""
        return self.is_v1 or self.path.startswith(_OF_VERSION)

    @property
    def is_v1(self) -> bool:
        """True if it uses the API that takes no bearer key."""
        return self.path.startswith("/v1/")

    def close(self) -> None:
        """Remove the file of a large body."""
        if self.body is not None and not isinstance(self.body, bytes):
            self.body.close()

    def failed(self, service: Service, cause: str) -> str:
        """Return the message of a failed call."""
        dataset = "" if self.dataset is None else f" of dataset {self.dataset!r}"
        return f"could not {self.what}{dataset} {service}: {cause}"


def post(
    service: Service,
    what: str,
    path: str,
    request: (
        EvaluateResponseRequest
        | FinalScoreRequest
        | ResolveDatasetRequest
        | UploadUrlRequest
        | V1EvaluateRequest
    ),
    results: Iterable[tuple[str, JsonValue]] = (),
) -> Call:
    """Return the call that sends a request, with one of the ``results`` in memory at a time.

    A large body is a temporary file, which is removed when it is closed.

    Raises:
        RejectedRequestError: some text is not valid Unicode.
        ArtifactError: the disk refuses the file.
    """
    call = Call(what, "POST", path, request.dataset)
    # Only the dataset is left out when it is None: a null result means something.
    left_out = {"dataset"} if request.dataset is None else None
    try:
        body = to_json(request, by_alias=True, exclude=left_out)
        if results:
            pieces = fill(body, (b'"evaluation_results":{', map(_member, results)))
            return replace(call, body=_spooled(pieces))
    except PydanticSerializationError:
        raise RejectedRequestError(
            call.failed(service, "the request holds text that is not valid Unicode"),
            hint="Remove lone surrogates from the response.",
        ) from None
    return replace(call, body=body)


def is_key_part(name: str) -> bool:
    """Return True if the id of a run or a task may be part of the key of an upload."""
    return _KEY_PART.fullmatch(name) is not None


def query(**fields: str | None) -> str:
    """Return the query of a URL with these fields; empty if all are ``None``."""
    given = {name: value for name, value in fields.items() if value is not None}
    return f"?{urlencode(given, errors='surrogatepass')}" if given else ""


def task_list_path(dataset: str) -> str:
    """Return the path of the list of a dataset's tasks."""
    return f"/v1/datasets/{quote(dataset, safe='', errors='surrogatepass')}/tasks"


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


def _spooled(pieces: Iterable[bytes]) -> bytes | SpooledTemporaryFile[bytes]:
    file = SpooledTemporaryFile[bytes](_IN_MEMORY)
    try:
        for piece in pieces:  # writelines() would keep all of them in memory
            file.write(piece)
        if file.tell() > _IN_MEMORY:
            return file
        file.seek(0)
        content = file.read()
    except OSError as error:
        file.close()
        raise ArtifactError(
            f"{gettempdir()}: can't be written: {error.strerror or error}",
            hint="Free space there, or set TMPDIR to a folder with more.",
        ) from error
    except BaseException:
        file.close()
        raise
    file.close()
    return content


def _member(named: tuple[str, JsonValue]) -> bytes:
    name, value = named
    return b"%b:%b" % (to_json(name), to_json(value, inf_nan_mode="null"))
