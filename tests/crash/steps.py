"""Name every step that a run takes towards the disk or the service, and break one of them.

This runs inside the process that is tested. A step is a call that changes something below the
results folder, or that sends something to the service. It is known by a name such as
``replace r1/t2/generation.json``, with ``#2`` for the second of its name, and not by a count:
threads take steps in an order that differs from run to run, the names do not.
"""

from __future__ import annotations

import builtins
import fcntl
import functools
import io
import os
import re
import signal
import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from errno import EIO, ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

How = Literal["kill before", "kill halfway", "kill after", "fail once", "fail from then on"]

_TAKES_SPACE = frozenset({"open", "write", "pwrite", "fsync", "rename", "replace", "mkdir"})
#: The kinds of steps that a disk with this error refuses.
REFUSED_BY_DISK = {
    ENOSPC: _TAKES_SPACE,
    EIO: _TAKES_SPACE | {"ftruncate", "unlink", "rmdir"},
}

#: How macOS is told to flush a file to the disk itself.
_FULL_FLUSH: int | None = getattr(fcntl, "F_FULLFSYNC", None)
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
#: What an implementation may put into a temporary name so that no two are the same.
_RANDOM = re.compile(r"[0-9a-f]{32}")

# The calls as they are, before they are replaced.
_open_file = io.open
_open, _close, _kill = os.open, os.close, os.kill
_write, _pwrite = os.write, os.pwrite


@dataclass(frozen=True)
class Orders:
    """Which steps to name, and which one to break.

    Attributes:
        results: The folder that is watched.
        port: The port of the service.
        log: The names of the steps are appended to this file as they are taken.
        at: The step to break; ``None`` breaks none.
        how: The way to break it.
        error: The error number of a step that fails.
    """

    results: str
    port: int
    log: str
    at: str | None = None
    how: How = "kill before"
    error: int = 0


class Steps:
    """Stands between the process and its operating system; does nothing without orders."""

    def __init__(self) -> None:
        self.orders: Orders | None = None
        self._taken: Counter[str] = Counter()
        self._failing = False
        # Held while a step is carried out, so that a kill finds every other thread between two.
        self._lock = threading.Lock()
        self._files: dict[int, str] = {}
        self._connections: WeakSet[socket.socket] = WeakSet()

    def install(self) -> None:
        """Replace the calls of this process; libraries that are imported later see no others."""
        os.open, os.close = self._os_open, self._os_close
        for name in ("write", "pwrite"):
            setattr(os, name, self._writing(name, getattr(os, name)))
        for name in ("fsync", "fdatasync", "ftruncate"):
            if hasattr(os, name):
                setattr(os, name, self._on_file(name, getattr(os, name)))
        if _FULL_FLUSH is not None:
            fcntl.fcntl = self._flushing(fcntl.fcntl)
        for name in ("rename", "replace", "link"):
            setattr(os, name, self._moving(name, getattr(os, name)))
        os.mkdir = self._on_path("mkdir", os.mkdir, when_there=False)
        os.rmdir = self._on_path("rmdir", os.rmdir, when_there=True)
        os.unlink = os.remove = self._on_path("unlink", os.unlink, when_there=True)
        io.open = builtins.open = self._io_open
        for name in ("send", "sendall", "sendmsg"):
            setattr(socket.socket, name, self._sending(getattr(socket.socket, name)))
        socket.socket.connect = self._connecting(socket.socket.connect)

    def _take(
        self,
        kind: str,
        target: str,
        act: Callable[[], Any],
        half: Callable[[], object] | None = None,
    ) -> Any:
        """Carry out one step, or break it as ordered; a write can be broken after its half."""
        orders = self.orders
        assert orders is not None
        with self._lock:
            name = self._name(kind, target)
            self._note(orders, name)
            due = name == orders.at or (self._failing and kind in REFUSED_BY_DISK[orders.error])
            match orders.how:
                case "kill before" if due:
                    _die()
                case "kill halfway" if due and half is not None:
                    half()
                    _die()
                case "kill after" if due:
                    with suppress(OSError):
                        act()
                    _die()
                case "fail once" | "fail from then on" if due:
                    self._failing = orders.how == "fail from then on"
                    if half is not None:
                        half()  # a disk takes what still fits
                    raise OSError(orders.error, os.strerror(orders.error), target)
            return act()

    def _name(self, kind: str, target: str) -> str:
        name = f"{kind} {_RANDOM.sub('*', target)}"
        self._taken[name] += 1
        return name if self._taken[name] == 1 else f"{name} #{self._taken[name]}"

    @staticmethod
    def _note(orders: Orders, name: str) -> None:
        log = _open(orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        _write(log, f"{name}\n".encode())
        _close(log)

    def _below_results(self, path: Any, folder: int | None = None) -> str | None:
        """The path as seen from the results folder; ``None`` if it is elsewhere."""
        if self.orders is None:
            return None
        if isinstance(path, int):
            return self._files.get(path)
        text = os.fsdecode(path)
        if folder is not None:
            parent = self._files.get(folder)
            return None if parent is None else os.path.normpath(f"{parent}/{text}")
        relative = os.path.relpath(text, self.orders.results)
        return None if relative.startswith(os.pardir) else relative

    def _os_open(self, path: Any, flags: int, *args: Any, dir_fd: int | None = None) -> int:
        act = functools.partial(_open, path, flags, *args, dir_fd=dir_fd)
        target = self._below_results(path, dir_fd)
        if target is None:
            return act()
        descriptor: int = self._take("open", target, act) if flags & _CHANGING else act()
        self._files[descriptor] = target
        return descriptor

    def _os_close(self, descriptor: int) -> None:
        self._forget(descriptor)
        _close(descriptor)

    def _forget(self, descriptor: int) -> None:
        """Before it is closed: the number may be another file's next."""
        self._files.pop(descriptor, None)

    def _io_open(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        """``open()``; what is open for writing below the results folder goes through ``os``."""
        if self._below_results(file) is None or not set(mode) & set("wax+"):
            return _open_file(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = _FileThroughOs(file, mode, closefd, self._forget)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    def _writing(self, kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(descriptor: int, data: Any, *args: Any) -> Any:
            act = functools.partial(real, descriptor, data, *args)
            target = self._below_results(descriptor)
            if target is None:
                return act()
            part = memoryview(data)[: len(data) // 2]
            return self._take(kind, target, act, lambda: real(descriptor, part, *args))

        return call

    def _on_file(self, kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(descriptor: Any, *args: Any) -> Any:
            number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
            act = functools.partial(real, descriptor, *args)
            target = self._below_results(number)
            return act() if target is None else self._take(kind, target, act)

        return call

    def _flushing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(descriptor: Any, command: int, *args: Any) -> Any:
            act = functools.partial(real, descriptor, command, *args)
            target = self._below_results(descriptor) if command == _FULL_FLUSH else None
            return act() if target is None else self._take("fsync", target, act)

        return call

    def _moving(self, kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(source: Any, target: Any, **folders: Any) -> Any:
            act = functools.partial(real, source, target, **folders)
            place = self._below_results(target, folders.get("dst_dir_fd"))
            return act() if place is None else self._take(kind, place, act)

        return call

    def _on_path(
        self, kind: str, real: Callable[..., Any], *, when_there: bool
    ) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(path: Any, *args: Any, dir_fd: int | None = None) -> Any:
            act = functools.partial(real, path, *args, dir_fd=dir_fd)
            target = self._below_results(path, dir_fd)
            # What changes nothing is no step.
            possible = _is_there(path, dir_fd) is when_there
            if target is None or not possible or not _is_there(Path(path).parent, dir_fd):
                return act()
            return self._take(kind, target, act)

        return call

    def _connecting(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(connection: socket.socket, address: Any) -> Any:
            act = functools.partial(real, connection, address)
            if self.orders is None or address[1] != self.orders.port:
                return act()
            self._connections.add(connection)
            return self._take("connect", "to the service", act)

        return call

    def _sending(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(connection: socket.socket, data: Any, *args: Any) -> Any:
            act = functools.partial(real, connection, data, *args)
            if self.orders is None or connection not in self._connections:
                return act()
            return self._take("send", _request_line(data), act)

        return call


class _FileThroughOs(io.FileIO):
    """An unbuffered file that opens and writes by the calls of ``os``, as they are replaced."""

    def __init__(
        self, file: Any, mode: str, closefd: bool, before_close: Callable[[int], None]
    ) -> None:
        self._before_close = before_close
        opener = None if isinstance(file, int) else lambda path, flags: os.open(path, flags, 0o666)
        super().__init__(file, mode.replace("b", "").replace("t", ""), closefd, opener)

    def write(self, data: Any) -> int:
        return os.write(self.fileno(), data)

    def truncate(self, size: int | None = None) -> int:
        size = self.tell() if size is None else size
        os.ftruncate(self.fileno(), size)
        return size

    def close(self) -> None:
        if not self.closed:
            self._before_close(self.fileno())
        super().close()


def _is_there(path: Any, folder: int | None) -> bool:
    try:
        os.lstat(path, dir_fd=folder)
    except OSError:
        return False
    return True


def _request_line(data: Any) -> str:
    first = bytes(data if isinstance(data, (bytes, bytearray, memoryview)) else b"".join(data))
    words = first.split(b"\r\n", 1)[0].decode("ascii", "replace").split()
    return " ".join(words[:2]) if words[-1:] == ["HTTP/1.1"] else "the body"


def _die() -> NoReturn:
    _kill(os.getpid(), signal.SIGKILL)
    signal.pause()
    raise AssertionError
