"""The frames of other threads, whatever is collected meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading

from benchmark_runner._concurrency.thread_frames import frame_of

#: Garbage with thread-local data, which is collected once the call has made 20 of 50 frames.
WITH_GARBAGE = """
import gc
import threading

from benchmark_runner._concurrency.thread_frames import frame_of


class Node:
    def __init__(self):
        self.itself, self.local = self, threading.local()
        self.local.value = 1


release, waiting = threading.Event(), threading.Barrier(51)


def wait():
    waiting.wait()
    release.wait()


gc.disable()
threads = [threading.Thread(target=wait) for _ in range(50)]
for thread in threads:
    thread.start()
waiting.wait()
for _ in range(20):
    Node()
gc.set_threshold(gc.get_count()[0] + 20)
gc.enable()
frame = frame_of(threads[0].ident)
release.set()
print(frame is not None and gc.isenabled())
"""


def test_collected_garbage_does_not_hang_it() -> None:
    """Garbage that is collected just then does not hang the process."""
    ended = subprocess.run(
        [sys.executable, "-c", WITH_GARBAGE], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "True\n"


def test_ended_thread_has_no_frame() -> None:
    """A thread that has ended, or was never started, has no frame."""
    thread = threading.Thread(target=lambda: None)
    assert frame_of(thread.ident) is None
    thread.start()
    thread.join()
    assert frame_of(thread.ident) is None
