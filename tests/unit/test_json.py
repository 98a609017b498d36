from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel, ValidationError

from benchmark_runner._json import (
    RepeatedKeyError,
    json_file,
    parse_model,
    parse_strictly,
    read_cut_json,
    read_json,
    valid_text,
)

if TYPE_CHECKING:
    from pydantic import JsonValue

HALF = "\ufffd"


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (rb'"\ud83d"', HALF),
        (rb'"\uDE00\ud83d"', 2 * HALF),
        (rb'"\ud83d\ud83d\ude00"', f"{HALF}\U0001f600"),
        (rb'"\\ud83d"', r"\ud83d"),
        (rb'["\\\ud83d", "\""]', ["\\" + HALF, '"']),
        (rb'{"\udead": "\n"}', {HALF: "\n"}),
        (b'"\xed\xa0\xbd"', HALF),
        (b'\xef\xbb\xbf"\\ud800"', HALF),
    ],
)
def test_json_of_others_is_read(content: bytes, value: JsonValue) -> None:
    """A byte order mark is passed over, and half a surrogate pair becomes U+FFFD."""
    assert read_json(content) == value
    assert read_json(bytearray(content)) == value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"cost": 0.0', {}),
        (b'{"cost": 12', {}),
        (b'{"cost": 12,', {"cost": 12}),
        (b'{"cost": -', {}),
        (b"[1, 2e", [1]),
        (b'["a12', ["a"]),
        (rb'["a\u00', ["a"]),
        (b'["\xed\xa0\xbd", 0.', [HALF]),
        (b'["a\xff", 1', [f"a{HALF}"]),
    ],
)
def test_cut_number_is_left_out(content: bytes, value: JsonValue) -> None:
    """Of JSON that ends in a number, that number is unknown: more digits may be missing."""
    assert read_cut_json(content) == (value, True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xef\xbb\xbf",
        b"{",
        b"NaN",
        b'"\xe9"',
        '{"a": 1}'.encode("utf-16"),
        rb'"\ud83"',
        b"[" * 5000 + b"]" * 5000,
    ],
)
def test_what_is_not_json_is_an_error(content: bytes) -> None:
    """Bytes that are no JSON in UTF-8 are a ValueError."""
    with pytest.raises(ValueError, match="line 1"):
        read_json(content)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("plain", "plain"),
        ("é \U0001f600", "é \U0001f600"),
        ("a \ud83d b", f"a {HALF} b"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\udcff", HALF),
    ],
)
def test_text_becomes_valid(text: str, valid: str) -> None:
    """Half a surrogate pair becomes U+FFFD, and two halves their character."""
    assert valid_text(text) == valid
    valid_text(text).encode()


def test_model_is_written_with_valid_text() -> None:
    """A file holds the same text as is sent."""

    class Answer(BaseModel):
        data: str

    content = json_file(Answer(data="a \ud83d b"))
    assert Answer.model_validate_json(content).data == valid_text("a \ud83d b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 1}', "an object has the key 'a' twice"),
        ('[{"id": "t1", "q": "x", "q": "y"}]', "task 't1' has the key 'q' twice"),
        ('{"a" : 1, "b":2, "b"\n: 3}', "key 'b' twice"),
        (r'{"x\\": 1, "x\\": 2}', "twice"),
        (r'{"\u0061": 1, "a": 2}', "key 'a' twice"),
        ('{"a": [{"b": {"c": 1, "c": 2}}]}', "key 'c' twice"),
    ],
)
def test_key_that_occurs_twice_is_refused(text: str, said: str) -> None:
    """An object that names a key twice is refused, wherever it is."""
    with pytest.raises(RepeatedKeyError, match=said):
        parse_strictly(text)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]}',
        r'{"a": "\": ", "b": "x\\", "c\"": "\":\" :", "d\\" : ": "}',
    ],
)
def test_other_keys_are_read(text: str) -> None:
    """The same key may stand in several objects, and in texts."""
    assert parse_strictly(text) == json.loads(text)


class Named(BaseModel):
    name: str


@pytest.mark.parametrize(
    "content", [b'\xef\xbb\xbf{"name": "a"}', b'{"name": "a"}', rb'{"name": "\ud83d"}']
)
def test_file_of_another_program_is_read(content: bytes) -> None:
    """A file that an editor or the earlier framework wrote is read like any other."""
    assert parse_model(Named, content).name in ("a", HALF)


@pytest.mark.parametrize("content", [b"", b'{"name": 1}', b'\xef\xbb\xbf{"name"', b"{}"])
def test_damaged_file_is_an_error(content: bytes) -> None:
    """A file that does not fit its model is an error."""
    with pytest.raises(ValidationError):
        parse_model(Named, content)
