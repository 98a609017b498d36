"""The process that the tests of crashes start their children from.

It imports the framework once, with the calls of the operating system replaced (see ``steps.py``),
and forks for each command, so that a child costs what its run costs and not what an interpreter
does. Each child is a process group of its own; from the fork on it does what the console script
of a runner project does, until it ends, or is killed.

Usage: ``python driver.py DESCRIPTOR``, which is one end of a ``multiprocessing.Pipe()``.
"""

from __future__ import annotations

import gc
import os
import pkgutil
import runpy
import sys
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from steps import Orders, Steps

#: What a run imports besides the framework, and only when it gets there.
LATE = ("anyio._backends._asyncio", "httpcore._async.http11", "rich.console", "typer.main")
#: Seconds that the engine tries to keep a finished generation on a disk that refuses.
DISK_PATIENCE = 0.3


def import_framework() -> None:
    import benchmark_runner

    for found in pkgutil.walk_packages(benchmark_runner.__path__, "benchmark_runner."):
        if found.name != "benchmark_runner.testing":
            module = import_module(found.name)
            if hasattr(module, "DISK_PATIENCE"):
                module.DISK_PATIENCE = DISK_PATIENCE
    for name in LATE:
        import_module(name)


def become(command: dict[str, Any]) -> None:
    """Stand in this process where the shell would have put the command."""
    os.setpgid(0, 0)
    for number, path in enumerate((os.devnull, command["out"], command["err"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), number)
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ.update(command["environment"])
    sys.path[:0] = command["environment"]["PYTHONPATH"].split(os.pathsep)
    sys.argv = [command["script"], *command["arguments"]]


def main() -> None:
    steps = Steps()
    steps.install()
    import_framework()
    gc.freeze()  # what the children share, none of them has to look through
    with Connection(int(sys.argv[1])) as connection:
        while (command := receive(connection)) is not None:
            pid = os.fork()
            if pid == 0:
                break
            connection.send(pid)
            _, status = os.waitpid(pid, 0)
            connection.send(os.waitstatus_to_exitcode(status))
    if command is not None:
        become(command)
        steps.orders = Orders(**command["orders"])
        runpy.run_path(sys.argv[0], run_name="__main__")


def receive(connection: Connection) -> dict[str, Any] | None:
    """The next command; ``None`` when there are no more."""
    try:
        return connection.recv()
    except EOFError:
        return None


if __name__ == "__main__":
    main()
