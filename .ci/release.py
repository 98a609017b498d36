"""Check that a release is ready, build it, try it, and print the next steps.

It writes into dist/ and nowhere else: .github/workflows/release.yml publishes and tags. Each
check returns its faults as sentences, so that one call prints all that is left to do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from datetime import date
from email.parser import HeaderParser
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
STEM = "vals_benchmark_runner"
LICENCE = "MIT"
INFO_FILES = {"entry_points.txt", "licenses/LICENSE"}
SDIST_FILES = {"PKG-INFO", "LICENSE", "README.md", "pyproject.toml", ".gitignore"}
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
    """Check, build, try and print; ``asked`` is the version to be released."""
    version = read_version(ROOT)
    faults = [
        *check_version(version, asked),
        *check_changelog((ROOT / "CHANGELOG.md").read_text(), version),
        *check_pythons(ROOT),
        *check_repository(ROOT, version),
    ]
    built = build(ROOT, ROOT / "dist")
    for archive in built:
        print(f"Built {archive.relative_to(ROOT)}, {archive.stat().st_size:,} bytes")
    faults += check_archives(ROOT, built, version)
    for archive in built:
        faults += check_in_use(archive, version)
        print(f"Tried {archive.name} in an environment of its own")
    if faults:
        print(f"{version} can't be released yet:", *(f"- {fault}" for fault in faults), sep="\n")
        return 1
    print(NEXT_STEPS.format(version=version))
    return 0


def read_version(root: Path) -> str:
    """Return the one version of the template and the runtime."""
    return _project(root)["version"]


def check_version(version: str, asked: str | None) -> list[str]:
    """Check that the version has three numbers, as tags do that copier takes for versions."""
    faults = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        faults.append(f"runtime/pyproject.toml says version {version}, which is not X.Y.Z.")
    if asked is not None and asked != version:
        faults.append(f"You asked for {asked}, but runtime/pyproject.toml says {version}.")
    return faults


def check_changelog(text: str, version: str) -> list[str]:
    """Check that the changelog has an entry with a day, and text in every section."""
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


def check_pythons(root: Path) -> list[str]:
    """Check that the Pythons of the classifiers are tested, here and in a copy."""
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


def check_repository(root: Path, version: str) -> list[str]:
    """Check that everything is committed, and that the tag is free."""
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


def build(root: Path, folder: Path) -> list[Path]:
    """Build the sdist, and the wheel from it, into an emptied folder."""
    shutil.rmtree(folder, ignore_errors=True)
    _python("uv", "build", "--quiet", "--out-dir", folder, root / "runtime")
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def check_archives(root: Path, built: list[Path], version: str) -> list[str]:
    """Check that the archives are complete, hold nothing else, and can be shown by an index."""
    names = [path.name for path in built]
    expected = [f"{STEM}-{version}-py3-none-any.whl", f"{STEM}-{version}.tar.gz"]
    if names != expected:
        return [f"There should be {' and '.join(expected)}, not {', '.join(names) or 'nothing'}."]
    wheel, sdist = built
    package = root / "runtime" / "src" / "benchmark_runner"
    top = f"{STEM}-{version}"
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = archive.read(f"{top}.dist-info/METADATA")
        info = {name.removeprefix(f"{top}.dist-info/") for name in archive.namelist()}
    with tarfile.open(sdist) as archive:
        files = {name.removeprefix(f"{top}/") for name in archive.getnames()}
        member = archive.extractfile(f"{top}/PKG-INFO")
        in_sdist = member.read() if member else b""
    sources = {name.removeprefix("runtime/") for name in _git(root, "ls-files", "runtime/src")}
    return [
        *_check_with("check_wheel_contents", "--no-config", "--package", package, wheel),
        *_check_with("twine", "check", "--strict", *built),
        *(f"The wheel lacks {top}.dist-info/{name}." for name in sorted(INFO_FILES - info)),
        *(f"The sdist lacks {name}." for name in sorted((sources | SDIST_FILES) - files)),
        *(
            f"The sdist holds {name}, a stray file."
            for name in sorted(files - sources - SDIST_FILES)
        ),
        *_check_metadata("wheel", in_wheel.decode(), root),
        *_check_metadata("sdist", in_sdist.decode(), root),
    ]


def _check_metadata(archive: str, text: str, root: Path) -> list[str]:
    project, metadata = _project(root), HeaderParser().parsestr(text)
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


def _check_with(module: str, *arguments: str | Path) -> list[str]:
    done = _python(module, *arguments, check=False)
    printed = " ".join(f"{done.stdout} {done.stderr}".split())
    return [f"{module}: {printed}"] if done.returncode else []


def check_in_use(archive: Path, version: str) -> list[str]:
    """Check that it works when installed alone: import, help, version, and a run to its score."""
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
    """Run a module of this environment; exit with its output if ``check`` and it fails."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        sys.exit(f"{module} failed: {done.stdout}{done.stderr}")
    return done


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [None]))
