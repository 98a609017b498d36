"""The reading of files below the results folder, in whose place an agent may have put anything."""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager

from benchmark_runner.errors import ArtifactError

__all__ = ["LARGEST_FILE", "READ_ONLY", "content_of", "is_ours", "link_error", "opened_to_read"]

#: Bytes read at a time of a file that is longer than its size.
_PIECE = 1024**2
#: Bytes of a file that is read; a larger one is none of ours.
LARGEST_FILE = 1024**3
_NOT_OURS = "not a regular file, or larger than 1 GiB"
#: A pipe in the place of a file would be waited for.
READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def opened_to_read(path: str) -> Generator[int]:
    """Open a file of ours; a missing one is a ``FileNotFoundError``."""
    try:
        descriptor = os.open(path, READ_ONLY)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        if not is_ours(os.fstat(descriptor)):
            raise ArtifactError(f"{path}: can't be read: {_NOT_OURS}")
        yield descriptor
    finally:
        os.close(descriptor)


def content_of(path: str) -> bytes | None:
    """Return the content of a file of ours; ``None`` without one."""
    try:
        descriptor = os.open(path, READ_ONLY)
        try:
            return _all_of(descriptor)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> ArtifactError:
    if os.path.islink(path):  # noqa: PTH114 (of text)
        return link_error(path)
    return ArtifactError(f"{path}: can't be read: {error.strerror or error}")


def _all_of(descriptor: int) -> bytes:
    # By hand: the further system calls of open() take as long as the read.
    found = os.fstat(descriptor)
    if not is_ours(found):
        raise OSError(errno.EINVAL, _NOT_OURS)
    size = found.st_size
    content = os.read(descriptor, size + 1)
    if len(content) == size:
        return content
    parts = [content]  # it grew meanwhile, or was read in part
    while part := os.read(descriptor, _PIECE):
        parts.append(part)
    return b"".join(parts)


def is_ours(found: os.stat_result) -> bool:
    """Return True for a regular file that is not too large."""
    return stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST_FILE


def link_error(path: str) -> ArtifactError:
    """Return the error about a symbolic link."""
    return ArtifactError(
        f"{path}: is a symbolic link, which may lead out of the results folder",
        hint="Replace it by its target; only the results folder itself may be a link.",
    )
