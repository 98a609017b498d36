"""Atomic writes: a reader finds the old content of a file or the new one, never a part."""

import fcntl
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from benchmark_runner.errors import ArtifactError

__all__ = ["flush", "open_atomically", "write_errors", "write_new"]

#: macOS flushes a drive's own cache only for this.
_FULL_FLUSH: int | None = getattr(fcntl, "F_FULLFSYNC", None)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def open_atomically(path: Path) -> Generator[BinaryIO]:
    """Open a file (or the target of a link), and put it in place when the block ends.

    Until then, and if the block fails, the old content stays. The folder must exist.

    Raises:
        ArtifactError: the disk refuses.
    """
    with write_errors(path):
        target = Path(os.path.realpath(path))  # also of links that lead to each other
        # Two processes may write the same file, and in containers they have the same number.
        temporary = target.with_name(f".{target.name}.{token_hex(4)}.tmp")
        descriptor = os.open(temporary, _NEW_FILE, 0o666)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 (of a descriptor)
                yield file
                file.flush()
                flush(descriptor)
            os.replace(temporary, target)  # noqa: PTH105 (the system call that is meant)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 (likewise)
            raise


def write_new(path: str, data: bytes | Iterable[bytes], *, durable: bool) -> None:
    """Write a file that did not exist; one that a killed process left is removed.

    A ``durable`` one is on the disk when this returns.
    """
    try:
        descriptor = os.open(path, _NEW_FILE, 0o666)
    except FileExistsError:
        os.unlink(path)  # noqa: PTH108 (the system call that is meant)
        descriptor = os.open(path, _NEW_FILE, 0o666)
    try:
        for piece in (data,) if isinstance(data, bytes) else data:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        if durable:
            flush(descriptor)
    finally:
        os.close(descriptor)


def flush(descriptor: int) -> None:
    """Wait until the content of an open file, or the names in an open folder, are on the disk."""
    if _FULL_FLUSH is not None:
        with suppress(OSError):  # not every file system there has it
            fcntl.fcntl(descriptor, _FULL_FLUSH)
            return
    os.fsync(descriptor)


@contextmanager
def write_errors(path: Path | str) -> Generator[None]:
    """Raise the system's errors in the block as an ``ArtifactError`` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise ArtifactError(
            f"{path}: can't be written: {error.strerror or error}",
            hint="Free space or correct the permissions, then run the same command again.",
        ) from error
