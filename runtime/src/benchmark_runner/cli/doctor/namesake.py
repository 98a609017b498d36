"""Another project's ``benchmark-runner``, which has our import name and overwrites our files."""

from __future__ import annotations

import importlib.util
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from benchmark_runner._versions import RUNTIME_DISTRIBUTION
from benchmark_runner.cli.doctor.findings import Finding, fault, ok
from benchmark_runner.cli.doctor.fixes import in_project, install, uninstall
from benchmark_runner.cli.doctor.manifest import MANIFEST, Manifest
from benchmark_runner.errors import UsageError

NAMESAKE = "benchmark-runner"
_PACKAGE = "benchmark_runner"


async def check_namesake(root: Path | None) -> Finding:
    """See whether the name ``benchmark_runner`` is claimed twice."""
    other = _installed(NAMESAKE)
    imported = _imported_from()
    if other is None:
        return ok(f"{_PACKAGE} is that of {RUNTIME_DISTRIBUTION}, in {imported}")
    beside = "beside" if _installed(RUNTIME_DISTRIBUTION) else "instead of"
    message = (
        f"{NAMESAKE} {other.version}, another project, is installed {beside} "
        f"{RUNTIME_DISTRIBUTION}; both are imported as {_PACKAGE}, now from {imported}"
    )
    # What both have written goes with the one that is uninstalled, so both are.
    both = (NAMESAKE, RUNTIME_DISTRIBUTION)
    if root is None:
        command = in_project(Path.cwd(), uninstall(Path.cwd(), *both))
        return fault(message, advice="Then install this runner again.", command=command)
    advice = f"Take {NAMESAKE} out of {MANIFEST} first." if _asked_for(root) else None
    return fault(
        message, advice=advice, command=in_project(root, uninstall(root, *both), install(root))
    )


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _imported_from() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    return Path((spec and spec.origin) or __file__).parent


def _asked_for(root: Path) -> bool:
    try:
        return NAMESAKE in Manifest.of(root).requirements
    except UsageError:
        return False
