"""A file that ends as it should after each piece that is added to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import RLock

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner.artifacts.atomic_file import flush
from benchmark_runner.trajectory.files import TRAJECTORY_FILE

__all__ = ["GrowingFile", "new_trajectory_file"]

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class GrowingFile:
    """A file whose tail is replaced with each piece that is added before it."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        self._descriptor = os.open(path, _NEW_FILE, 0o666)
        self._durable = durable
        self._end = 0
        self._tail = b""
        self._is_flush_owed = False
        self._flushing = RLock()

    def append(self, data: bytes, tail: bytes) -> None:
        """Add ``data`` at the end, before a new tail."""
        try:
            self._write(data + tail)
        except OSError:
            with suppress(OSError):
                self._write(self._tail)
            raise
        self._end, self._tail = self._end + len(data), tail
        self._flush_soon()

    def _write(self, data: bytes) -> None:
        rest, place = memoryview(data), self._end
        while rest:
            written = os.pwrite(self._descriptor, rest, place)
            rest, place = rest[written:], place + written
        os.ftruncate(self._descriptor, place)

    def close(self) -> None:
        """Flush and close the file, in a thread where there is an event loop."""
        _off_the_loop(self._close)

    def _flush_soon(self) -> None:
        if self._durable and not self._is_flush_owed:
            self._is_flush_owed = True
            _off_the_loop(self._flush)

    def _flush(self) -> None:
        with self._flushing:
            self._is_flush_owed = False
            if self._descriptor >= 0:
                with suppress(OSError):  # no result depends on it
                    flush(self._descriptor)

    def _close(self) -> None:
        with self._flushing:
            if self._is_flush_owed:
                self._flush()
            os.close(self._descriptor)
            self._descriptor = -1


def new_trajectory_file(folder: Path, *, durable: bool) -> GrowingFile:
    """Open the file of a trajectory, in ``folder`` or else in the first of 2, 3, … that has none.

    Raises:
        OSError: the disk refuses.
    """
    for number in count(1):
        below = folder if number == 1 else folder / str(number)
        if number > 1 and below.is_symlink():  # an agent's, which may lead anywhere
            continue
        with suppress(FileExistsError):  # also that of a recorder in another thread
            below.mkdir(parents=True, exist_ok=True)
            return GrowingFile(below / TRAJECTORY_FILE, durable=durable)
    raise AssertionError  # numbers don't end


def _off_the_loop(function: Callable[[], None]) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        function()
    else:
        run_in_thread(function)
