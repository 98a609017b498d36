"""The installed distribution that a console script belongs to, and whose code it runs.

All runners have a package of the same name, so an environment can hold only one of them.
"""

from __future__ import annotations

import hashlib
import json
import sys
from base64 import urlsafe_b64encode
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from benchmark_runner._project.folders import Project
from benchmark_runner._project.manifest import read_manifest, table_in
from benchmark_runner.errors import RunnerDefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINT = "Install each runner in an environment of its own: make install, in its repository."


def package_of(runner: type | str) -> str:
    """Return the name of the top-level package of a runner class, or of the name of one."""
    module = runner.partition(":")[0] if isinstance(runner, str) else runner.__module__
    return module.partition(".")[0]


def refuse_another_runner(package: str, module_file: Path) -> None:
    """Refuse to run code that is not that of the console script which was called.

    Args:
        package: The name of the runner's package.
        module_file: A file of it, where Python imports it from.

    Raises:
        RunnerDefinitionError: it is another runner's.
    """
    script = Path(sys.argv[0]).name
    owner = _distribution_of(script, package)
    if owner is None or (other := _other_owner(module_file, owner, package)) is None:
        return
    raise RunnerDefinitionError(
        f"{script} would run the agent of {other}: both have a package named {package!r}, "
        f"and Python imports the one in {module_file.parent}",
        hint=_HINT,
    )


def runners_with(package: str) -> list[str]:
    """Return the names of the installed distributions with a script in a package of this name."""
    return sorted({found.name for found in distributions() if [*_scripts(found, package)]})


def _scripts(found: Distribution, package: str) -> Iterator[str]:
    for each in found.entry_points:
        if each.group == "console_scripts" and each.module.partition(".")[0] == package:
            yield each.name


def _distribution_of(script: str, package: str) -> Distribution | None:
    with suppress(PackageNotFoundError, ValueError):
        found = distribution(script)  # which is how the template names it
        if script in _scripts(found, package):
            return found
    return next((found for found in distributions() if script in _scripts(found, package)), None)


def _other_owner(file: Path, owner: Distribution, package: str) -> str | None:
    root = Project.of_file(file).root
    if root is not None:
        name = _project_name(root)
        is_own = root == _editable_root(owner) or _canonical(name) == _canonical(owner.name)
        return None if is_own else name or str(root)
    if _installed(file, owner):
        return None
    others = (found for found in distributions() if [*_scripts(found, package)])
    return next((found.name for found in others if _installed(file, found)), None)


def _editable_root(found: Distribution) -> Path | None:
    url = urlsplit(str(json.loads(found.read_text("direct_url.json") or "{}").get("url", "")))
    return Path(unquote(url.path)).resolve() if url.scheme == "file" else None


def _project_name(root: Path) -> str:
    return str(table_in(read_manifest(root), "project").get("name", ""))


def _installed(file: Path, found: Distribution) -> bool:
    """Return True if the distribution installed the file, and no other has overwritten it."""
    for each in found.files or ():
        if each.name == file.name and Path(str(each.locate())).resolve() == file.resolve():
            digest = urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).decode()
            return each.hash is None or each.hash.value == digest.rstrip("=")
    return False


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
