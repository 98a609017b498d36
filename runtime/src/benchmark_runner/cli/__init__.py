"""The command line of a runner: ``make_cli()``, a module for each command, and its output.

Only this package prints. Its modules import nothing heavy until a command runs, so that
``--help`` stays instant.
"""

from benchmark_runner.cli.app import make_cli

__all__ = ["make_cli"]
