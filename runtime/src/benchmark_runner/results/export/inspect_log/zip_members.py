"""The members of a log, written one after the other into a zip file."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import BinaryIO, TypeVar, cast
from zipfile import ZIP_DEFLATED, ZipFile

from pydantic_core import PydanticSerializationError, to_json

from benchmark_runner._json import valid_text
from benchmark_runner._redaction import Redactor

__all__ = ["ZipMembers"]

ValueT = TypeVar("ValueT")

#: Of compression; beyond it the files hardly get smaller.
_LEVEL = 5


class ZipMembers:
    """The members of a log, with all secrets in them masked.

    Args:
        archive: The zip file, opened for writing.
        redactor: Masks the secrets.
    """

    def __init__(self, archive: ZipFile, redactor: Redactor) -> None:
        self._archive = archive
        self._redactor = redactor

    @classmethod
    @contextmanager
    def open(cls, file: BinaryIO, redactor: Redactor) -> Generator[ZipMembers]:
        """Write the members into ``file``, which becomes a zip file."""
        with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            yield cls(archive, redactor)

    def write(self, name: str, value: object) -> None:
        """Write a member that holds a JSON value."""
        self.write_pieces(name, [self.masked(value)[1]])

    def write_pieces(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a member in pieces, as they are."""
        with self._archive.open(name, "w") as member:
            for piece in pieces:
                member.write(piece)

    def masked(self, value: ValueT) -> tuple[ValueT, bytes]:
        """Return a value with all secrets in its texts masked, and its JSON."""
        content = _json(value)
        if self._redactor.clean(content) != content:
            value = cast("ValueT", self._redactor.clean_value(value))
            content = _json(value)
        return value, content


def _json(value: object) -> bytes:
    try:
        # What is not a number has this meaning in logs: a sample that has no score.
        return to_json(value, inf_nan_mode="constants")
    except PydanticSerializationError:  # half a surrogate pair
        return valid_text(json.dumps(value, ensure_ascii=False)).encode()
