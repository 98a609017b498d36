"""The environment of an agent: that of the runner without its secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmark_runner._secrets import is_secret_variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["agent_environment"]


def agent_environment(keys: Iterable[str], more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without secrets but those that ``keys`` names, and with ``more``."""
    wanted = {*keys}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in wanted or not is_secret_variable(name, value)
    }
    return kept | {name: os.fspath(value) for name, value in more.items()}
