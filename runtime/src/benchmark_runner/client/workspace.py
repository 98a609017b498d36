"""The folder that files from the service are put into, and nothing outside it.

A name from the service may point anywhere, and an agent that works in the folder may put a link in
the way. So every part of a path is opened from the one above it, and no link is followed.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from benchmark_runner.errors import InputError

__all__ = ["Workspace", "parts_of"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: A file, and a link, where a folder is to be opened.
_NO_FOLDER = (errno.ENOTDIR, errno.ELOOP)
#: Characters of the place of a file: what has longer paths can't be read by every program.
_LONGEST = 1000
#: Characters of it in a message.
_SHOWN = 200
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def parts_of(dest: str) -> tuple[str, ...]:
    """Return the parts of a path below a folder.

    Raises:
        InputError: the path leads elsewhere, or names no file.
    """
    if (problem := _problem_of(dest)) is not None:
        raise InputError(
            f"the service names {dest[:_SHOWN]!r} as the place of an input, which {problem}",
            hint="Correct the inputs of the task at the service.",
        )
    return PurePosixPath(dest).parts


class Workspace:
    """A folder, which is made if it is missing; close it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._error(folder, error) from error

    def close(self) -> None:
        """Close the folder."""
        os.close(self._root)

    def new_file(self, parts: tuple[str, ...]) -> NewFile:
        """Begin a file, in place of one that may be there; the folders above it are made.

        Raises:
            InputError: a link, a file or a folder is in the way, or the disk refuses.
        """
        parent = os.dup(self._root)
        try:
            for depth, name in enumerate(parts[:-1], 1):
                above, parent = parent, self._folder_in(parent, parts[:depth], name)
                os.close(above)
            return NewFile(self, parent, parts)
        except BaseException:
            os.close(parent)
            raise

    def error_at(self, parts: tuple[str, ...], error: OSError) -> InputError:
        """Return the error of a path below the folder."""
        return self._error(self._folder.joinpath(*parts), error)

    def _folder_in(self, above: int, parts: tuple[str, ...], name: str) -> int:
        try:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=above)
            return os.open(name, _FOLDER, dir_fd=above)
        except OSError as error:
            raise self.error_at(parts, error) from error

    def _error(self, path: Path, error: OSError) -> InputError:
        reason = error.strerror or str(error)
        if isinstance(error, IsADirectoryError):
            reason = "a folder is in its place"
        elif error.errno in _NO_FOLDER:
            reason = "a file or a link is in its place"
        return InputError(
            f"{path}: an input can't be put there: {reason}",
            hint="Give fetch_inputs() a folder that is empty or was filled by it.",
        )


class NewFile:
    """A file that stands in its place once it is whole."""

    def __init__(self, workspace: Workspace, parent: int, parts: tuple[str, ...]) -> None:
        self._workspace = workspace
        self._parent = parent
        self._parts = parts
        self._name = f".{secrets.token_hex(8)}.part"
        try:
            self._file = os.fdopen(os.open(self._name, _NEW_FILE, 0o666, dir_fd=parent), "wb")
        except OSError as error:
            raise workspace.error_at(parts, error) from error

    def write(self, piece: bytes) -> None:
        """Append a piece."""
        try:
            self._file.write(piece)
        except OSError as error:
            raise self._workspace.error_at(self._parts, error) from error

    def keep(self) -> None:
        """Put the file into its place."""
        try:
            self._file.close()
            place = self._parts[-1]
            os.rename(self._name, place, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        except OSError as error:
            raise self._workspace.error_at(self._parts, error) from error

    def close(self) -> None:
        """Remove what was not kept."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._name, dir_fd=self._parent)
        os.close(self._parent)


def _problem_of(dest: str) -> str | None:
    if len(dest) > _LONGEST:
        return f"is longer than {_LONGEST:,} characters"
    windows, parts = PureWindowsPath(dest), dest.split("/")
    if windows.drive or windows.root:
        return "is not relative"
    if ".." in (*parts, *windows.parts):
        return "leads out of the folder"
    if parts[-1] in ("", "."):
        return "names no file"
    if "\\" in dest or not dest.isprintable():
        return "holds a character that does not belong in the name of a file"
    return None
