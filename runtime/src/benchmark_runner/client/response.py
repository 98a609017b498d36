"""The answers of the service: read up to a size limit, decompressed, parsed.

The limit is on the decompressed bytes, so that no answer can fill the memory.
"""

import asyncio
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar, cast

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from benchmark_runner._json import problems_of, read_json
from benchmark_runner._scores import is_finite

__all__ = ["ACCEPTED_ENCODING", "Answer", "UnreadableError", "read_answer"]

ModelT = TypeVar("ModelT", bound=BaseModel)

#: The only compression that is accepted.
ACCEPTED_ENCODING = "gzip"
_GZIP_NAMES = frozenset({ACCEPTED_ENCODING, "x-gzip"})
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)", re.IGNORECASE)
_GZIP_FORMAT = zlib.MAX_WBITS | 16
_GZIP_MAGIC = b"\x1f\x8b"

_KIB = 1024
#: Bytes that are read of a refusal, whose status says what matters.
_WORDS_LIMIT = 64 * _KIB
#: Bytes that are kept of a longer one: not its end, where half of a key could stand.
_WORDS_KEPT = 56 * _KIB
#: Seconds that the body of a refusal may take.
_WORDS_TIMEOUT = 5.0


class UnreadableError(Exception):
    """An error about a body: too large, wrongly compressed, or not the expected JSON."""


class _TooLargeError(UnreadableError):
    """An error about a body that is larger than it may be."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its body, decompressed; of a refusal, what could be read of it."""

    status: int
    headers: Mapping[str, str]
    content: bytes | bytearray

    @property
    def is_success(self) -> bool:
        """True if the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> JsonValue:
        """Return the JSON in the body, whose numbers must be finite."""
        try:
            document = self._read()
        except ValueError as error:
            raise UnreadableError(f"it is not valid JSON ({error})") from None
        if not is_finite(document):
            raise UnreadableError("it holds a number that is not finite")
        return document

    def _read(self) -> JsonValue:
        try:
            return read_json(self.content)
        except ValueError:
            # A grade is paid for, also one in another encoding, or with a text that was cut.
            named = _CHARSET.search(self.headers.get("content-type", ""))
            try:
                text = self.content.decode(named[1] if named else "utf-8", "replace")
            except (LookupError, ValueError):
                text = self.content.decode(errors="replace")
            return read_json(text.encode())

    def parse(self, model: type[ModelT]) -> ModelT:
        """Return the JSON in the body as a ``model``."""
        document = self.json()
        if not isinstance(document, dict):
            raise UnreadableError("it is not a JSON object")
        # A null field is one that was left out.
        given = {name: value for name, value in document.items() if value is not None}
        try:
            return model.model_validate(given)
        except ValidationError as error:
            field, message = next(problems_of(error))
            raise UnreadableError(f"field {field}: {message}" if field else message) from None


async def read_answer(response: httpx.Response, most: int) -> Answer:
    """Read the body of an answer, which the caller closes; of a success at most ``most`` bytes."""
    content = bytearray()
    if response.is_success:
        await _read_into(content, response, most)
    else:
        await _read_words_into(content, response)
    return Answer(response.status_code, response.headers, content)


async def _read_words_into(content: bytearray, response: httpx.Response) -> None:
    try:
        async with asyncio.timeout(_WORDS_TIMEOUT):
            await _read_into(content, response, _WORDS_LIMIT)
    except _TooLargeError:
        del content[_WORDS_KEPT:]
    except (UnreadableError, httpx.TransportError, OSError):
        content.clear()


async def _read_into(content: bytearray, response: httpx.Response, most: int) -> None:
    _refuse_other_encodings(response.headers.get("content-encoding", ""))
    inflater = None
    try:
        # Not response.aiter_raw(), which refuses what a transport without a network has ready.
        async for part in cast("httpx.AsyncByteStream", response.stream):
            if not content and inflater is None and part.startswith(_GZIP_MAGIC[:1]):
                inflater = _Inflater()  # whatever the headers say: no JSON begins like this
            if inflater is None:
                content += part
            else:
                inflater.inflate_into(content, part, most + 1)
            if len(content) > most:
                raise _TooLargeError(f"it is larger than {most / _KIB**2:g} MiB")
    except zlib.error as error:
        raise UnreadableError(f"it can't be decompressed ({error})") from None
    if inflater is not None and not inflater.is_complete:
        raise UnreadableError("its compressed content ends in the middle")


class _Inflater:
    """Decompresses gzip content of one or several members; what follows them is ignored."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_FORMAT)
        self._after = b""  # between two members: what may be the begin of the next one

    @property
    def is_complete(self) -> bool:
        return self._member.eof

    def inflate_into(self, content: bytearray, part: bytes, most: int) -> None:
        """Decompress another part, until there are ``most`` bytes of content."""
        while part and len(content) < most:
            if self._member.eof:
                part = (self._after + part).lstrip(b"\0")
                self._after = part[: len(_GZIP_MAGIC)]
                if not part.startswith(_GZIP_MAGIC):
                    return
                self._member, self._after = zlib.decompressobj(_GZIP_FORMAT), b""
            content += self._member.decompress(part, most - len(content))
            part = self._member.unused_data


def _refuse_other_encodings(header: str) -> None:
    names = [name.strip() for name in header.lower().split(",")]
    names = [name for name in names if name not in {"", "identity"}]
    if len(names) > 1 or not _GZIP_NAMES.issuperset(names):
        raise UnreadableError(f"it is compressed as {header!r}, which nobody asked for")
