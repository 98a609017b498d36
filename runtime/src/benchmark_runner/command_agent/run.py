"""The run of an outside agent for one task."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, get_args

from benchmark_runner._redaction import Redactor
from benchmark_runner.base.current_generation import current_generation
from benchmark_runner.command_agent.agent_process import AgentProcess
from benchmark_runner.command_agent.answer import content_of
from benchmark_runner.command_agent.arguments import Argument, fill, find_program
from benchmark_runner.command_agent.earlier_files import EarlierFiles
from benchmark_runner.command_agent.environment import agent_environment
from benchmark_runner.command_agent.outcome import Ended
from benchmark_runner.command_agent.output_log import OutputLog, new_file
from benchmark_runner.command_agent.reports import OutputFormat
from benchmark_runner.errors import UsageError, describe
from benchmark_runner.trajectory.files import MOST_BYTES, find_trajectories
from benchmark_runner.trajectory.growing_file import new_trajectory_file

if TYPE_CHECKING:
    from benchmark_runner.schemas import GenerationResult

__all__ = ["run_command_agent"]

_MIB = 1024**2
#: Seconds for reading the answer of a command that was stopped.
_READING = 2.0
#: The part of the time left that stopping a command and reading its answer take at most.
_PART = 0.2
#: Seconds from SIGTERM to SIGKILL at Ctrl-C, at most: the runner has to end, too.
_CANCEL_GRACE = 3.0


async def run_command_agent(
    command: Sequence[Argument],
    question: str,
    *,
    model: str = "",
    log_dir: Path | None = None,
    workspace: Path | None = None,
    values: Mapping[str, str | os.PathLike[str]] | None = None,
    keys: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    answer_file: str | os.PathLike[str] | None = None,
    output: OutputFormat = "text",
    timeout: float | None = None,  # noqa: ASYNC109 (the command ends in an orderly way)
    grace: float = 5.0,
    output_limit: int = 64 * _MIB,
    answer_limit: int = _MIB,
    check: bool = True,
) -> GenerationResult:
    """Run a command that answers a question, and return its result.

    The command is ended as a whole, with all that it has started: when it ends itself, when the
    time of the generation is nearly up, and at Ctrl-C.

    Args:
        command: The program and its arguments. A text may hold placeholders: ``{question}``,
            ``{question_file}``, ``{model}``, ``{workspace}``, ``{log_dir}``, ``{answer_file}``,
            ``{report_file}`` and those of ``values``; braces are written ``{{`` and ``}}``. A path
            is taken as it is. There is no shell.
        question: The text for ``{question}``, and for the file that ``{question_file}`` names.
        model: The text for ``{model}``.
        log_dir: The folder that ``generate()`` got: for ``stdout.log`` and ``stderr.log``, and the
            question. Without one, the logs are thrown away.
        workspace: The working directory of the command, which is made; by default ``workspace``
            in ``log_dir``.
        values: More placeholders.
        keys: The names of the secret variables that the command gets. Without their names here,
            no keys are in its environment, nor those of the benchmark service.
        environment: More variables for it.
        answer_file: The file, in the workspace, that will hold the answer; without one, the answer
            is the last line of standard output that is not empty, or the one in ``output``. A
            file that was there before, and is not written, is none.
        output: The agent whose JSON is read for answer, tokens, cost and turns.
        timeout: The most seconds that it may take; never more than the generation has left.
        grace: Seconds from SIGTERM to SIGKILL, less where little time is left, at most 3 at Ctrl-C.
        output_limit: The most bytes of each log; of a longer output the middle is left out.
        answer_limit: The most bytes of the answer.
        check: Whether an exit code other than 0, or an end by a signal, is an error; without it
            they are in ``metadata["command"]``, and the result is a success.

    Returns:
        The result, which ``generate()`` can return as it is. Its status is ``max_time`` if the
        time was up, ``max_turns`` if the agent tells so. ``metadata["command"]`` has the exit
        code.

    Raises:
        CommandError: the command failed, or left no answer.
        UsageError: the command can't be run: a program that is missing, an unknown placeholder or
            ``output``.
    """
    if output not in (known := get_args(OutputFormat)):
        raise UsageError(f"output={output!r} is none of {', '.join(map(repr, known))}")
    with _folder(log_dir) as logs:
        place = _made(workspace or logs / "workspace")
        answer = None if answer_file is None else place / answer_file
        report_file = logs / "report.json"
        given = {name: os.fspath(value) for name, value in (values or {}).items()}
        texts = {
            "question": question,
            "question_file": _written(logs, question),
            "model": model,
            "workspace": str(place),
            "log_dir": str(logs),
            "report_file": str(report_file),
            **({} if answer is None else {"answer_file": str(answer)}),
            **given,
        }
        arguments = fill(command, texts)
        variables = agent_environment(keys, environment or {})
        arguments[0] = find_program(arguments[0], place, variables)
        recorded = await asyncio.to_thread(_trajectories, place, logs)
        files = (answer, report_file, *recorded)
        earlier = EarlierFiles(path for path in files if path is not None)
        redactor = current_generation().redactor or Redactor()
        with _logs(logs, output_limit, redactor) as (stdout, stderr):
            process = AgentProcess(arguments, place, variables, (stdout, stderr))
            limit = _TimeLimit(timeout, grace)
            try:
                stopped_after = await _run(process, limit)
            except asyncio.CancelledError:
                _copy_trajectories(place, logs, earlier)  # which tells what it has cost
                raise
            if process.error is not None:
                raise _start_error(process.error, arguments)
            ended = Ended(
                name=Path(arguments[0]).name,
                process=process,
                stdout=stdout,
                stderr=stderr,
                workspace=place,
                answer_file=answer,
                report_file=report_file,
                output=output,
                answer_limit=answer_limit,
                earlier=earlier,
                seconds=stopped_after,
            )
            return await _to_the_end(partial(_result, ended, logs, check=check))


class _TimeLimit:
    """The time after which a command is stopped."""

    def __init__(self, timeout: float | None, grace: float) -> None:
        self._generation = current_generation()
        self._begin = monotonic()
        self._until = self._begin + timeout if timeout is not None else None
        left = self._generation.time_left()
        self._reserve = min(grace + _READING, left * _PART)
        # Reading takes its time on a busy machine: of a short reserve, half is for it.
        self.grace = min(grace, max(self._reserve - _READING, self._reserve / 2))

    def spent(self) -> float:
        """Return the seconds since the command began."""
        return monotonic() - self._begin

    def left(self) -> float | None:
        """Return the seconds until it is stopped; ``None`` without a limit."""
        ends = [self._generation.deadline - self._reserve]
        if self._until is not None:
            ends.append(self._until)
        left = min(ends) - monotonic()
        return None if left == float("inf") else max(left, 0.0)


async def _run(process: AgentProcess, limit: _TimeLimit) -> float | None:
    """Run the process to its end; return the seconds after which it was stopped, if it was."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ended.done():
            ended.set_result(None)

    def on_end() -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell)

    process.start(on_end)
    try:
        while not ended.done():
            left = limit.left()
            if left == 0:
                spent = limit.spent()
                process.stop(limit.grace)
                await asyncio.wait({ended})
                return spent
            await asyncio.wait({ended}, timeout=left)
    except asyncio.CancelledError:
        if ended.done():
            return None
        process.stop(min(limit.grace, _CANCEL_GRACE))
        await asyncio.wait({ended})
        raise
    finally:
        process.stop(0)
    return None


@contextmanager
def _folder(log_dir: Path | None) -> Generator[Path]:
    if log_dir is not None:
        yield _made(log_dir)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute()


def _written(folder: Path, question: str) -> str:
    descriptor, path = new_file(folder, "question.txt")
    with open(descriptor, "w", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (a descriptor)
        file.write(question)
    return str(path)


@contextmanager
def _logs(folder: Path, limit: int, redactor: Redactor) -> Generator[tuple[OutputLog, OutputLog]]:
    stdout = OutputLog(folder, "stdout.log", limit, redactor)
    try:
        stderr = OutputLog(folder, "stderr.log", limit, redactor)
        try:
            yield stdout, stderr
        finally:
            stderr.close()
    finally:
        stdout.close()


def _start_error(error: OSError | ValueError, arguments: Sequence[str]) -> UsageError:
    name, hint = arguments[0], "Try the same command in a shell."
    if not isinstance(error, OSError):
        reason, hint = describe(error), "Its arguments and its environment can't be given to it."
    else:
        reason = error.strerror
        if error.errno == errno.E2BIG:
            hint = "Give a long question by its file: {question_file}."
    return UsageError(f"the agent's program {name!r} can't be started: {reason}", hint=hint)


async def _to_the_end(function: Callable[[], GenerationResult]) -> GenerationResult:
    """Call a function in a thread, also if the call is cancelled: what has ended is not lost."""
    calling = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        return await calling


def _result(ended: Ended, log_dir: Path, *, check: bool) -> GenerationResult:
    _copy_trajectories(ended.workspace, log_dir, ended.earlier)
    return ended.result(check=check)


def _trajectories(workspace: Path, log_dir: Path) -> list[Path]:
    """Return the trajectories in a workspace, unless they are found as part of the logs."""
    return [] if workspace.is_relative_to(log_dir) else find_trajectories(workspace)


def _copy_trajectories(workspace: Path, log_dir: Path, earlier: EarlierFiles) -> None:
    """Copy the trajectory that an agent has left in its workspace to where it is looked for."""
    own = (path for path in _trajectories(workspace, log_dir) if path not in earlier)
    for path in islice(own, 1):
        with suppress(OSError):
            content = content_of(path, MOST_BYTES)
            generation = current_generation()
            redactor = generation.redactor or Redactor()
            try:
                content = redactor.clean_json(content)
            except ValueError:  # of an agent that was stopped in the middle
                content = redactor.clean(content)
            file = new_trajectory_file(log_dir, durable=generation.durable)
            file.append(content, b"")
            file.close()
