"""Files below the results folder, which survive a crash and are never behind a symbolic link.

Only this module changes files there, except for the lock files of
:mod:`benchmark_runner.artifacts.locks`. ``docs/durability.md`` in the runtime's sources lists
every write path, and the trade-offs.
"""

import errno
import os
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark_runner.artifacts.atomic_file import flush, write_errors, write_new
from benchmark_runner.artifacts.file_reader import (
    content_of,
    is_ours,
    link_error,
    opened_to_read,
)
from benchmark_runner.errors import ArtifactError

#: Errors of network file systems that do not flush folders.
_NO_FLUSH_OF_FOLDERS = frozenset({errno.EINVAL, errno.ENOTSUP})
_GROWING_FILE = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
__all__ = ["Storage"]


class Storage:
    """The files below one folder.

    Args:
        root: The folder. It may be a symbolic link; nothing below it may.
        durable: Whether a change is on the disk when a method returns.

    Raises:
        ArtifactError: in a method: the disk refuses, or a path leads through a symbolic link.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = root
        self.durable = durable
        # As text: taking paths apart is several times slower than the system calls.
        self._root = os.fspath(root)

    def read(self, path: Path) -> bytes | None:
        """Return a file's content; ``None`` without one."""
        self._refuse_links(path.parent)
        return content_of(str(path))

    def read_from(self, folder: str, *names: str) -> tuple[bytes | None, ...]:
        """Return the contents of several files of one folder; ``None`` for a missing one."""
        self._refuse_links(folder)
        return tuple(content_of(f"{folder}/{name}") for name in names)

    def write(
        self,
        path: Path,
        data: bytes | Iterable[bytes],
        *,
        alone: bool = True,
        folders: int = 0,
    ) -> None:
        """Write a file atomically: a reader finds the old content or the new one.

        Args:
            path: The file.
            data: All of its content, or pieces of it, which are never in memory together.
            alone: Whether the file has one writer at a time. Then the temporary file beside it
                has a fixed name, and the next write replaces one that a kill has left.
            folders: Number of folders whose names are flushed, too: its own, those above it.
        """
        with write_errors(path):
            folder = _above(os.fspath(path))
            self.make_folder(folder)
            of_process = "" if alone else f".{os.getpid()}"
            temporary = f"{folder}/.{path.name}{of_process}.tmp"
            try:
                write_new(temporary, data, durable=self.durable)
                os.replace(temporary, path)  # noqa: PTH105 (the system call that is meant)
            except BaseException:  # also of what makes the pieces
                with suppress(OSError):
                    os.unlink(temporary)  # noqa: PTH108 (likewise)
                raise
            self._flush_folder(folder)
            for _ in range(folders):
                folder = _above(folder)
                self._flush_folder(folder)

    @contextmanager
    def opened(self, path: Path) -> Generator[int]:
        """Open a file to read it.

        Raises:
            FileNotFoundError: there is none.
        """
        self._refuse_links(path.parent)
        with opened_to_read(str(path)) as descriptor:
            yield descriptor

    def append_to(self, path: Path, lines: bytes) -> None:
        """Append whole lines to a file, in one piece if possible, without flushing them.

        An incomplete last line is ended first.

        Raises:
            ArtifactError: the disk refuses, or it is a symbolic link or not a regular file.
        """
        with write_errors(path):
            self._refuse_links(path.parent)
            try:
                # Opened each time: on a network file system others see it when it is closed.
                descriptor = os.open(path, _GROWING_FILE, 0o666)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise link_error(os.fspath(path)) from None
                raise
            try:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode):
                    raise OSError(errno.EINVAL, "not a regular file")
                if found.st_size and os.pread(descriptor, 1, found.st_size - 1) != b"\n":
                    lines = b"\n" + lines
                rest = memoryview(lines)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            finally:
                os.close(descriptor)

    def make_folder(self, path: Path | str, *, flush: bool = True) -> None:
        """Create a folder and its missing parents, to survive a power cut with ``flush``."""
        with write_errors(path):
            missing = self._missing(os.fspath(path))
            if missing and (above := _above(missing[-1])) == self._root:
                while not os.path.isdir(above):  # noqa: PTH112 (of text)
                    missing.append(above)
                    above = _above(above)
            for folder in reversed(missing):
                with suppress(FileExistsError):  # another process may have just created it
                    os.mkdir(folder)  # noqa: PTH102 (the system call that is meant)
                if flush:
                    self._flush_folder(_above(folder))

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder; none if it is missing."""
        try:
            return os.listdir(folder)  # noqa: PTH208 (only names are needed)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ArtifactError(f"{folder}: can't be read: {error.strerror or error}") from error

    def move(self, source: Path, target: Path) -> bool:
        """Rename a file or folder; return False if it does not exist."""
        with write_errors(source):
            self._refuse_links(target.parent)
            try:
                os.rename(source, target)  # noqa: PTH104 (the system call that is meant)
            except FileNotFoundError:
                if os.path.lexists(source):  # the target's folder is missing
                    raise
                return False
            self._flush_folder(target.parent)
            if source.parent != target.parent:
                self._flush_folder(source.parent)
            return True

    def put_aside(self, path: Path) -> Path:
        """Rename what can't be used to ``<name>.corrupt-N``, and return its new path."""
        number = 1
        while os.path.lexists(target := path.with_name(f"{path.name}.corrupt-{number}")):
            number += 1
        self.move(path, target)
        return target

    def make_usable(self, path: Path, *, folder: bool) -> Path | None:
        """Make room for a file or a folder of ours that somebody has replaced or locked.

        Returns:
            The new path of what stood in its place, if that was put aside.
        """
        with write_errors(path):
            try:
                found = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
            fits = stat.S_ISDIR(found.st_mode) if folder else is_ours(found)
            if not fits:
                return self.put_aside(path)
            wanted = stat.S_IRWXU if folder else stat.S_IRUSR | stat.S_IWUSR
            if found.st_mode & wanted != wanted:
                os.chmod(path, stat.S_IMODE(found.st_mode) | wanted)  # noqa: PTH101 (likewise)
            return None

    def remove(self, path: Path) -> None:
        """Remove a file, if it exists."""
        with write_errors(path):
            self._refuse_links(path.parent)
            try:
                os.unlink(path)  # noqa: PTH108 (the system call that is meant)
            except FileNotFoundError:
                return
            self._flush_folder(path.parent)

    def remove_empty_folder(self, path: Path) -> None:
        """Remove a folder, if it exists and holds nothing."""
        self._refuse_links(path)
        with suppress(OSError):
            os.rmdir(path)  # noqa: PTH106 (the system call that is meant)

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
        """Return those of ``folder`` and its parents below the root that are not folders.

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
                raise link_error(folder)
            if not stat.S_ISDIR(mode):
                missing.append(folder)
            folder = above
        return missing


def _above(path: str) -> str:
    return os.path.dirname(path) or os.curdir  # noqa: PTH120 (of text)
