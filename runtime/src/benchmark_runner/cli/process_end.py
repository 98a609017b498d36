"""The end of the process, which nothing that an author's code left behind may hold up."""

from __future__ import annotations

import _thread
import atexit
import os
import sys
import threading
import time
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, NoReturn

from benchmark_runner._concurrency.process_group import kill_groups
from benchmark_runner._concurrency.run_loop import unfinished_tasks
from benchmark_runner._start_state import errors, flush

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds that threads and pools get to end with Python, once there is nothing else to do.
_END_WITHIN = 3.0
#: Seconds for a thread to begin, which it does at once unless the system has no memory for it.
_BEGIN_WITHIN = 1.0
#: Seconds for flushing the output: a pipe that nobody reads blocks for ever.
_FLUSH_WITHIN = 0.3
_SHOW_CURSOR = b"\x1b[?25h"


def leave_now(code: int) -> None:
    """End the process without waiting for anything; what is on disk is whole."""
    kill_groups()
    call_within(_FLUSH_WITHIN, _flush)
    os._exit(code)


def leave_in_time(code: int) -> None:
    """See that the process ends soon after Python begins to exit, with ``code``.

    Python waits for threads, pools and ``multiprocessing`` children, whatever they do. What an
    author's code does at the exit changes no code, and its errors, which may tell keys, are not
    shown: there is no log to write them to.
    """
    _keep_code(code)
    threading.excepthook = sys.unraisablehook = lambda _: None
    if unfinished_tasks():  # closed while Python ends, one may go on for ever
        atexit.register(leave_now, code)
    if not _is_something_left():
        return
    watching, ending = threading.Event(), threading.Event()

    def watch() -> None:
        watching.set()
        ending.wait()
        time.sleep(_END_WITHIN)  # nothing tells of the end: it just ends this thread, too
        leave_now(code)

    # Called first of all when Python exits; there is no public function for it.
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        with suppress(RuntimeError):  # the system has no more threads
            # Thread.start() would wait for ever for a thread that has no memory to begin.
            _thread.start_new_thread(watch, ())
            # One that begins while Python ends would crash it.
            watching.wait(_BEGIN_WITHIN)
        register(ending.set)


def _keep_code(code: int) -> None:
    """End this process with ``code``, whatever ``os._exit()`` is given from now on."""
    end, pid = os._exit, os.getpid()

    def stand_in(status: int) -> NoReturn:
        end(code if os.getpid() == pid else status)

    os._exit = stand_in


def call_within(seconds: float, function: Callable[[], None]) -> None:
    """Call ``function``, and wait no longer."""
    thread = Thread(target=function, daemon=True)
    with suppress(RuntimeError):  # the system has no more threads
        thread.start()
        thread.join(seconds)


def _is_something_left() -> bool:
    main = threading.main_thread()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not main):
        return True
    processes = sys.modules.get("multiprocessing")
    return processes is not None and bool(processes.active_children())


def _flush() -> None:
    flush()
    with suppress(OSError, ValueError):
        if (stream := errors()).isatty():
            os.write(stream.fileno(), _SHOW_CURSOR)  # a live display hides it
