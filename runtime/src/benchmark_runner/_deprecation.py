"""Deprecated names of the author's API, which work for one more major version, and warn."""

import warnings
from typing import NamedTuple


class Renamed(NamedTuple):
    """The new name for a deprecated one, and the version that removes the old name."""

    to: str
    removed_in: str


#: By old name. An entry stays until the version that removes the name.
RENAMED: dict[str, Renamed] = {}


def current_name(name: str) -> str:
    """Return the current name of ``name``; a deprecated one warns at the line that uses it.

    Only the ``__getattr__`` of the package calls this: the warning's line is counted from there.
    """
    renamed = RENAMED.get(name)
    if renamed is None:
        return name
    warnings.warn(
        f"benchmark_runner.{name} is now benchmark_runner.{renamed.to}; "
        f"version {renamed.removed_in} removes the old name",
        DeprecationWarning,
        stacklevel=3,
    )
    return renamed.to
