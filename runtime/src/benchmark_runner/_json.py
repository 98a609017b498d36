"""JSON: read from others, or written as a model, or large parts of it item by item."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from typing import TypeVar, cast

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import PydanticSerializationError, from_json

ModelT = TypeVar("ModelT", bound=BaseModel)

#: The text before each item of a list in a file, and after the last item.
INDENTED = (b"\n    ", b"\n  ")
#: The least bytes of a piece.
_PIECE = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_OF_NUMBERS = b"0123456789+-.eE"
#: What stands for half a surrogate pair, which can't be UTF-8.
_HALF = "\ufffd"
#: An escape in JSON, or half a surrogate pair in bytes: the last group is what is not valid.
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\xed[\xa0-\xbf][\x80-\xbf])"
    rb"|\\."
)
#: The end of a key: a quotation mark after an even number of backslashes, before a colon.
_KEY = re.compile(r'(?<!\\)(?:\\\\)*"\s*:')


def read_json(content: bytes | bytearray) -> JsonValue:
    """Return the value of JSON whose numbers are finite.

    A byte order mark is passed over, and half a surrogate pair in a text becomes U+FFFD.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return cast("JsonValue", from_json(content, allow_inf_nan=False))
    except ValueError:
        return cast("JsonValue", from_json(_valid(content), allow_inf_nan=False))


def read_cut_json(content: bytes) -> tuple[JsonValue, bool]:
    """Return the value of JSON that may end early, and whether it does.

    Numbers may be infinite or not a number, and bytes that are not UTF-8 become U+FFFD. A number
    at which it ends is left out: more digits may be missing.

    Raises:
        ValueError: it is not even the beginning of JSON.
    """
    with suppress(ValueError):
        return cast("JsonValue", from_json(content)), False
    with suppress(ValueError):
        return _beginning(content), True
    # Which takes long for a large file.
    valid = _valid(content).decode(errors="replace").encode()
    with suppress(ValueError):
        return cast("JsonValue", from_json(valid)), False
    return _beginning(valid), True


def _beginning(content: bytes) -> JsonValue:
    whole = content.rstrip(_OF_NUMBERS)
    return cast("JsonValue", from_json(whole, allow_partial="trailing-strings"))


def parse_model(model: type[ModelT], content: bytes) -> ModelT:
    """Return the model in JSON, which is read as by :func:`read_json`.

    Raises:
        ValidationError: it is not JSON, or does not fit the model.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError:
        if (valid := _valid(content)) == content:
            raise
        return model.model_validate_json(valid)


def problems_of(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield the place and the message of each problem; the place of the whole is empty."""
    for problem in error.errors(include_url=False, include_input=False):
        yield ".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, ")


def _valid(content: bytes | bytearray) -> bytes:
    return _ESCAPES.sub(_without_half, content.removeprefix(_BOM))


def _without_half(found: re.Match[bytes]) -> bytes:
    return found[0] if found[1] is None else _HALF.encode()


class RepeatedKeyError(ValueError):
    """An error about an object in JSON that names a key twice."""


def parse_strictly(text: str) -> JsonValue:
    """Return the value of JSON that a person wrote.

    Raises:
        RepeatedKeyError: an object in it names a key twice.
        ValueError: it is not JSON, or holds a number that is not finite.
    """
    document = cast("JsonValue", from_json(text, allow_inf_nan=False))
    if _count_written_keys(text) != _count_keys(document):
        json.loads(text, object_pairs_hook=_refuse_repeated_keys)
    return document


def _count_written_keys(text: str) -> int:
    # Within a text, each quotation mark has a backslash before it.
    if any(mark in text for mark in (" :", "\n:", "\t:", "\r:", '\\\\":')):
        return sum(1 for _ in _KEY.finditer(text))
    return text.count('":') - text.count('\\":')  # many times faster


def _count_keys(document: JsonValue) -> int:
    count, left = 0, [document]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            count += len(value)
            left += [item for item in value.values() if isinstance(item, (dict, list))]
        elif isinstance(value, list):
            left += [item for item in value if isinstance(item, (dict, list))]
    return count


def _refuse_repeated_keys(pairs: list[tuple[str, object]]) -> None:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            task = f"task {found['id']!r}" if "id" in found else "an object"
            raise RepeatedKeyError(f"{task} has the key {key!r} twice")
        found[key] = value


def valid_text(text: str) -> str:
    """Return a text that UTF-8 can hold: half a surrogate pair becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def without_nulls(fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the fields whose value is known."""
    return {name: value for name, value in fields.items() if value is not None}


def json_file(content: BaseModel) -> bytes:
    """Return the content of a JSON file that holds a model.

    Half a surrogate pair, which can't be UTF-8, is replaced, so that a paid answer is not lost.
    """
    try:
        # as model_dump_json(), which decodes these bytes
        return content.__pydantic_serializer__.to_json(content, indent=2) + b"\n"
    except PydanticSerializationError:
        text = json.dumps(content.model_dump(), indent=2, ensure_ascii=False, default=str)
        return valid_text(text).encode() + b"\n"


def fill(
    skeleton: bytes, *parts: tuple[bytes, Iterable[bytes]], around: tuple[bytes, bytes] = (b"", b"")
) -> Iterator[bytes]:
    """Yield JSON in pieces, its empty lists and objects filled in; each item is in one piece.

    Args:
        skeleton: The JSON, with its large parts empty.
        parts: The beginning of each such part, such as ``"tasks": [``, in the skeleton's order,
            and the JSON of its items.
        around: The text before each item, and after the last item of a part.
    """
    before_each, after_last = around
    piece = BytesIO()
    for begins, items in parts:
        before, _, skeleton = skeleton.partition(begins)
        piece.write(before + begins)
        comma = b""
        for item in items:
            piece.write(comma + before_each + item)
            comma = b","
            if piece.tell() >= _PIECE:
                yield piece.getvalue()
                piece = BytesIO()
        if comma:
            piece.write(after_last)
    piece.write(skeleton)
    yield piece.getvalue()
