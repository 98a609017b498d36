"""The answer of an agent, in a file or in what it printed."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from benchmark_runner.artifacts.file_reader import READ_ONLY

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.command_agent.output_log import OutputLog

__all__ = ["AnswerError", "content_of", "last_line", "last_lines", "read_answer"]


class AnswerError(ValueError):
    """The answer of a command can't be used; the message says why."""


def read_answer(path: Path, folder: Path, most: int) -> str | None:
    """Return the text of a file in ``folder``; ``None`` if it is not there.

    Raises:
        AnswerError: it leads out of the folder by a link, is no regular file, or is larger than
            ``most`` bytes.
    """
    try:
        place = path.parent.resolve()
    except RuntimeError:  # before Python 3.13
        raise AnswerError(f"the answer {path.name!r} can't be read: a loop of links") from None
    if not place.is_relative_to(folder.resolve()):
        raise AnswerError(f"the answer {path.name!r} is not in the workspace, {folder}")
    try:
        data = content_of(place / path.name, most + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        what = "is a link" if path.is_symlink() else f"can't be read: {error.strerror}"
        raise AnswerError(f"the answer {path.name!r} {what}") from None
    if len(data) > most:
        raise AnswerError(f"the answer {path.name!r} is larger than {most:,} bytes")
    return data.decode(errors="replace").strip()


def content_of(path: Path, most: int) -> bytes:
    """Return at most ``most`` bytes of a regular file, not through a link.

    Raises:
        OSError: it is something else, or can't be read.
    """
    descriptor = os.open(path, READ_ONLY)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(descriptor)


def last_line(log: OutputLog, most: int) -> str:
    """Return the last line of a log that is not empty; an empty text without any.

    Raises:
        AnswerError: it is longer than ``most`` bytes, or than the log.
    """
    size = 0
    with log.open() as file:
        end = file.seek(0, os.SEEK_END)
        while True:
            size = min(end, size * 2 or 4096)
            file.seek(end - size)
            data = file.read(size).rstrip()
            begin = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
            if len(data) - begin > most or end - size + begin == log.cut_line_at:
                raise AnswerError(
                    f"the last line that was printed is longer than {most:,} bytes, or than the log"
                )
            if begin or size == end:
                return data[begin:].decode(errors="replace").strip()


def last_lines(log: OutputLog, lines: int, most: int) -> str:
    """Return the last lines of a log, and at most ``most`` bytes of them."""
    with log.open() as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - most))
        found = file.read().decode(errors="replace").splitlines()
    return "\n".join([line.rstrip() for line in found if line.strip()][-lines:])
