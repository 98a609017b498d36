"""The installed runtime: its version, and another project that overwrites its files."""

import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.version import Version

from benchmark_runner._project.manifest import MANIFEST
from benchmark_runner._run.installation import runners_with
from benchmark_runner._versions import RUNTIME_DISTRIBUTION
from benchmark_runner.cli.doctor.answers_file import AnswersError, read_answers, version_of_commit
from benchmark_runner.cli.doctor.findings import Finding, fault, ok
from benchmark_runner.cli.doctor.fixes import in_project, install, uninstall
from benchmark_runner.cli.doctor.manifest import Manifest
from benchmark_runner.errors import UsageError

__all__ = ["check_namesake", "check_runtime"]

_PACKAGE = "benchmark_runner"
#: Another project's distribution with the same package.
_NAMESAKE = "benchmark-runner"


async def check_runtime(root: Path) -> Finding:
    """Compare the installed runtime with the dependency, and with the template's version."""
    manifest = Manifest.of(root)
    command = in_project(root, install(root))
    if manifest.runtime is None:
        return fault(
            f"{MANIFEST} does not ask for {RUNTIME_DISTRIBUTION}",
            advice=f'Put "{RUNTIME_DISTRIBUTION}" back into its dependencies, and install.',
            command=command,
        )
    installed = _installed(RUNTIME_DISTRIBUTION)
    if installed is None:
        return fault(f"{RUNTIME_DISTRIBUTION} is not installed", command=command)
    found = f"{RUNTIME_DISTRIBUTION} {Version(installed)} is installed"
    needed = manifest.runtime.specifier
    if not needed.contains(installed, prereleases=True):
        return fault(f"{found}, but {MANIFEST} asks for {needed}", command=command)
    rendered = _rendered_with(root, manifest)
    if rendered is not None and Version(installed) < rendered:
        return fault(f"{found}, but the template's files are those of {rendered}", command=command)
    return ok(f"{found}, as {MANIFEST} asks for")


async def check_namesake(root: Path | None, package: str) -> Finding:
    """Check that no other distribution has the runtime's package, or the runner's, too."""
    other = _installed(_NAMESAKE)
    spec = importlib.util.find_spec(_PACKAGE)
    imported = Path((spec and spec.origin) or __file__).parent
    if other is None and len(runners := runners_with(package)) > 1:
        return fault(
            f"{' and '.join(runners)} are installed in one environment, and each has a package "
            f"named {package!r}: a command may run the other's agent",
            advice="Keep one of them here, and install each other in an environment of its own.",
        )
    if other is None:
        return ok(f"{_PACKAGE} is that of {RUNTIME_DISTRIBUTION}, in {imported}")
    beside = "beside" if _installed(RUNTIME_DISTRIBUTION) else "instead of"
    message = (
        f"{_NAMESAKE} {other}, another project, is installed {beside} "
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


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _rendered_with(root: Path, manifest: Manifest) -> Version | None:
    """Return the runtime's version that the template's files are made for, if one is known."""
    try:
        of_commit = version_of_commit(read_answers(root)["_commit"])
    except AnswersError:
        of_commit = None
    return max(filter(None, (of_commit, manifest.rendered_version)), default=None)


def _is_dependency(root: Path) -> bool:
    try:
        return _NAMESAKE in Manifest.of(root).requirements
    except UsageError:
        return False
