"""The log of what a program prints: a file of a bounded size."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner._redaction import Redactor

__all__ = ["OutputLog", "new_file"]

#: The end of a flood is kept, too: the answer may stand there.
_END = 256 * 1024
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_FILES = 1000


class OutputLog:
    """The output of a program in a file, without its secrets and of at most ``limit`` bytes.

    Of a longer output, the file has the beginning, a line that says how much was left out, and
    the end.

    Attributes:
        path: The file.
        left_out: The number of bytes that were left out.
        cut_line_at: The place in the file of the end of a line without its beginning.
        error: The error of the disk, if there was one; nothing is written any more then.
    """

    def __init__(self, folder: Path, name: str, limit: int, redactor: Redactor) -> None:
        self._descriptor, self.path = new_file(folder, name)
        # A call that is cancelled closes it while the thread that writes may still be at work.
        self._lock = threading.Lock()
        self._redactor = redactor
        self._masking = redactor.masking()
        self._end_size = min(_END, limit // 2)
        self._room = limit - self._end_size
        self._end: bytearray | None = None
        self._size = 0
        self.left_out = 0
        self.cut_line_at: int | None = None
        self.error: OSError | None = None

    def write(self, data: bytes) -> None:
        """Write a piece of the output."""
        if self._end is None:
            begin = data[: self._room]
            self._room -= len(begin)
            self._put(self._redactor.clean(self._masking.add(begin)))
            if len(begin) == len(data):
                return
            self._end = bytearray(self._masking.end())
            data = data[len(begin) :]
        self._end += data
        if len(self._end) > 2 * self._end_size:
            self._cut(self._end, len(self._end) - self._end_size)

    def finish(self) -> None:
        """Write the end."""
        end = bytearray(self._masking.end()) if self._end is None else self._end
        if self._end is not None:
            self._cut(end, max(0, len(end) - self._end_size))
        if self.left_out:
            line_end = end.find(b"\n") + 1
            # Without a line end, it may begin in the middle of a secret.
            self._cut(end, line_end or min(len(end), self._masking.longest))
            self._put(f"\n[{self.left_out:,} bytes left out: the log is full]\n".encode())
            self.cut_line_at = None if line_end else self._size
        self._put(self._redactor.clean(bytes(end)))

    def open(self) -> BinaryIO:
        """Open what was written, whatever stands under its name now."""
        with self._lock:
            file = os.fdopen(os.dup(self._descriptor), "rb")
        file.seek(0)
        return file

    def close(self) -> None:
        """Close the file; what is written later is an error."""
        with self._lock:
            os.close(self._descriptor)
            self._descriptor = -1

    def _cut(self, end: bytearray, size: int) -> None:
        self.left_out += size
        del end[:size]

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest and self.error is None:
                with self._lock:
                    written = os.write(self._descriptor, rest)
                rest, self._size = rest[written:], self._size + written
        except OSError as error:
            self.error = error


def new_file(folder: Path, name: str) -> tuple[int, Path]:
    """Open a new file under ``name``, or a numbered one where that is taken, for writing."""
    stem, dot, ending = name.rpartition(".")
    for number in range(1, _MOST_FILES):
        path = folder / (name if number == 1 else f"{stem}-{number}{dot}{ending}")
        try:
            return os.open(path, _NEW_FILE, 0o666), path
        except FileExistsError:
            continue
    raise FileExistsError(f"{folder} has {_MOST_FILES} files {name} already")
