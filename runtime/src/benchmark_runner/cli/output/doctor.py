"""The output of ``doctor``: a line for each check, a remedy below it, and a last line."""

import textwrap
from collections.abc import AsyncIterator, Iterator

from benchmark_runner._text import plural
from benchmark_runner.cli.console import print_json, say
from benchmark_runner.cli.doctor.findings import Finding

__all__ = ["print_findings"]

_WIDTH = 80
_LABELS = {"ok": "ok", "fault": "PROBLEM", "not_checked": "not checked"}
#: Of the longest label, and of the longest name of a check.
_LABEL_WIDTH, _NAME_WIDTH = 11, 9


async def print_findings(findings: AsyncIterator[tuple[str, Finding]], *, as_json: bool) -> int:
    """Print each finding as soon as there is one, and return the number of problems."""
    found: list[tuple[str, Finding]] = []
    async for name, finding in findings:
        found.append((name, finding))
        if not as_json:
            say(*_lines(name, finding))
    faults = [name for name, finding in found if finding.status == "fault"]
    if as_json:
        checks = [
            {"check": name, "status": each.status, "message": each.message, "remedy": each.remedy}
            for name, each in found
        ]
        print_json("doctor", {"faults": len(faults), "checks": checks})
    else:
        unknown = [name for name, finding in found if finding.status == "not_checked"]
        summary = f"{plural(len(faults), 'problem')}: {', '.join(dict.fromkeys(faults))}"
        not_checked = f"; not checked: {', '.join(dict.fromkeys(unknown))}" if unknown else ""
        say(f"{summary if faults else 'No problem found'}{not_checked}.")
    return len(faults)


def _lines(name: str, finding: Finding) -> Iterator[str]:
    begin = f"{_LABELS[finding.status]:{_LABEL_WIDTH}}  {name:{_NAME_WIDTH}}  "
    yield from _wrapped(finding.message, begin, " " * len(begin))
    margin = " " * (_LABEL_WIDTH + 2)
    if finding.advice:
        yield from _wrapped(finding.advice, margin, margin)
    if finding.command:
        yield margin + finding.command  # in one line, to be pasted


def _wrapped(text: str, begin: str, margin: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=begin, subsequent_indent=margin,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
