"""Files below the results folder, which survive a crash and are never behind a symbolic link.

Only this module changes files there, except for the lock files of
:mod:`benchmark_runner.artifacts.locks`. ``docs/durability.md`` in the runtime's sources lists
every write path, and the trade-offs.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from benchmark_runner.artifacts.atomic_file import flush, write_errors, write_new
from benchmark_runner.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: What network file systems say that do not flush folders.
_NO_FLUSH_OF_FOLDERS = frozenset({errno.EINVAL, errno.ENOTSUP})
#: Bytes read at a time of a file that is not as long as it said.
_PIECE = 1024**2
_GROWING_FILE = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
__all__ = ["Storage"]


class Storage:
    """Reads and changes files below one folder.

    Args:
        root: The folder. It may be a symbolic link; nothing below it may.
        durable: Whether a change is on the disk, not only in the system's memory, when a
            method returns.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = root
        self.durable = durable
        # As text: to take paths apart costs several times what the system calls do.
        self._root = os.fspath(root)

    def read(self, path: Path) -> bytes | None:
        """Return a file's content; ``None`` without one.

        Raises:
            ArtifactError: it is there and can't be read, or is not really there but elsewhere.
        """
        self._refuse_links(path.parent)
        return _content(str(path))

    def read_from(self, folder: str, *names: str) -> tuple[bytes | None, ...]:
        """Return the contents of several files of one folder; ``None`` for those not there.

        Raises:
            ArtifactError: one is there and can't be read, or is not really there but elsewhere.
        """
        self._refuse_links(folder)
        return tuple(_content(f"{folder}/{name}") for name in names)

    def write(
        self,
        path: Path,
        data: bytes | Iterable[bytes],
        *,
        alone: bool = True,
        with_folder: bool = False,
    ) -> None:
        """Put ``data`` into a file: whoever reads it finds the old content or the new one.

        It may come in pieces, so that it is never in memory as a whole.

        Args:
            path: The file.
            data: All of its content, or the pieces of it.
            alone: Whether there is only one writer of it at a time. Then the temporary file
                beside it has a fixed name, so that what a kill leaves there is replaced by the
                next write.
            with_folder: Flush its folder's own name, too: it was made without that.

        Raises:
            ArtifactError: the disk refuses.
        """
        with write_errors(path):
            folder = _above(os.fspath(path))
            self.make_folder(folder)
            of_process = "" if alone else f".{os.getpid()}"
            temporary = f"{folder}/.{path.name}{of_process}.tmp"
            try:
                self._write_new(temporary, data)
                os.replace(temporary, path)  # noqa: PTH105 (the system call that is meant)
            except OSError:
                with suppress(OSError):
                    os.unlink(temporary)  # noqa: PTH108 (likewise)
                raise
            self._flush_folder(folder)
            if with_folder:
                self._flush_folder(_above(folder))

    def append_to(self, path: Path, lines: bytes) -> None:
        """Add whole lines to the end of a file, in one piece where the disk takes them so.

        A line there that was left torn is ended first. Not flushed to disk: whoever can't do
        without what is written calls :meth:`write`.

        Raises:
            ArtifactError: the disk refuses, or it is a symbolic link or no ordinary file.
        """
        with write_errors(path):
            self._refuse_links(path.parent)
            try:
                # Opened each time: on a network file system others see what is closed.
                descriptor = os.open(path, _GROWING_FILE, 0o666)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise _outside(os.fspath(path)) from None
                raise
            try:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode):
                    raise OSError(errno.EINVAL, "it is no ordinary file")
                if found.st_size and os.pread(descriptor, 1, found.st_size - 1) != b"\n":
                    lines = b"\n" + lines
                rest = memoryview(lines)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            finally:
                os.close(descriptor)

    def make_folder(self, path: Path | str, *, flush: bool = True) -> None:
        """Make a folder and those above it, where they are missing.

        Args:
            path: The folder.
            flush: Whether it has to be there after a power cut although nothing is in it yet.

        Raises:
            ArtifactError: the disk refuses, or one of them is a symbolic link.
        """
        with write_errors(path):
            missing = self._missing(os.fspath(path))
            if missing and (above := _above(missing[-1])) == self._root:
                while not os.path.isdir(above):  # noqa: PTH112 (of text)
                    missing.append(above)
                    above = _above(above)
            for folder in reversed(missing):
                with suppress(FileExistsError):  # another process may have just made it
                    os.mkdir(folder)  # noqa: PTH102 (the system call that is meant)
                if flush:
                    self._flush_folder(_above(folder))

    def names(self, folder: Path) -> list[str]:
        """What is in a folder; nothing, if it is not there.

        Raises:
            ArtifactError: it can't be read, or is no folder.
        """
        try:
            return os.listdir(folder)  # noqa: PTH208 (names are all that is asked for)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ArtifactError(f"{folder}: can't be read: {error.strerror or error}") from error

    def move(self, source: Path, target: Path) -> bool:
        """Rename a file or folder; returns whether it was there.

        Raises:
            ArtifactError: the disk refuses, or ``target``'s folder is a symbolic link.
        """
        with write_errors(source):
            self._refuse_links(target.parent)
            try:
                os.rename(source, target)  # noqa: PTH104 (the system call that is meant)
            except FileNotFoundError:
                if os.path.lexists(source):  # it is the target's folder that is missing
                    raise
                return False
            self._flush_folder(target.parent)
            if source.parent != target.parent:
                self._flush_folder(source.parent)
            return True

    def remove(self, path: Path) -> None:
        """Take a file away, if it is there.

        Raises:
            ArtifactError: the disk refuses.
        """
        with write_errors(path):
            self._refuse_links(path.parent)
            try:
                os.unlink(path)  # noqa: PTH108 (the system call that is meant)
            except FileNotFoundError:
                return
            self._flush_folder(path.parent)

    def _write_new(self, path: str, data: bytes | Iterable[bytes]) -> None:
        write_new(path, data, durable=self.durable)

    def _flush_folder(self, folder: Path | str) -> None:
        if not self.durable:
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flush(descriptor)
        except OSError as error:
            if error.errno not in _NO_FLUSH_OF_FOLDERS:
                raise
        finally:
            os.close(descriptor)

    def _refuse_links(self, folder: Path | str) -> None:
        """Raise if ``folder``, or one between it and the root, is a symbolic link."""
        self._missing(os.fspath(folder))

    def _missing(self, folder: str) -> list[str]:
        """What is not a folder of ``folder`` and those between it and the root.

        Raises:
            ArtifactError: one of them is a symbolic link.
        """
        missing: list[str] = []
        while folder not in (self._root, above := _above(folder)):
            try:
                mode = os.lstat(folder).st_mode
            except (FileNotFoundError, NotADirectoryError):
                mode = 0
            if stat.S_ISLNK(mode):
                raise _outside(folder)
            if not stat.S_ISDIR(mode):
                missing.append(folder)
            folder = above
        return missing


def _content(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return _all_of(descriptor)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if os.path.islink(path):  # noqa: PTH114 (a text, likewise)
            raise _outside(path) from None
        raise ArtifactError(f"{path}: can't be read: {error.strerror or error}") from error


def _all_of(descriptor: int) -> bytes:
    # By hand: what open() asks the system besides costs as much as the reading.
    size = os.fstat(descriptor).st_size
    content = os.read(descriptor, size + 1)
    if len(content) == size:
        return content
    parts = [content]  # it grew meanwhile, or came in pieces
    while part := os.read(descriptor, _PIECE):
        parts.append(part)
    return b"".join(parts)


def _above(path: str) -> str:
    return os.path.dirname(path) or os.curdir  # noqa: PTH120 (of text)


def _outside(path: str) -> ArtifactError:
    return ArtifactError(
        f"{path}: is a symbolic link, which may lead out of the results folder",
        hint="Replace it by what it points to; only the results folder itself may be a link.",
    )
