"""A process that may not open, start or use any more says so in a sentence."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.cli import job, shortage
from benchmark_runner.cli.shortage import shortage_in

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

ERRORS: list[tuple[BaseException, str]] = [
    (OSError(errno.EMFILE, "Too many open files"), "TooManyOpenFiles"),
    (OSError(errno.ENFILE, "Too many open files in system"), "TooManyOpenFiles"),
    (ImportError("_x.so: cannot open shared object file: Too many open files"), "TooManyOpenFiles"),
    (RuntimeError("can't start new thread"), "TooManyThreads"),
    (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "TooManyThreads"),
    (MemoryError(), "OutOfMemory"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "OutOfMemory"),
    (ImportError("_x.so: failed to map segment from shared object"), "OutOfMemory"),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS)
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_shortage_is_a_sentence(
    project: RunnerProject,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    kind: str,
    flags: tuple[str, ...],
) -> None:
    """An error for lack of something is a sentence with a way out, and nothing is run."""

    def fail(*_: object) -> None:
        raise ValueError from error

    monkeypatch.setattr(job, "_open_job", fail)
    ended = project.run("run", "--run-id", "r1", *flags)
    assert ended.code == 1
    assert "Traceback" not in ended.err
    if flags:
        assert ended.json["error"]["type"] == kind
        assert ended.json["command"] == "run"
        assert "limit" in ended.json["error"]["hint"]
    else:
        assert ended.err.startswith(f"{kind}: ")
        assert "Raise the limit" in ended.err
    assert project.calls == []


def test_too_few_threads_start_nothing(
    project: RunnerProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that could not start its own threads is not begun."""

    def refuse(_thread: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(shortage.Thread, "start", refuse)
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 1
    assert ended.err.startswith("TooManyThreads: ")
    assert project.calls == []
    assert not project.results.exists()


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.EACCES, "no"), RuntimeError()])
def test_other_errors_are_no_shortage(error: BaseException) -> None:
    """Another error is no shortage."""
    assert shortage_in(error) is None
