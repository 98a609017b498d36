"""The output of processes that an author's code forks, where somebody reads that of the command.

A reader of a pipe waits until nobody has it open. A process that is left behind must not keep it:
what it prints goes into a log of its task.
"""

import os
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress

from benchmark_runner._concurrency.author_scope import current_call

#: In a task's log folder.
_LOG = "forked.log"
_OPEN_LOG = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW

_pipes: set[tuple[int, int]] = set()


@contextmanager
def pipes_left_by_children(descriptors: Iterable[int]) -> Generator[None]:
    """Close pipes and sockets in processes that are forked in the block, wherever they are open."""
    for descriptor in descriptors:
        if (pipe := _pipe_of(descriptor)) is not None:
            _pipes.add(pipe)
    try:
        yield
    finally:
        _pipes.clear()


def _pipe_of(descriptor: int) -> tuple[int, int] | None:
    with suppress(OSError):
        found = os.fstat(descriptor)
        if stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode):
            return found.st_dev, found.st_ino
    return None


def _leave_pipes() -> None:
    if not _pipes:
        return
    log = _open_log()
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 (a path costs more)
        descriptor = int(name)
        if _pipe_of(descriptor) in _pipes:
            os.dup2(log, descriptor, os.get_inheritable(descriptor))
    os.close(log)


def _open_log() -> int:
    author = current_call()
    if author is not None and author.log_dir is not None:
        with suppress(OSError):
            return os.open(author.log_dir() / _LOG, _OPEN_LOG, 0o666)
    return os.open(os.devnull, os.O_WRONLY)


os.register_at_fork(after_in_child=_leave_pipes)
