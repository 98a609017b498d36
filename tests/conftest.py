"""Fixtures for all tests: an isolated environment, a shell, a clone, a loopback server."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from benchmark_runner.local.server import Server
from tests.alive import Alive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

    from tests.artifact_service import ArtifactService

ROOT = Path(__file__).parents[1]

GIT_CONFIG = """\
[user]
    name = A Tester
    email = tester@example.com
[init]
    defaultBranch = main
[commit]
    gpgSign = false
[protocol "file"]
    allow = always
"""

# What the machine has set must not decide how a test ends.
UNSET = (
    "BENCHMARK_API_KEY",
    "CUSTOM_API_KEY",
    "CUSTOM_ENDPOINT",
    "MAKEFLAGS",
    "MAKELEVEL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "PYTHONPATH",
    "RESULTS_DIR",
    "SERVICE_URL",
    "UV_PROJECT_ENVIRONMENT",
    "VALS_API_KEY",
    "VALS_AUTH_KEY",
    "VIRTUAL_ENV",
)


#: The number of cases of a sampled test that `nox -s tests` runs, where the mark gives none.
SAMPLE = 3
#: The files whose tests share a copy that takes long to make and install.
WITH_A_COPY = (
    "tests/e2e/test_adoption.py",
    "tests/e2e/test_readme.py",
    "tests/template/test_generated_project.py",
    "tests/unit/testing/test_contract.py",
)


class Run(Protocol):
    """Runs a command and returns what it printed; fails the test on another exit code."""

    def __call__(
        self, *command: str | Path, cwd: Path, code: int = 0, env: dict[str, str] | None = None
    ) -> str: ...


@pytest.fixture(scope="session", autouse=True)
def isolation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # Started in the background, a shell's children ignore Ctrl-C, and so would theirs.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    home = tmp_path_factory.mktemp("isolation")
    (home / "gitconfig").write_text(GIT_CONFIG)
    (home / "settings.yml").write_text("{}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("COPIER_SETTINGS_PATH", str(home / "settings.yml"))
        patch.setenv("COPIER_CACHE_DIR", str(home / "copier"))
        # The tools of this environment, and generated projects on this Python.
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("UV_PYTHON", sys.executable)
        for name in UNSET:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def run() -> Run:
    def run(
        *command: str | Path, cwd: Path, code: int = 0, env: dict[str, str] | None = None
    ) -> str:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"exit code {done.returncode} of {command}:\n{done.stdout}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def template_repo(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A git repository without tags that holds the working tree, committed or not.

    The tests are left out, of which a copy needs none: most of a clone's time would be theirs.
    """
    repo = tmp_path_factory.mktemp("template") / "create-benchmark-runner"
    listing = run(
        "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", ":!tests",
        cwd=ROOT,
    )  # fmt: skip
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, repo / name)
    run("git", "init", "--quiet", cwd=repo)
    run("git", "add", "--all", cwd=repo)
    run("git", "commit", "--quiet", "--message", "The working tree", cwd=repo)
    # Each copy and update clones it: one pack, and not 256 folders of objects.
    run("git", "repack", "-a", "-d", "--quiet", cwd=repo)
    return repo


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[Alive]:
    """Return a pipe that tells when all processes which have opened it have ended."""
    made = Alive(tmp_path / "alive")
    yield made
    made.close()


@pytest.fixture(scope="session")
def serve_app() -> Iterator[Callable[[ASGIApp], str]]:
    """Start an app in a thread and return its URL; it runs until the session ends."""
    running: list[tuple[Server, threading.Thread]] = []

    def start(app: ASGIApp) -> str:
        ready = threading.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(app, listener, lambda _url: ready.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread))
        assert ready.wait(10), "the server did not start"
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(10)


@pytest.fixture(scope="session")
def served_artifacts(serve_app: Callable[[ASGIApp], str]) -> ArtifactService:
    from tests import artifact_service

    return artifact_service.start(serve_app)


@pytest.fixture
def artifact_service(served_artifacts: ArtifactService) -> ArtifactService:
    """A service that takes artifacts, and its storage, on loopback ports."""
    served_artifacts.reset()
    return served_artifacts


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave all but a few cases, spread evenly, of each sampled test to the full run."""
    cases: defaultdict[tuple[str, int], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if mark := item.get_closest_marker("sampled"):
            size: int = mark.args[0] if mark.args else SAMPLE
            cases[item.nodeid.partition("[")[0], size].append(item)
    for (_, size), of_one in cases.items():
        kept = of_one[:: ceil(len(of_one) / size)]
        for item in set(of_one).difference(kept):
            item.add_marker(pytest.mark.full)


def pytest_collection_finish() -> None:
    """Have no garbage collection look through thousands of tests."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use one process more than there are processors, as many a test waits for something."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Run the tests that share an installed copy in one process, which installs it once."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class SharingScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in WITH_A_COPY else nodeid

    return SharingScheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many cases there were in those tests that try many."""
    tried: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, number in report.user_properties:
                if name.startswith("tried: ") and isinstance(number, int):
                    tried[name] += number
    for name, number in sorted(tried.items()):
        terminalreporter.write_line(f"{name}: {number}")
