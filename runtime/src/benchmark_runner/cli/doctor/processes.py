"""Other programs, run with a time limit and without questions to a person."""

import asyncio
import os
import re
import signal
from collections.abc import Container, Mapping
from contextlib import suppress
from pathlib import Path

from benchmark_runner._redaction import without_user_info_in
from benchmark_runner._versions import git_environment

__all__ = ["ProgramError", "call"]

#: Seconds for what needs no network.
_LOCAL_TIME = 30.0
_NO_QUESTIONS = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS_REQUIRE": "never",
    "LANGUAGE": "C",  # the messages are searched for words
}
_FATAL = re.compile(r"(?<=fatal: ).+")


class ProgramError(Exception):
    """A program is missing, took too long or failed; the message says which."""


async def call(
    *command: str | Path,
    cwd: Path,
    seconds: float = _LOCAL_TIME,
    environment: Mapping[str, str] | None = None,
    accepted: Container[int | None] = (0,),
) -> str:
    """Run a program and return what it printed.

    Its child processes end with it, also at a time-out or a cancellation.

    Raises:
        ProgramError: it can't be started, took too long, or its exit code is not accepted.
    """
    name = str(command[0])
    # A start that is cancelled halfway would leave the child processes running.
    start = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=git_environment() | _NO_QUESTIONS | dict(environment or {}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # without a terminal to ask at
        )
    )
    try:
        async with asyncio.timeout(seconds):
            process = await asyncio.shield(start)
            printed, complaints = await process.communicate()
    except TimeoutError:
        await _kill(start)
        raise ProgramError(f"{name} was not done after {seconds:g} seconds") from None
    except asyncio.CancelledError:
        await _kill(start)
        raise
    except OSError as error:
        raise ProgramError(f"{name} can't be started: {error.strerror}") from None
    if process.returncode not in accepted:
        raise ProgramError(_reason(complaints) or f"{name} ended with {process.returncode}")
    return printed.decode("utf-8", "surrogateescape")


async def _kill(start: asyncio.Task[asyncio.subprocess.Process]) -> None:
    with suppress(OSError):  # it could not be started
        process = await start
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _reason(complaints: bytes) -> str:
    """Return git's fatal error, else the last line, which is a traceback's reason."""
    text = complaints.decode("utf-8", "replace").strip()
    fatal = _FATAL.search(text)
    return without_user_info_in(fatal[0] if fatal else text.rpartition("\n")[2].strip())
