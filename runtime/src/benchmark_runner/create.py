"""``create-benchmark-runner my-bench``: a runner repository from the template of this version.

It is one call of copier. Copier asks, makes the files and speaks for itself; what is said here
is what copier would end in a traceback for, or does not know.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner.errors import BenchmarkRunnerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "create-benchmark-runner"
TEMPLATE_URL = "https://github.com/vals-ai/create-benchmark-runner.git"

_LATER = "Try again later, or give --template with the path of a clone of it."
#: Seconds for the template's repository to say which tags it has.
_ANSWER_WITHIN = 60.0
_FROM_A_CLONE = "Give --template with the path of a clone of it."
_NO_SUCH_TAG = 2
_INTERRUPTED = 130


class _Options(argparse.Namespace):
    name: str
    defaults: bool
    data: list[str]
    template: Path | None


def main() -> None:
    """Make ``./NAME-runner`` and end with 0, 1 or 2; it is the console script."""
    given, passed_on = _halves(sys.argv[1:])
    parser = _parser()
    options = parser.parse_args(given, namespace=_Options())
    try:
        parser.exit(_create(options, passed_on))
    except BenchmarkRunnerError as error:
        lines = filter(None, (f"{PROGRAM}: error: {error.message}", error.hint))
        parser.exit(error.exit_code, "".join(f"{line}\n" for line in lines))
    except KeyboardInterrupt:
        parser.exit(_INTERRUPTED, f"{PROGRAM}: stopped by SIGINT\n")


def _halves(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What is ours, and what follows ``--``."""
    if "--" not in arguments:
        return arguments, []
    here = arguments.index("--")
    return arguments[:here], arguments[here + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        allow_abbrev=False,
        usage=f"{PROGRAM} [options] NAME [-- COPIER_OPTION ...]",
        description="Make the repository of a benchmark runner in ./NAME-runner.",
        epilog="What follows -- is handed to `copier copy` as it is.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the benchmark, such as my-bench")
    parser.add_argument(
        "--defaults", action="store_true", help="take the default answers and ask nothing"
    )
    parser.add_argument(
        "--data",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=_assignment,
        help="answer a question; may be given again",
    )
    parser.add_argument(
        "--template",
        metavar="PATH",
        type=Path,
        help="a clone of the template, of which HEAD is used, instead of its release",
    )
    return parser


def _assignment(text: str) -> str:
    if "=" not in text:
        message = f"{text!r} is not of the form KEY=VALUE"
        raise argparse.ArgumentTypeError(message)
    return text


def _create(options: _Options, passed_on: Sequence[str]) -> int:
    name = options.name.removesuffix("-runner")
    folder = Path(f"{name}-runner")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(
            f"{folder} exists, and is not an empty folder.",
            hint="Choose another name, or move it out of the way.",
        )
    _check_tools()
    template, reference = _source(options.template)
    arguments = ["--vcs-ref", reference, "--data", f"benchmark_name={name}"]
    for answer in options.data:
        arguments += ["--data", answer]
    if options.defaults:
        arguments.append("--defaults")
    # With the dot, no name can be taken for an option.
    return _copier_copy([*arguments, *passed_on, template, f"./{folder}"])


def _check_tools() -> None:
    import shutil

    from benchmark_runner._extras import require_extra

    require_extra("create", BenchmarkRunnerError)
    if shutil.which("git") is None:
        raise BenchmarkRunnerError(
            "git, which fetches the template, is not on the PATH.", hint="Install git."
        )


def _source(template: Path | None) -> tuple[str, str]:
    """Where the template is, and which state of it: the one that belongs to this runtime."""
    if template is None:
        return TEMPLATE_URL, _release_tag()
    if not ((template / "copier.yml").is_file() and (template / ".git").exists()):
        raise UsageError(
            f"{template} is not a clone of the template.",
            hint=f"Make one with: git clone {TEMPLATE_URL}",
        )
    # An update finds it by this path, from another folder.
    return str(template.resolve()), "HEAD"


def _release_tag() -> str:
    """The tag of this runtime's version, which the template has.

    Raises:
        UsageError: this runtime is not of a release.
        BenchmarkRunnerError: the template does not have the tag, or can't be asked.
    """
    import os
    import re
    import subprocess

    from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version

    version = installed_version(RUNTIME_DISTRIBUTION)
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise UsageError(
            f"The runtime here is {version}, which is no release of {TEMPLATE_URL}.",
            hint=_FROM_A_CLONE,
        )
    tag = f"v{version}"
    try:
        done = subprocess.run(  # noqa: S603 (fixed arguments)
            ["git", "ls-remote", "--exit-code", "--tags", TEMPLATE_URL, f"refs/tags/{tag}"],  # noqa: S607 (wherever it is installed)
            # Nobody is asked for a password: the template is public.
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchmarkRunnerError(
            f"{TEMPLATE_URL} did not answer within {_ANSWER_WITHIN:g} s.", hint=_LATER
        ) from None
    if done.returncode == _NO_SUCH_TAG:
        raise BenchmarkRunnerError(
            f"{TEMPLATE_URL} has no tag {tag}, the version of the runtime here.",
            hint=_FROM_A_CLONE,
        )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        fatal = [line for line in said if line.startswith("fatal: ")]
        raise BenchmarkRunnerError(
            f"{TEMPLATE_URL} can't be asked for its tag {tag}: {''.join(fatal[:1] or said[-1:])}",
            hint=_LATER,
        )
    return tag


def _copier_copy(arguments: Sequence[str]) -> int:
    """Do as ``python -m copier copy`` does, in this process, without its tracebacks."""
    import runpy

    sys.argv = ["copier", "copy", *arguments]
    try:
        runpy.run_module("copier", run_name="__main__")
    except SystemExit as end:
        # It has more codes than we do.
        return end.code if isinstance(end.code, int) and end.code <= UsageError.exit_code else 1
    except ValueError as error:
        # An answer that copier.yml refuses, mostly.
        raise UsageError(f"copier: {error}") from None
    except OSError as error:
        raise BenchmarkRunnerError(f"copier: {error}") from None
    return 0
