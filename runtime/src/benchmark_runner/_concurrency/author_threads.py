"""Threads that an author's code starts: they belong to its call, and so do their errors."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from benchmark_runner._concurrency.author_scope import AuthorCall, current_call
from benchmark_runner._concurrency.forked_child import ending_in_children
from benchmark_runner._concurrency.run_loop import OnStray
from benchmark_runner.errors import traceback_of

T = TypeVar("T")

_start = threading.Thread.start
_authors: WeakKeyDictionary[threading.Thread, AuthorCall] = WeakKeyDictionary()


class AuthorPool(ThreadPoolExecutor):
    """The threads of an author's ``asyncio.to_thread()``."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call a function in a thread; a process that is forked in it ends with the call."""
        return super().submit(ending_in_children, partial(fn, *args, **kwargs))


@contextmanager
def watched_threads(on_stray: OnStray) -> Generator[None]:
    """Start threads in the scope of the code that starts them, and pass on their errors."""

    def thread_failed(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
            author = None if failed.thread is None else _authors.get(failed.thread)
            on_stray(author, traceback_of(failed.exc_value))

    def ignored(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_value is not None:
            what = unraisable.err_msg or "Exception ignored in"
            where = getattr(unraisable.object, "__qualname__", type(unraisable.object).__name__)
            text = f"{what} {where}\n{traceback_of(unraisable.exc_value)}"
            on_stray(current_call(), text)

    hooks_before = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = thread_failed, ignored
    setattr(threading.Thread, "start", _start_in_scope)  # noqa: B010 (another name of self)
    try:
        yield
    finally:
        threading.Thread.start = _start
        threading.excepthook, sys.unraisablehook = hooks_before


def is_of_an_author() -> bool:
    """Return True in an author's code, also in a hook that one of its threads calls."""
    return current_call() is not None or threading.current_thread() in _authors


def _start_in_scope(thread: threading.Thread) -> None:
    """Do as ``Thread.start()``, in the context of the author's call that starts the thread."""
    if (author := current_call()) is not None:
        _authors[thread] = author
        thread.run = partial(copy_context().run, thread.run)
    _start(thread)
