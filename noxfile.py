"""The checks and chores of this repository; ``nox --list`` names them."""

from __future__ import annotations

from pathlib import Path

import nox

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PYTHONS = ["3.11", "3.12", "3.13"]

nox.options.default_venv_backend = "uv|venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "typecheck", "tests"]


def install(session: nox.Session, group: str) -> None:
    """Install a dependency group of the root ``pyproject.toml``, and the runtime."""
    session.install(*nox.project.dependency_groups(PROJECT, group), "-e", "./runtime")
    # The tests start hundreds of processes, each of which would compile what it imports.
    session.env["PYTHONDONTWRITEBYTECODE"] = None


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, with a sample of the large matrices, on each installed Python."""
    install(session, "test")
    session.run("pytest", "-n", "auto", "-m", "not full", *session.posargs)


@nox.session(python=PYTHONS)
def full(session: nox.Session) -> None:
    """Run all tests, with the whole of the large matrices."""
    install(session, "test")
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Test reports in Chromium; `-- --shots DIR` saves screenshots."""
    install(session, "browser")
    session.run("pytest", "tests/browser", *session.posargs)


@nox.session
def interop(session: nox.Session) -> None:
    """Test exports with the tools that read them; `-- --shots DIR` saves screenshots."""
    install(session, "interop")
    session.run("pytest", "tests/interop", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the format, lint, and check that each room imports only rooms below it."""
    install(session, "lint")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports")
    session.run("python", ".ci/rooms.py", "--check")


@nox.session
def rooms(session: nox.Session) -> None:
    """Write the table of rooms, and of what each imports, into CONTRIBUTING.md."""
    install(session, "lint")
    session.run("python", ".ci/rooms.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into site/, without a broken link; `-- --serve` shows it."""
    install(session, "docs")
    if session.posargs == ["--serve"]:
        session.run("zensical", "serve")
    else:
        session.run("zensical", "build", "--clean", "--strict", *session.posargs)


@nox.session
def typecheck(session: nox.Session) -> None:
    """Check the types of the runtime, strictly, and the type tests of the author's API."""
    install(session, "typecheck")
    session.run("pyright")


@nox.session
def audit(session: nox.Session) -> None:
    """Search the dependencies of the runtime and its tests for known vulnerabilities."""
    runtime = nox.project.load_toml(ROOT / "runtime" / "pyproject.toml")["project"]
    groups = nox.project.dependency_groups(PROJECT, "audit", "test")
    session.install(*groups, *runtime["dependencies"])
    # Without access to the advisories, as behind a mirror, it prints that and passes.
    session.run("pip-audit", "--progress-spinner", "off")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the performance goals and print a table; `-- --quick` takes a minute or two."""
    install(session, "bench")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def bench_peers(session: nox.Session) -> None:
    """Measure in comparison with another framework; `-- --quick` is shorter."""
    install(session, "bench-peers")
    session.run("python", "-m", "tests.benchmarks.peers", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Copy the template, install the copy, and run its benchmark to a score."""
    session.install("copier", "uv")
    project = Path(session.posargs[0] if session.posargs else ROOT / "demo" / "my-bench").resolve()
    if not project.exists():
        session.run("copier", "copy", "--defaults", "--vcs-ref", "HEAD", str(ROOT), str(project))
    session.chdir(project)
    # The copy gets a .venv of its own, as `make install` would give it.
    own = {"UV_PROJECT_ENVIRONMENT": None, "VIRTUAL_ENV": None}
    session.run("uv", "sync", "--quiet", env=own)
    session.run("uv", "run", "my-bench-runner", "run", "--dataset-name", "validation", env=own)
    session.log(f"Continue in {project}: see its README, and edit runner/benchmark.py.")


@nox.session
def build(session: nox.Session) -> None:
    """Build the runtime's sdist and wheel into dist/."""
    session.install("uv")
    session.run("uv", "build", "--quiet", "--out-dir", "dist", "runtime")
    for artifact in sorted((ROOT / "dist").iterdir()):
        session.log(artifact.name)


@nox.session
def release(session: nox.Session) -> None:
    """Check that a release is ready, build it into dist/ and try it, without publishing."""
    session.install(*nox.project.dependency_groups(PROJECT, "release"))
    session.run("python", ".ci/release.py", *session.posargs)
