"""The result of a command that has ended, or the error that it ended with."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._json import without_nulls
from benchmark_runner._text import printable
from benchmark_runner.command_agent.answer import AnswerError, last_line, last_lines, read_answer
from benchmark_runner.command_agent.reports import OutputFormat, Report, report_of
from benchmark_runner.errors import CommandError
from benchmark_runner.schemas import GenerationResult, GenerationStatus

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner.command_agent.agent_process import AgentProcess
    from benchmark_runner.command_agent.earlier_files import EarlierFiles
    from benchmark_runner.command_agent.output_log import OutputLog

__all__ = ["Ended"]

_SHOWN_LINES, _SHOWN_BYTES = 10, 2000


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended, with what it left.

    Attributes:
        name: The name of its program.
        process: The process.
        stdout: The log of its standard output.
        stderr: The log of its standard error.
        workspace: The folder that it worked in.
        answer_file: The file with its answer; ``None`` for the last line of its output.
        report_file: The file for the report of an agent that writes one.
        output: The format of its output.
        answer_limit: The most bytes of an answer.
        earlier: The files that were there before it.
        seconds: The time after which it was stopped; ``None`` if it ended by itself.
    """

    name: str
    process: AgentProcess
    stdout: OutputLog
    stderr: OutputLog
    workspace: Path
    answer_file: Path | None
    report_file: Path
    output: OutputFormat
    answer_limit: int
    earlier: EarlierFiles
    seconds: float | None

    def result(self, *, check: bool) -> GenerationResult:
        """Return the result.

        Raises:
            CommandError: it failed, and ``check`` is set; or its answer can't be used.
        """
        own_report = None if self.report_file in self.earlier else self.report_file
        report = report_of(self.output, self.stdout, own_report)
        result = self._without_answer(report)
        # One that reached its limit may end with any code.
        has_limit = result.status in (GenerationStatus.MAX_TIME, GenerationStatus.MAX_TURNS)
        try:
            answer = self._answer(report)
        except AnswerError as error:
            answer, problem = None, str(error)
        else:
            problem = self._missing if answer is None else None
        result.data = answer or ""
        failed = self.process.exit_code != 0 or report.error is not None
        if failed and check and not has_limit:
            raise self._error(self._failure(report), result)
        if problem is not None and not failed and not has_limit:
            raise self._error(problem, result)
        return result

    def _without_answer(self, report: Report) -> GenerationResult:
        stopped = self.seconds is not None
        status = GenerationStatus.MAX_TIME if stopped else report.status
        return GenerationResult(
            status=status or GenerationStatus.SUCCESS,
            error=f"{self.name} was stopped after {self.seconds:.3g} s, as its time was up"
            if stopped
            else None,
            usage=report.usage,
            cost=report.cost,
            total_turns=report.turns,
            stop_reason="max_time" if stopped else report.stop_reason,
            metadata=self._facts(),
        )

    def _facts(self) -> dict[str, JsonValue]:
        facts: dict[str, JsonValue] = {
            "exit_code": self._exit_code,
            "signal": self._signal,
            "stdout_left_out": self.stdout.left_out or None,
            "stderr_left_out": self.stderr.left_out or None,
            "stdout_error": _reason(self.stdout),
            "stderr_error": _reason(self.stderr),
            "processes_left": self.process.left or None,
        }
        return {"command": without_nulls(facts)}

    @property
    def _exit_code(self) -> int | None:
        code = self.process.exit_code
        return code if code is not None and code >= 0 else None

    @property
    def _signal(self) -> str | None:
        code = self.process.exit_code
        if code is None or code >= 0:
            return None
        try:
            return signal.Signals(-code).name
        except ValueError:  # a real-time signal
            return f"signal {-code}"

    @property
    def _missing(self) -> str:
        if self.answer_file is not None:
            where = repr(self.answer_file.name)
        elif self.output == "text":
            where = "its output"
        else:  # with a flag forgotten, it prints a text
            where = f"its output, read with output={self.output!r}"
        left = f"{self.name} ended well, but left no answer in {where}"
        if self.answer_file is not None and self.answer_file in self.earlier:
            return f"{left}: the file is as it was before"
        return left

    def _answer(self, report: Report) -> str | None:
        if self.answer_file is not None:
            if self.answer_file in self.earlier:
                return None
            return read_answer(self.answer_file, self.workspace, self.answer_limit)
        if self.stdout.error is not None and self.output != "mini-swe-agent":
            raise AnswerError(f"its output can't be written: {_reason(self.stdout)}")
        if self.output != "text":
            return report.answer
        return last_line(self.stdout, self.answer_limit) or None

    def _failure(self, report: Report) -> str:
        if self._signal is not None:
            how = f"was ended by {self._signal}"
        elif self._exit_code is None:
            how = "ended, and other code of the runner took its exit code"
        elif self._exit_code:
            how = f"ended with exit code {self._exit_code}"
        else:
            how = "reported an error"
        return f"{self.name} {how}" + (f": {report.error}" if report.error else "")

    def _error(self, message: str, result: GenerationResult) -> CommandError:
        told = printable(last_lines(self.stderr, _SHOWN_LINES, _SHOWN_BYTES))
        text = f"{message}; the end of its stderr:\n{told}" if told else message
        return CommandError(text, result, self.process.exit_code)


def _reason(log: OutputLog) -> str | None:
    return None if log.error is None else log.error.strerror
