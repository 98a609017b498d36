"""The errors that the framework raises.

.. code-block:: text

    BenchmarkRunnerError
    ├── UsageError                  bad input: exit code 2
    │   ├── DatasetError            a dataset file is missing or malformed
    │   ├── InvalidIdError          a run id or task id can't name a folder; also a ValueError
    │   ├── RunnerDefinitionError   the author's runner class is not usable as it is
    │   └── RunIdentityError        a resume that would not be the same run
    ├── CommandError                a command that answers a task failed
    ├── InputError                  an input of a task can't be put where it belongs
    ├── RunPausedError              a cap was reached; the run can be resumed
    ├── RunnerStartError            the runner's start() failed; nothing was generated
    ├── ArtifactError               the results folder can't be read or written
    │   └── RunLockedError          another process uses the run, or the task
    ├── UnusableArtifactError       the file that is an answer can't be kept or sent
    └── ServiceError                the benchmark service can't do what was asked
        ├── ServiceUnavailableError   no connection, time-out, 409, 429 or 5xx after all retries
        ├── AuthenticationError       401
        ├── PermissionDeniedError     403
        ├── NotFoundError             404
        ├── UnsupportedError          501
        ├── QuotaExceededError        429 with a reset too far away to wait for
        ├── GraderError               the author's grader or task_score() failed, on this machine
        ├── RejectedRequestError      400, 413, 422 and others; a retry will not help
        └── BadResponseError          an answer that violates the contract

Each error has a ``message`` (what happened) and a ``hint`` (what to do next).
"""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from benchmark_runner.schemas import GenerationResult, Phase

__all__ = [
    "ArtifactError", "AuthenticationError", "BadResponseError", "BenchmarkRunnerError",
    "CommandError", "DatasetError", "GraderError", "InputError", "InvalidIdError", "NotFoundError",
    "PermissionDeniedError", "QuotaExceededError", "RejectedRequestError", "RunIdentityError",
    "RunLockedError", "RunPausedError", "RunnerDefinitionError", "RunnerStartError",
    "ServiceError", "ServiceUnavailableError", "UnsupportedError", "UnusableArtifactError",
    "UsageError", "describe", "own_frame", "place_of", "traceback_of",
]  # fmt: skip


class BenchmarkRunnerError(Exception):
    """The root of the tree. ``exit_code`` is that of a command which ends with the error."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.phase: Phase | None = None
        """The step of the run that the error ended, if any."""
        self.way_out: tuple[str, ...] = ()
        """The runner's command that helps, without the arguments that name the run."""

    @property
    def kind(self) -> str:
        """The name of the class, as it is shown."""
        return type(self).__name__


class UsageError(BenchmarkRunnerError):
    """The input is not usable; nothing was run."""

    exit_code = 2


class DatasetError(UsageError):
    """A dataset is missing or malformed; the message names the place."""


class InvalidIdError(UsageError, ValueError):
    """The id of a run or a task can't name a folder; shown as ``UsageError``."""

    @property
    def kind(self) -> str:
        """The name of the class that people and programs know."""
        return UsageError.__name__


class RunnerDefinitionError(UsageError):
    """The author's runner, its ``TASK_MODEL`` or its grader can't be used as written."""


class RunIdentityError(UsageError):
    """A run id was used again with settings or tasks of another run."""


class InputError(BenchmarkRunnerError):
    """An input of a task can't be put where it belongs; nothing elsewhere was touched."""


class RunPausedError(BenchmarkRunnerError):
    """No new task was started, because of costs or errors; finished tasks are kept."""

    def __init__(
        self, message: str, *, hint: str | None = None, resume_with: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.resume_with = resume_with
        """The flags with which a resume redoes what was in vain."""


class RunnerStartError(BenchmarkRunnerError):
    """The ``start()`` of the author's runner failed; nothing was generated."""


class ArtifactError(BenchmarkRunnerError):
    """A file of a run can't be read or written."""


class RunLockedError(ArtifactError):
    """Another process uses the same run, or the same task of it."""


class UnusableArtifactError(BenchmarkRunnerError):
    """The file that is the answer of a task can't be kept, or is not as it was kept any more."""


class ServiceError(BenchmarkRunnerError):
    """The benchmark service can't do what was asked.

    ``status_code`` is the HTTP status, ``None`` without an answer; ``detail`` is the
    service's own message.
    """

    #: Whether every further call would fail the same way, so that evaluation stops at once.
    stops_evaluation: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status_code: int | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status_code = status_code
        self.detail = detail


class ServiceUnavailableError(ServiceError):
    """No usable answer within the allowed attempts and time; a later run may succeed.

    ``timed_out`` is True if an answer took too long.
    """

    timed_out: bool = False


class AuthenticationError(ServiceError):
    """The service rejects the key, or requires one."""

    stops_evaluation = True


class PermissionDeniedError(ServiceError):
    """The key is valid but may not use this dataset or path."""

    stops_evaluation = True


class NotFoundError(ServiceError):
    """The dataset, task or path does not exist on the service."""


class UnsupportedError(ServiceError):
    """The service has not implemented this path."""


class QuotaExceededError(ServiceError):
    """The evaluation quota is used up until ``resets_at`` (``None`` if unknown)."""

    stops_evaluation = True
    resets_at: datetime | None = None


class GraderError(ServiceError):
    """The author's grader or ``task_score()`` failed, which the embedded service called."""


class RejectedRequestError(ServiceError):
    """The service refused the request, and would refuse it again."""


class BadResponseError(ServiceError):
    """The service sent an answer that violates the contract."""


class CommandError(BenchmarkRunnerError):
    """A command that answers a task failed, or left no answer.

    Attributes:
        result: What is known all the same, such as its cost; a run records it with the error.
        returncode: Its exit code, or the number of the signal that ended it, negative; ``None``
            if other code has taken it.
    """

    def __init__(self, message: str, result: GenerationResult, returncode: int | None) -> None:
        super().__init__(message)
        self.result = result
        self.returncode = returncode


def describe(error: BaseException) -> str:
    """Return ``TypeName: message``; the name alone for exceptions without a message."""
    name = error.kind if isinstance(error, BenchmarkRunnerError) else type(error).__name__
    try:
        text = str(error.message if isinstance(error, BenchmarkRunnerError) else error).strip()
    except BaseException as failure:  # noqa: BLE001 (an author's __str__())
        text = f"its message can't be shown: __str__() raised {type(failure).__name__}"
    return f"{name}: {text}" if text else name


def traceback_of(error: BaseException) -> str:
    """Return the whole traceback, for a log."""
    try:
        return "".join(traceback.format_exception(error))
    except BaseException:  # noqa: BLE001 (an author's exception class)
        return "".join([*traceback.format_tb(error.__traceback__), describe(error), "\n"])


def place_of(error: BaseException) -> str:
    """Return the file and line where ``error`` was raised, in the author's code if possible."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frame = own_frame(traceback.extract_tb(error.__traceback__))
    return f"{frame.filename}, line {frame.lineno}" if frame else "unknown place"


def own_frame(frames: Sequence[traceback.FrameSummary]) -> traceback.FrameSummary | None:
    """Return the innermost frame in the author's code, or else the innermost; ``None`` of none."""
    foreign = ("<", *sysconfig.get_paths().values(), str(Path(__file__).parent))
    own = [frame for frame in frames if not frame.filename.startswith(foreign)]
    return next(reversed(own or frames), None)
