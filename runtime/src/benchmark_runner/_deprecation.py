"""Names of the author's API that were renamed: the old ones work for one major, and warn."""

from __future__ import annotations

import warnings
from typing import NamedTuple


class Renamed(NamedTuple):
    """What an old name is called now, and the version that no longer knows the old one."""

    to: str
    removed_in: str


#: Old name → what became of it. An entry stays until the version it names.
RENAMED: dict[str, Renamed] = {}


def current_name(name: str) -> str:
    """The name that ``name`` goes by today; an old one warns at the line that asked for it.

    It is called by the ``__getattr__`` of the package and by nothing between the two: the
    warning is counted from there.
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
