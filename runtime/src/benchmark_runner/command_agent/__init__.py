"""Agents that are programs of their own: run as a command, ended as a whole."""

from benchmark_runner.command_agent.reports import OutputFormat
from benchmark_runner.command_agent.run import run_command_agent
from benchmark_runner.errors import CommandError

__all__ = ["CommandError", "OutputFormat", "run_command_agent"]
