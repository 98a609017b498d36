"""The copy of the file that an agent has made: checked, and without keys in it."""

from __future__ import annotations

import codecs
import errno
import hashlib
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmark_runner.artifacts.file_reader import READ_ONLY
from benchmark_runner.artifacts.kept_file import read_pieces, state_of
from benchmark_runner.errors import ArtifactError, UnusableArtifactError
from benchmark_runner.schemas import Artifact

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from benchmark_runner._redaction import Redactor

__all__ = ["ArtifactCopy"]

#: Errors of this process, which may have what it lacks later.
_LACKING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_MIB = 1024**2


class ArtifactCopy:
    """The copy of one file while it is made."""

    def __init__(self, name: str, most: int, redactor: Redactor) -> None:
        self.name = name
        self.masked = False
        self._most = most
        self._redactor = redactor
        self._size = 0
        self._digest = hashlib.sha256()
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()

    @property
    def record(self) -> Artifact:
        """The record of what was written."""
        return Artifact(filename=self.name, size=self._size, sha256=self._digest.hexdigest())

    def check_size(self, size: int) -> None:
        """Refuse a file without content, and one that is too large."""
        if size == 0:
            raise UnusableArtifactError(f"the artifact {self.name!r} is empty")
        if size > self._most:
            raise UnusableArtifactError(
                f"the artifact {self.name!r} is too large: it has {_size(size)}, and "
                f"{_size(self._most)} are the most",
                hint="Make it smaller, or raise ARTIFACT_MAX_BYTES where the service takes more.",
            )

    @contextmanager
    def opened(self, path: str) -> Generator[int]:
        """Open a regular file of a usable size; reading it can't block."""
        with self._read_errors():
            _refuse_special(self.name, os.lstat(path).st_mode)
            descriptor = os.open(path, READ_ONLY)
        try:
            found = os.fstat(descriptor)
            _refuse_special(self.name, found.st_mode)
            self.check_size(found.st_size)
            yield descriptor
        finally:
            os.close(descriptor)

    def pieces_of(self, descriptor: int) -> Iterator[bytes]:
        """Yield the content of a file, which must not change meanwhile."""
        before, size = state_of(descriptor), 0
        with self._read_errors():
            for piece in read_pieces(descriptor):
                size += len(piece)
                if size > before[0]:
                    break
                yield piece
            after = state_of(descriptor)
        if size != before[0] or after != before:
            raise UnusableArtifactError(
                f"the artifact {self.name!r} changed while it was copied",
                hint="Return from generate() when nothing writes to the file any more.",
            )

    def clean(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what is written: text without its keys; a key in anything else is refused."""
        for before, after in self._redactor.clean_pieces(map(self._note_text, pieces)):
            self.masked = self.masked or before != after
            self._refuse_key()
            self._size += len(after)
            self._digest.update(after)
            yield after
        self._note_text(b"", final=True)
        self._refuse_key()

    def _note_text(self, piece: bytes, *, final: bool = False) -> bytes:
        if self._decoder is not None:
            try:
                self._decoder.decode(piece, final)
            except UnicodeDecodeError:
                self._decoder = None
            if b"\0" in piece:
                self._decoder = None
        return piece

    def _refuse_key(self) -> None:
        if self.masked and self._decoder is None:
            raise UnusableArtifactError(
                f"the artifact {self.name!r} holds a key, which can't be masked in a binary file",
                hint="Keep keys out of the files that the agent makes.",
            )

    @contextmanager
    def _read_errors(self) -> Generator[None]:
        try:
            yield
        except FileNotFoundError as error:
            message = f"the artifact {self.name!r} does not exist at {error.filename!r}"
            raise UnusableArtifactError(message) from None
        except OSError as error:
            message = f"the artifact {self.name!r} can't be read: {error.strerror or error}"
            if error.errno in _LACKING:
                raise ArtifactError(message) from error
            raise UnusableArtifactError(message) from error


def _refuse_special(name: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        special = "a symbolic link to itself" if stat.S_ISLNK(mode) else "a pipe, socket or device"
        kind = "a folder" if stat.S_ISDIR(mode) else special
        raise UnusableArtifactError(
            f"the artifact {name!r} is {kind}, not a file",
            hint="Return one file; put several into an archive.",
        )


def _size(count: int) -> str:
    return f"{count / _MIB:.4g} MiB" if count >= _MIB else f"{count} bytes"
