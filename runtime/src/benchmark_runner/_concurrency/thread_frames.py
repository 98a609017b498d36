"""The frames that other threads run."""

import gc
import sys
import threading
from types import FrameType

_lock = threading.Lock()


def frame_of(thread_id: int | None) -> FrameType | None:
    """Return the frame that a thread runs; ``None`` of one that has ended.

    No garbage is collected meanwhile. In older releases of Python 3.11, a collection that ends a
    ``threading.local`` there waits for ever for a lock that the call itself holds
    (python/cpython#106883).
    """
    with _lock:  # another thread must not find the collector off, and leave it so
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return sys._current_frames().get(thread_id or 0)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        finally:
            if was_enabled:
                gc.enable()
