"""A terminal of 80 columns, and runs on it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

COLUMNS = 80
CONTROL = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


class Screen:
    """As much of a terminal as a progress display uses."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = self.column = 0

    def feed(self, text: str) -> None:
        position = 0
        while position < len(text):
            control = CONTROL.match(text, position)
            if control:
                self._control(control[1], control[2])
                position = control.end()
                continue
            character = text[position]
            position += 1
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self._move(self.row + 1)
            else:
                self._put(character)

    def _put(self, character: str) -> None:
        if self.column == COLUMNS:
            self._move(self.row + 1)
            self.column = 0
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
        self.column += 1

    def _control(self, argument: str, letter: str) -> None:
        if letter == "A":
            self._move(self.row - int(argument or 1))
        elif letter == "K" and argument in {"2", ""}:
            kept = 0 if argument == "2" else self.column
            self.lines[self.row] = self.lines[self.row][:kept]
        else:  # colours, and showing or hiding the cursor
            assert letter in "mhl", f"\\x1b[{argument}{letter}"

    def _move(self, row: int) -> None:
        self.row = row
        while len(self.lines) <= row:
            self.lines.append("")


def start(
    project: RunnerProject, *args: str, ready: int | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a run on a terminal; what comes is read from the descriptor that is returned."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    attributes = termios.tcgetattr(slave)
    attributes[3] |= termios.NOFLSH  # a typed Ctrl-C discards nothing that is still to be read
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    environment = {"TERM": "xterm"} if ready is None else {"TERM": "xterm", "READY_FD": str(ready)}
    process = subprocess.Popen(
        [sys.executable, str(project.script), *args],
        cwd=project.root,
        env=project.environment(**environment),
        pass_fds=() if ready is None else (ready,),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    return process, master


def read_until(master: int, what: str) -> str:
    """Read until that has come."""
    decoder = getincrementaldecoder("utf-8")()  # a part may end within a character
    text = ""
    while what not in text or decoder.getstate()[0]:
        text += decoder.decode(os.read(master, 65536))
    return text


def read(master: int) -> str:
    """Read all that comes, until the other side is closed."""
    received = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # what Linux says when it is
            chunk = b""
        if not chunk:
            break
        received += chunk
    os.close(master)
    return received.decode()


def watch(project: RunnerProject, *args: str) -> tuple[int, str, list[str]]:
    """Run on a terminal and return the exit code, what came, and the final screen."""
    process, master = start(project, *args)
    text = read(master)
    screen = Screen()
    screen.feed(text)
    return process.wait(30), text, [line.rstrip() for line in screen.lines]
