"""The extras of the distribution: what some commands need, and how to install it."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmark_runner._start_state import start_folder
from benchmark_runner._text import shell_line
from benchmark_runner._versions import RUNTIME_DISTRIBUTION
from benchmark_runner.errors import BenchmarkRunnerError, UsageError

#: The modules that each extra brings, by the name of the extra and of the command.
MODULES = {
    "create": ("copier",),
    "doctor": ("packaging", "yaml"),
    "inspect": ("inspect_ai",),
    "report": ("jinja2", "vl_convert"),
    "serve": ("uvicorn", "wsproto"),
}


def require_extra(extra: str, error: type[BenchmarkRunnerError] = UsageError) -> None:
    """Raise ``error`` with the command that installs the extra, unless it is installed."""
    if missing := [name for name in MODULES[extra] if find_spec(name) is None]:
        command = _install_command(f"{RUNTIME_DISTRIBUTION}[{extra}]")
        raise error(
            f"not installed: {', '.join(missing)}",
            hint=f"Install what {extra} needs: {command}",
        )


def require_package(name: str) -> None:
    """Raise an error with the command that installs a package, unless it is installed."""
    if find_spec(name) is None:
        raise UsageError(f"not installed: {name}", hint=f"Install it: {_install_command(name)}")


def _install_command(requirement: str) -> str:
    """Return the command that adds a package to this environment, for a new shell."""
    if _is_uv_project():
        # What is only installed goes with the next `uv sync`.
        return shell_line(["uv", "add", "--dev", requirement])
    if find_spec("pip"):
        command = [sys.executable, "-m", "pip", "install"]
    elif shutil.which("uv"):
        command = ["uv", "pip", "install", "--python", sys.executable]
    else:  # as in the image, whose pip is outside its environment
        command = ["pip", "--python", sys.executable, "install"]
    return shell_line([*command, requirement])


def _is_uv_project() -> bool:
    """Return True if uv finds, from the working directory, the project of this environment."""
    environment = Path(sys.prefix).resolve()
    root = environment.parent
    return (
        shutil.which("uv") is not None
        and environment.name == ".venv"
        and (root / "pyproject.toml").is_file()
        and start_folder().is_relative_to(root)
    )
