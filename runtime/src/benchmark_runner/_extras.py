"""The extras of the distribution: what some commands need, and how to install it."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec

from benchmark_runner._versions import RUNTIME_DISTRIBUTION
from benchmark_runner.errors import BenchmarkRunnerError, UsageError

#: The modules that each extra brings, by the name of the extra and of the command.
MODULES = {
    "create": ("copier",),
    "doctor": ("packaging", "yaml"),
    "report": ("jinja2", "vl_convert"),
    "serve": ("uvicorn",),
}


def require_extra(extra: str, error: type[BenchmarkRunnerError] = UsageError) -> None:
    """Raise an error with the command that installs the extra, unless it is installed.

    Args:
        extra: One of :data:`MODULES`.
        error: The class of the error.

    Raises:
        BenchmarkRunnerError: a module of the extra is missing.
    """
    if missing := [name for name in MODULES[extra] if find_spec(name) is None]:
        raise error(
            f"not installed: {', '.join(missing)}",
            hint=f"Install what {extra} needs: {_install_command(extra)}",
        )


def _install_command(extra: str) -> str:
    """Return the command that adds the extra to this environment."""
    pip = [sys.executable, "-m", "pip", "install"]
    uv = ["uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*(pip if find_spec("pip") else uv), f"{RUNTIME_DISTRIBUTION}[{extra}]"])
