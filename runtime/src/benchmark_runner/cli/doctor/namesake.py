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

__all__ = ["check_namesake"]

_NAMESAKE = "benchmark-runner"
_PACKAGE = "benchmark_runner"


async def check_namesake(root: Path | None) -> Finding:
    """Check that one distribution only has the package ``benchmark_runner``."""
    other = _installed(_NAMESAKE)
    spec = importlib.util.find_spec(_PACKAGE)
    imported = Path((spec and spec.origin) or __file__).parent
    if other is None:
        return ok(f"{_PACKAGE} is that of {RUNTIME_DISTRIBUTION}, in {imported}")
    beside = "beside" if _installed(RUNTIME_DISTRIBUTION) else "instead of"
    message = (
        f"{_NAMESAKE} {other.version}, another project, is installed {beside} "
        f"{RUNTIME_DISTRIBUTION}; both are imported as {_PACKAGE}, now from {imported}"
    )
    # Uninstalling one removes the files that both have written, so both are installed again.
    both = (_NAMESAKE, RUNTIME_DISTRIBUTION)
    if root is None:
        command = in_project(Path.cwd(), uninstall(Path.cwd(), *both))
        return fault(message, advice="Then install this runner again.", command=command)
    advice = f"Remove {_NAMESAKE} from {MANIFEST} first." if _is_dependency(root) else None
    command = in_project(root, uninstall(root, *both), install(root))
    return fault(message, advice=advice, command=command)


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _is_dependency(root: Path) -> bool:
    try:
        return _NAMESAKE in Manifest.of(root).requirements
    except UsageError:
        return False
