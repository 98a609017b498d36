"""Descriptors and limits that are kept for writing results, whatever agents leave of them."""

import errno
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Self, TypeVar

from benchmark_runner.errors import ArtifactError

T = TypeVar("T")

#: Descriptors that are held: for a file and its folder, with some to spare.
_HELD = 4
#: Limits of a process, by the error of a write that they stop.
_LIMITS = {errno.EMFILE: resource.RLIMIT_NOFILE, errno.EFBIG: resource.RLIMIT_FSIZE}


class WriteReserve:
    """In its context, gives a write that fails for lack of them descriptors and limits back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_open = False
        self._held: list[int] = []
        self._limits = {limit: resource.getrlimit(limit) for limit in _LIMITS.values()}

    def __enter__(self) -> Self:
        self._is_open = True
        self._hold()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        self._release()

    def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Return ``function(*arguments)``, with what is held if it fails without; in any thread.

        Raises:
            ArtifactError: it fails all the same, or for another reason.
        """
        try:
            return function(*arguments)
        except ArtifactError as error:
            cause = error.__cause__
            limit = _LIMITS.get(cause.errno or 0) if isinstance(cause, OSError) else None
            if limit is None or not self._is_open:
                raise
        with self._lock:
            with suppress(OSError, ValueError):  # an agent has lowered the hard limit, too
                resource.setrlimit(limit, self._limits[limit])
            self._release()
            try:
                return function(*arguments)
            finally:
                self._hold()

    def _hold(self) -> None:
        with suppress(OSError):
            while len(self._held) < _HELD:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def _release(self) -> None:
        while self._held:
            with suppress(OSError):  # an author's code has closed it
                os.close(self._held.pop())
