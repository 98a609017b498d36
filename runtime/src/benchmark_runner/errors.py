"""Every error the framework raises on purpose, drawn once.

.. code-block:: text

    BenchmarkRunnerError
    ├── UsageError                  bad input: exit code 2
    │   ├── DatasetError            a dataset file is missing or malformed
    │   ├── RunnerDefinitionError   the author's runner class is not usable as it is
    │   └── RunIdentityError        a resume that would not be the same run
    ├── RunPausedError              a cap was reached; the run can go on
    ├── ArtifactError               the results folder can't be read or written
    │   └── RunLockedError          another process works on the run, or on the task
    └── ServiceError                the benchmark service can't do what was asked
        ├── ServiceUnavailableError   no connection, time-out, 409, 429 or 5xx after all retries
        ├── AuthenticationError       401
        ├── PermissionDeniedError     403
        ├── NotFoundError             404
        ├── UnsupportedError          501
        ├── QuotaExceededError        429 with a reset too far away to wait for
        ├── RejectedRequestError      400, 413, 422 and other answers that no retry heals
        └── BadResponseError          an answer that is not what the contract says

Each one has a ``message`` (what happened, to what) and a ``hint`` (what to do next).
"""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

    from benchmark_runner.schemas import Phase


class BenchmarkRunnerError(Exception):
    """Root of the tree. ``exit_code`` is what a command exits with when it ends in this."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.phase: Phase | None = None
        """The step of the run that it ended, where it was one."""
        self.way_out: tuple[str, ...] = ()
        """A command of the runner that is the way out, without what names the run."""


class UsageError(BenchmarkRunnerError):
    """The input of a person is not usable; nothing was run."""

    exit_code = 2


class DatasetError(UsageError):
    """A dataset is missing or malformed; the message names the place."""


class RunnerDefinitionError(UsageError):
    """The author's runner, its ``TASK_MODEL`` or its grader can't be used as written."""


class RunIdentityError(UsageError):
    """A run id was given again with settings or tasks that make it another run."""


class RunPausedError(BenchmarkRunnerError):
    """No new task was started, because of costs or errors; what was finished is kept."""


class ArtifactError(BenchmarkRunnerError):
    """A file of a run can't be read or written."""


class RunLockedError(ArtifactError):
    """Another process works on the same run, or on the same task of it."""


class ServiceError(BenchmarkRunnerError):
    """The benchmark service can't do what was asked.

    ``status_code`` is the HTTP status, ``None`` where no answer came; ``detail`` is what
    the service said about it.
    """

    #: Whether every further call would end the same way, so that evaluating stops at once.
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

    ``timed_out`` tells that an answer took too long, not that there was none to be had.
    """

    timed_out: bool = False


class AuthenticationError(ServiceError):
    """The service does not accept the key, or wants one."""

    stops_evaluation = True


class PermissionDeniedError(ServiceError):
    """The key is valid but may not use this dataset or path."""

    stops_evaluation = True


class NotFoundError(ServiceError):
    """The dataset, task or path does not exist on the service."""


class UnsupportedError(ServiceError):
    """The service has not implemented this path."""


class QuotaExceededError(ServiceError):
    """The evaluation quota is used up until ``resets_at`` (``None`` if not said)."""

    stops_evaluation = True

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status_code: int | None = None,
        detail: str | None = None,
        resets_at: datetime | None = None,
    ) -> None:
        super().__init__(message, hint=hint, status_code=status_code, detail=detail)
        self.resets_at = resets_at


class RejectedRequestError(ServiceError):
    """The service refused this one request for good."""


class BadResponseError(ServiceError):
    """The service answered with something the contract does not allow."""


def describe(error: BaseException) -> str:
    """``TypeName: message``; never empty, also for exceptions without a message."""
    if isinstance(error, BenchmarkRunnerError):
        return f"{type(error).__name__}: {error.message}"
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def traceback_of(error: BaseException) -> str:
    """The whole traceback, for a log."""
    return "".join(traceback.format_exception(error))


def place_of(error: BaseException) -> str:
    """Where ``error`` was raised, as far as it is the author's: the file and the line."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    foreign = ("<", *sysconfig.get_paths().values(), str(Path(__file__).parent))
    own = [frame for frame in frames if not frame.filename.startswith(foreign)]
    last = (own or frames)[-1:]
    return f"{last[0].filename}, line {last[0].lineno}" if last else "place not known"
