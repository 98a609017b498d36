"""The logs of what a program prints."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._redaction import Redactor
from benchmark_runner.command_agent.answer import AnswerError, last_line
from benchmark_runner.command_agent.output_log import OutputLog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KEY = "sk-0123456789abcdefghij"
LIMIT = 1000


def log_of(folder: Path, pieces: Iterable[bytes], limit: int = LIMIT) -> OutputLog:
    log = OutputLog(folder, "stdout.log", limit, Redactor([KEY]))
    for piece in pieces:
        log.write(piece)
    log.finish()
    return log


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_a_key_is_masked_in_any_pieces(tmp_path: Path, size: int) -> None:
    """A key is masked, however the output comes in pieces."""
    text = f"one {KEY}\n{KEY}{KEY} two\n".encode() * 3
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    log = log_of(tmp_path, pieces, limit=10_000)
    assert log.path.read_bytes() == b"one ***\n****** two\n" * 3


@pytest.mark.parametrize("offset", range(0, 60, 5))
def test_no_part_of_a_key_is_left_at_the_cut(tmp_path: Path, offset: int) -> None:
    """No part of a key is left where the middle of a flood is left out."""
    begin = b"x" * (LIMIT // 2 - offset) + KEY.encode()
    end = b"y" * 40 + KEY.encode() + b"\n" + b"z" * (LIMIT // 2 - 10 - offset)
    log = log_of(tmp_path, [begin, b"-" * 9000, end])
    text = log.path.read_bytes()
    assert b"sk-0" not in text
    assert b"ghij" not in text
    assert b"bytes left out" in text


@pytest.mark.parametrize("left_out", range(9000, 9024, 4))
def test_no_end_of_a_key_without_lines(tmp_path: Path, left_out: int) -> None:
    """Nor is one left where the end has no lines."""
    rest = LIMIT // 2 - len(KEY)
    log = log_of(tmp_path, [b"-" * left_out, KEY.encode(), b"z" * rest, b"y" * 7])
    assert b"ghij" not in log.path.read_bytes()


def test_a_closed_log_writes_into_no_other_file(tmp_path: Path) -> None:
    """Output that comes after the end is in no file that was opened since, and an error."""
    log = log_of(tmp_path, [b"42\n"])
    log.close()
    with (tmp_path / "other").open("wb") as other:
        log.write(b"late" * 100)
        assert other.tell() == 0
    assert (tmp_path / "other").read_bytes() == b""
    assert log.error is not None


def test_the_size_is_bounded(tmp_path: Path) -> None:
    """Of a flood, beginning and end are kept, and the number of bytes left out is told."""
    log = log_of(tmp_path, [b"begin\n", *[b"middle\n" * 50] * 50, b"the end\n"])
    text = log.path.read_bytes()
    assert text.startswith(b"begin\n")
    assert text.endswith(b"\nthe end\n")
    assert len(text) < LIMIT + 100
    assert log.left_out + len(text) > 6 + 17_500 + 8


def test_a_line_without_its_beginning_is_no_answer(tmp_path: Path) -> None:
    """A last line of which only the end was kept is no answer."""
    with pytest.raises(AnswerError, match="than the log"):
        last_line(log_of(tmp_path, [b"x" * 300] * 90), 10_000)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is full")  # noqa: PTH110
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """An error of the disk is kept, and the rest of the output is taken all the same."""
    log = OutputLog(tmp_path, "stdout.log", LIMIT, Redactor())
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._descriptor)
    os.close(full)
    log.write(b"a")
    log.write(b"b")
    log.close()
    assert log.error is not None
    assert log.error.errno == errno.ENOSPC


def test_what_stands_under_the_name_is_not_read(tmp_path: Path) -> None:
    """An agent that replaces its log by a link changes nothing."""
    (tmp_path / "secret").write_text("secret\n")
    log = log_of(tmp_path, [b"42\n"])
    log.path.unlink()
    log.path.symlink_to(tmp_path / "secret")
    assert last_line(log, LIMIT) == "42"
