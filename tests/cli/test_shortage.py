"""A process that may not open, start or use any more says so in a sentence."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.cli import job, shortage
from benchmark_runner.cli.shortage import shortage_in

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

#: Takes all descriptors there are, and keeps them.
LEAK = """\
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
        with contextlib.suppress(OSError):
            while True:
                leaked.append(os.open(os.devnull, os.O_RDONLY))
        word, _, rest"""

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

    monkeypatch.setattr(job, "open_job", fail)
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


def test_answers_are_kept_without_descriptors(project: RunnerProject) -> None:
    """An answer is written at once, also where agents have left no descriptor for it."""
    project.change_agent(
        ("import signal\n", "import contextlib, resource, signal\n\nleaked = []\n"),
        ("        word, _, rest", LEAK),
    )
    ended = project.execute("run", "--run-id", "r1", "--skip-eval", "--parallelism", "1")
    assert ended.code == 1
    assert project.calls == ["t3"]  # the agent itself can open nothing for the others
    found = [project.read("r1", task_id, "generation.json") for task_id in ("t3", "t1", "t2")]
    assert [one["status"] for one in found] == ["success", "error", "error"]
    assert "Too many open files" in found[1]["error"]


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.EACCES, "no"), RuntimeError()])
def test_other_errors_are_no_shortage(error: BaseException) -> None:
    """Another error is no shortage."""
    assert shortage_in(error) is None
