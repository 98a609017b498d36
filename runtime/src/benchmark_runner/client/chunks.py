"""The messages that the service sends while it evaluates over the WebSocket."""

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

from pydantic import JsonValue

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner.client.call import Service
from benchmark_runner.client.failure import shorten
from benchmark_runner.client.response import Answer, UnreadableError

__all__ = ["Chunk", "ReportedError", "read_chunk", "text_of"]

Chunk = dict[str, JsonValue]

#: Characters of a message that is parsed in a thread, as others would have to wait for it.
_LARGE = 128 * 1024
#: Statuses with which a service refuses a state that it does not know, or not any more. A 409 is
#: none of them: it is at work on it.
_REFUSALS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.GONE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
_STATUSES = range(400, 600)
_NAMES_STATE = re.compile(
    r"resume[_ -]?state"
    r"|\b(stale|expired|outdated|unknown|invalid|unsupported|incompatible|bad|old)\b.{0,40}\bstate\b"
    r"|\bstate\b.{0,60}\b(stale|expired|outdated|unknown|invalid|unsupported|incompatible|old"
    r"|not (found|known|valid|accepted|supported|recogni[sz]ed)|no longer)\b",
    re.IGNORECASE | re.DOTALL,
)


async def read_chunk(text: str) -> Chunk:
    """Return the object in a message.

    Raises:
        UnreadableError: it is not a JSON object.
    """
    found = await run_in_thread(_json, text) if len(text) > _LARGE else _json(text)
    if not isinstance(found, dict):
        raise UnreadableError("a message is not a JSON object")
    return found


def text_of(value: JsonValue) -> str:
    """Return a value as text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class ReportedError:
    """An error that the service reports: its words on one line, and its status if it has one."""

    text: str
    status: int | None

    @classmethod
    def of(cls, chunk: Chunk, service: Service) -> Self:
        """Return the error in a chunk; of a traceback, only its end."""
        data = chunk.get("data")
        fields = data if isinstance(data, dict) else {}
        said = fields.get("detail", data) or chunk.get("detail") or "the service gave no reason"
        status = fields.get("status_code", chunk.get("status_code"))
        text = shorten(_end_of_traceback(text_of(said)), service)
        if not isinstance(status, int) or status not in _STATUSES:
            return cls(text, None)
        return cls(text, status)

    @property
    def refuses_state(self) -> bool:
        """True if the service does not take the state that it was sent."""
        return self.status in _REFUSALS or _NAMES_STATE.search(self.text) is not None


def _json(text: str) -> JsonValue:
    try:
        return Answer(HTTPStatus.OK, {}, text.encode("utf-8", "surrogatepass")).json()
    except UnreadableError as error:
        raise UnreadableError(f"a message can't be read: {error}") from None


def _end_of_traceback(text: str) -> str:
    _, found, last_frame = text.rpartition('\n  File "')
    lines = last_frame.splitlines()[1:] if found else []
    while lines and lines[0].startswith(" "):
        del lines[0]
    return "\n".join(lines) or text
