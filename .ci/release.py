"""Check that a release is ready, build it, try what was built, and say what to do then.

It writes into dist/ and nowhere else: .github/workflows/release.yml publishes and tags. Each
check returns its faults as sentences, so that one call tells all that is left to do.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import date
from email.parser import HeaderParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).parents[1]
STEM = "vals_benchmark_runner"
LICENCE = "MIT"
SECTIONS = ("Template", "Runtime", "You will see in `copier update`")
TEMPLATE_WORKFLOW = "template/{% if ci %}.github{% endif %}/workflows/ci.yml"

#: A whole benchmark: its one task is solved, and graded by the embedded service.
TINY = """\
from benchmark_runner import BenchmarkRunner, GenerationResult, make_cli


class TinyRunner(BenchmarkRunner):
    NAME = "tiny"
    GENERATION_VERSION_ENV = "TINY_GENERATION_VERSION"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        return GenerationResult(answer=task.question.upper())


def grade(task, response):
    return {"pass_percentage": float(response == task["answer"])}


cli = make_cli(
    TinyRunner,
    grader=grade,
    default_dataset_file="data/tiny.json",
    default_model="shout",
    default_service_url="local",
)

if __name__ == "__main__":
    cli()
"""
TINY_TASKS = {"tests": [{"id": "one", "question": "louder", "answer": "LOUDER"}]}

NEXT_STEPS = """\
{version} can be released. In this order:

1. Push the commit:        git push origin main
2. Publish the runtime:    gh workflow run release.yml --ref main -f version={version}
   It does all of this again, publishes to the package index, and tags v{version} last.
3. Do not push the tag by hand: from then on copier renders v{version}, and those projects
   ask for a runtime that has to be there already.
4. See it work:            uvx copier copy gh:vals-ai/create-benchmark-runner my-bench
"""


def main(asked: str | None) -> int:
    """Check, build, try and print; ``asked`` is the version that is to be released."""
    version = stated_version(ROOT)
    faults = [
        *faults_of_version(version, asked),
        *faults_of_changelog((ROOT / "CHANGELOG.md").read_text(), version),
        *faults_of_pythons(ROOT),
        *faults_of_repository(ROOT, version),
    ]
    built = build(ROOT, ROOT / "dist")
    for archive in built:
        print(f"Built {archive.relative_to(ROOT)}, {archive.stat().st_size:,} bytes")
    faults += faults_of_archives(ROOT, built, version)
    for archive in built:
        faults += faults_in_use(archive, version)
        print(f"Tried {archive.name} in an environment of its own")
    if faults:
        print(f"{version} can't be released yet:", *(f"- {fault}" for fault in faults), sep="\n")
        return 1
    print(NEXT_STEPS.format(version=version))
    return 0


# --- What must agree ------------------------------------------------------------------------


def stated_version(root: Path) -> str:
    """The one version of the template and the runtime."""
    return _project(root)["version"]


def faults_of_version(version: str, asked: str | None) -> list[str]:
    """Copier takes tags for versions, and three numbers are what its tags have."""
    faults = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        faults.append(f"runtime/pyproject.toml says version {version}, which is not X.Y.Z.")
    if asked is not None and asked != version:
        faults.append(f"You asked for {asked}, but runtime/pyproject.toml says {version}.")
    return faults


def faults_of_changelog(text: str, version: str) -> list[str]:
    """A reader finds what changed, and when."""
    entry = re.search(
        rf"^## {re.escape(version)} \(([^)\n]*)\)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    if entry is None:
        return [f"CHANGELOG.md has no entry for it: begin one with `## {version} (YYYY-MM-DD)`."]
    day, body = entry.groups()
    faults = []
    try:
        date.fromisoformat(day)
    except ValueError:
        faults.append(
            f"CHANGELOG.md says `{version} ({day})`: put the day of the release in its place, "
            f"such as `{version} ({date.today()})`."  # noqa: DTZ011 (the day where one sits)
        )
    for section in SECTIONS:
        found = re.search(
            rf"^### {re.escape(section)}\n(.*?)(?=^###|\Z)", body, re.MULTILINE | re.DOTALL
        )
        if found is None:
            faults.append(f"CHANGELOG.md has no section `### {section}` for {version}.")
        elif not found[1].strip():
            faults.append(f"CHANGELOG.md says nothing under `### {section}` for {version}.")
    return faults


def faults_of_pythons(root: Path) -> list[str]:
    """The Pythons that are promised are those that are tested, here and in a copy."""
    project = _project(root)
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    faults = []
    lists = {
        "noxfile.py": r"^PYTHONS = (\[.*\])$",
        ".github/workflows/ci.yml": r"python-version: (\|\n(?: +3\.\d+\n)+)",
        TEMPLATE_WORKFLOW: r"python-version: (\[.*\])$",
    }
    for place, pattern in lists.items():
        found = re.search(pattern, (root / place).read_text(), re.MULTILINE)
        tested = re.findall(r"3\.\d+", found[1]) if found else []
        if tested != promised:
            faults.append(
                f"{place} tests {', '.join(tested) or 'no Python'}, but the classifiers of "
                f"runtime/pyproject.toml name {', '.join(promised)}."
            )
    for place in ("runtime/pyproject.toml", "template/pyproject.toml.jinja"):
        found = re.search(r'^requires-python = "(.*)"$', (root / place).read_text(), re.MULTILINE)
        required = found[1] if found else "nothing"
        if required != f">={promised[0]}":
            faults.append(
                f"{place} requires {required} of Python, but the classifiers of "
                f"runtime/pyproject.toml begin with {promised[0]}."
            )
    return faults


def faults_of_repository(root: Path, version: str) -> list[str]:
    """What is checked is what is committed, and the tag is still to be had."""
    faults = []
    if changed := _git(root, "status", "--porcelain"):
        names = ", ".join(line[3:] for line in changed)
        faults.append(f"The working tree has changes that are not committed: {names}.")
    for tag in _git(root, "tag", "--list"):
        if tag == f"v{version}":
            faults.append(f"The tag {tag} exists already: raise the version.")
        elif not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
            faults.append(f"The tag {tag} is not vX.Y.Z, and copier would take it for a version.")
    return faults


# --- What is built --------------------------------------------------------------------------


@dataclass(frozen=True)
class Contents:
    """What an archive holds: the names of its files, and its metadata."""

    files: set[str]
    metadata: Message


def build(root: Path, folder: Path) -> list[Path]:
    """Build the sdist, and the wheel from it, into a folder that holds nothing else then."""
    shutil.rmtree(folder, ignore_errors=True)
    _python("uv", "build", "--quiet", "--out-dir", folder, root / "runtime")
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def faults_of_archives(root: Path, built: list[Path], version: str) -> list[str]:
    """The archives are complete, hold nothing else, and are described as an index wants it."""
    names = [path.name for path in built]
    expected = [f"{STEM}-{version}-py3-none-any.whl", f"{STEM}-{version}.tar.gz"]
    if names != expected:
        return [f"There should be {' and '.join(expected)}, not {', '.join(names) or 'nothing'}."]
    wheel, sdist = built
    sources = {
        name.removeprefix("runtime/src/") for name in _git(root, "ls-files", "runtime/src")
    } | {"benchmark_runner/py.typed"}
    info = f"{STEM}-{version}.dist-info"
    info_files = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    sdist_files = {"PKG-INFO", "LICENSE", "README.md", "pyproject.toml", ".gitignore"}
    in_wheel = _contents_of_wheel(wheel, f"{info}/METADATA")
    in_sdist = _contents_of_sdist(sdist, f"{STEM}-{version}")
    return [
        *_differences("wheel", in_wheel.files, sources | {f"{info}/{x}" for x in info_files}),
        *_differences("sdist", in_sdist.files, {f"src/{x}" for x in sources} | sdist_files),
        *_faults_of_metadata("wheel", in_wheel.metadata, root),
        *_faults_of_metadata("sdist", in_sdist.metadata, root),
        *_faults_of_record(wheel, f"{info}/RECORD"),
        *_faults_of_rendering(built),
    ]


def _contents_of_wheel(wheel: Path, metadata: str) -> Contents:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(metadata).decode()
        return Contents(set(archive.namelist()), HeaderParser().parsestr(text))


def _contents_of_sdist(sdist: Path, top: str) -> Contents:
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(f"{top}/PKG-INFO")
        text = member.read().decode() if member else ""
        files = {name.removeprefix(f"{top}/") for name in archive.getnames()}
        return Contents(files, HeaderParser().parsestr(text))


def _differences(archive: str, files: set[str], expected: set[str]) -> list[str]:
    return [
        *(f"The {archive} lacks {name}." for name in sorted(expected - files)),
        *(f"The {archive} holds {name}, a stray file." for name in sorted(files - expected)),
    ]


def _faults_of_metadata(archive: str, metadata: Message, root: Path) -> list[str]:
    project = _project(root)
    expected = {
        "Name": project["name"],
        "Version": project["version"],
        "Requires-Python": project["requires-python"],
        "License-Expression": LICENCE,
        "License-File": "LICENSE",
        "Description-Content-Type": "text/markdown",
    }
    return [
        f"The {archive}'s metadata says {field}: {metadata[field]}, not {value}."
        for field, value in expected.items()
        if metadata[field] != value
    ]


def _faults_of_record(wheel: Path, record: str) -> list[str]:
    """Installers compare what they unpack with what the wheel says it holds."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name != record}
        lines = list(csv.reader(archive.read(record).decode().splitlines()))
    recorded = {name: (digest, size) for name, digest, size in lines if name != record}
    true = {name: (_digest(content), str(len(content))) for name, content in files.items()}
    return [
        f"The wheel's RECORD is wrong about {name}."
        for name in sorted(recorded.keys() | true.keys())
        if recorded.get(name) != true.get(name)
    ]


def _digest(content: bytes) -> str:
    digest = urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
    return f"sha256={digest.rstrip('=')}"


def _faults_of_rendering(built: list[Path]) -> list[str]:
    done = _python("twine", "check", "--strict", *built, check=False)
    if done.returncode == 0:
        return []
    said = " ".join(f"{done.stdout} {done.stderr}".split())
    return [f"twine finds fault with what an index would show: {said}"]


# --- What was built, in use -----------------------------------------------------------------


def faults_in_use(archive: Path, version: str) -> list[str]:
    """Installed alone it imports, helps, tells its version and takes a run to its score."""
    with TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        python = place / "venv" / "bin" / "python"
        _python("uv", "venv", "--quiet", "--python", sys.executable, place / "venv")
        _python("uv", "pip", "install", "--quiet", "--python", python, archive)
        project = place / "tiny"
        (project / "data").mkdir(parents=True)
        (project / "pyproject.toml").write_text('[project]\nname = "tiny-runner"\n')
        (project / "tiny.py").write_text(TINY)
        (project / "data" / "tiny.json").write_text(json.dumps(TINY_TASKS))
        create = python.with_name("create-benchmark-runner")
        where = "import benchmark_runner; print(benchmark_runner.__file__)"
        steps = [
            ("import", [python, "-c", where], str(python.parents[1])),
            ("create-benchmark-runner --help", [create, "--help"], "NAME-runner"),
            ("--version", [python, "tiny.py", "--version"], version),
            ("run", [python, "tiny.py", "run", "--run-id", "smoke"], "smoke"),
        ]
        for step, command, expected in steps:
            done = subprocess.run(  # noqa: PLW1510 (its code is looked at)
                command,
                cwd=project,
                # Nothing of this machine's decides how it ends.
                env={"PATH": os.environ["PATH"], "HOME": str(place)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            if done.returncode != 0 or expected not in done.stdout:
                said = " ".join(f"{done.stdout} {done.stderr}".split())
                return [f"{archive.name}, installed alone, fails at {step}: {said}"]
        score = json.loads((project / "results" / "smoke" / "final_score.json").read_text())
        if (score["final_score"], score["complete"]) != (1.0, True):
            return [f"{archive.name}, installed alone, takes a run to a wrong score: {score}"]
    return []


def _project(root: Path) -> dict:
    return tomllib.loads((root / "runtime" / "pyproject.toml").read_text())["project"]


def _git(root: Path, *arguments: str) -> list[str]:
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def _python(
    module: str, *arguments: str | Path, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a module of this environment; what it says is kept unless it fails."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        sys.exit(f"{module} failed: {done.stdout}{done.stderr}")
    return done


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [None]))
