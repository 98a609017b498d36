"""``create-benchmark-runner my-bench``: a runner repository from the template of this version.

It is one call of copier, which asks the questions and writes the files. Added are errors that
copier would end in a traceback for, or does not know.
"""

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from benchmark_runner.errors import BenchmarkRunnerError, UsageError

__all__ = ["PROGRAM", "TEMPLATE_URL", "main"]

PROGRAM = "create-benchmark-runner"
TEMPLATE_URL = "https://github.com/vals-ai/create-benchmark-runner.git"

_LATER = "Retry later, or give --template with the path of a clone of it."
_FROM_A_CLONE = "Give --template with the path of a clone of it."
_INTERRUPTED = 130
#: For git: a transfer without a byte a second, for so many seconds, is given up.
_STALLED = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60"}


class _Options(argparse.Namespace):
    name: str
    defaults: bool
    data: list[str]
    template: Path | None


def main() -> None:
    """Make ``./NAME-runner`` and exit with 0, 1 or 2: the console script."""
    arguments = sys.argv[1:]
    own = arguments.index("--") if "--" in arguments else len(arguments)
    parser = _parser()
    options = parser.parse_args(arguments[:own], namespace=_Options())
    try:
        parser.exit(_create(options, arguments[own + 1 :]))
    except BenchmarkRunnerError as error:
        lines = filter(None, (f"{PROGRAM}: error: {error.message}", error.hint))
        parser.exit(error.exit_code, "".join(f"{line}\n" for line in lines))
    except KeyboardInterrupt:
        parser.exit(_INTERRUPTED, f"{PROGRAM}: stopped by SIGINT\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        allow_abbrev=False,
        usage=f"{PROGRAM} [options] NAME [-- COPIER_OPTION ...]",
        description="Make the repository of a benchmark runner in ./NAME-runner.",
        epilog="Arguments after -- are passed to `copier copy`.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the benchmark, such as my-bench")
    parser.add_argument(
        "--defaults", action="store_true", help="use the default answers and ask nothing"
    )
    parser.add_argument(
        "--data",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=_assignment,
        help="answer a question; repeatable",
    )
    parser.add_argument(
        "--template",
        metavar="PATH",
        type=Path,
        help="a clone of the template, at HEAD, instead of the release",
    )
    return parser


def _assignment(text: str) -> str:
    if "=" not in text:
        message = f"{text!r} is not of the form KEY=VALUE"
        raise argparse.ArgumentTypeError(message)
    return text


def _create(options: _Options, passed_on: Sequence[str]) -> int:
    # As the template spells it: cyber-bench, also for Cyber_Bench.
    name = re.sub("[ _.]", "-", options.name.strip(" ").lower()).removesuffix("-runner")
    folder = Path(f"{name}-runner")
    there = folder.exists() or folder.is_symlink()
    if there and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(
            f"{folder} exists, and is not an empty folder.",
            hint="Choose another name, or move it out of the way.",
        )
    _check_tools()
    template, reference = _source(options.template)
    answers = [f"--data={answer}" for answer in (f"benchmark_name={name}", *options.data)]
    defaults = ["--defaults"] if options.defaults else []
    # With the dot, no name can be taken for an option.
    arguments = [*answers, *defaults, *passed_on, template, f"./{folder}"]
    return _copier_copy(template, reference, arguments)


def _check_tools() -> None:
    import shutil

    from benchmark_runner._extras import require_extra

    require_extra("create", BenchmarkRunnerError)
    if shutil.which("git") is None:
        raise BenchmarkRunnerError(
            "git, which fetches the template, is not on the PATH.", hint="Install git."
        )


def _source(template: Path | None) -> tuple[str, str]:
    """Return the template's address, and the state that belongs to this runtime."""
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
    from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version

    version = installed_version(RUNTIME_DISTRIBUTION)
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise UsageError(
            f"The runtime here is {version}, which is no release of {TEMPLATE_URL}.",
            hint=_FROM_A_CLONE,
        )
    return f"v{version}"


def _copier_copy(template: str, reference: str, arguments: Sequence[str]) -> int:
    """Run ``python -m copier copy`` in this process, and return its exit code."""
    import runpy

    # git asks nobody for a password, and its errors are searched for words.
    os.environ |= {"GIT_TERMINAL_PROMPT": "0", "LANGUAGE": "C"}
    for name, value in _STALLED.items():
        os.environ.setdefault(name, value)
    if sys.stdout is cast("object", None):  # closed by the caller; copier flushes it at its end
        sys.stdout = io.StringIO()
    sys.argv = ["copier", "copy", "--vcs-ref", reference, *arguments]
    try:
        runpy.run_module("copier", run_name="__main__")
    except SystemExit as end:
        # It has more codes than we do.
        return end.code if isinstance(end.code, int) and end.code <= UsageError.exit_code else 1
    except (ValueError, OSError) as error:
        raise _explained(error, template, reference) from None
    return 0


def _explained(error: ValueError | OSError, template: str, reference: str) -> BenchmarkRunnerError:
    """Return the error that copier would end in a traceback for, in our words."""
    if re.search(f"(?:Unknown revision: '|invalid reference: ){reference}\\b", str(error)):
        return BenchmarkRunnerError(
            f"{template} has no tag {reference}, the version of the runtime here.",
            hint=_FROM_A_CLONE,
        )
    from benchmark_runner._redaction import without_user_info_in

    if fatal := re.search("fatal: .*", str(getattr(error, "stderr", ""))):
        reason = without_user_info_in(fatal[0])
        return BenchmarkRunnerError(f"{template} can't be fetched: {reason}", hint=_LATER)
    # Mostly an answer that copier.yml refuses.
    kind = UsageError if isinstance(error, ValueError) else BenchmarkRunnerError
    return kind(f"copier: {without_user_info_in(str(error))}")
