"""The output of ``doctor``: a line for each check, a remedy below it, and a last line."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from benchmark_runner._text import plural
from benchmark_runner.cli.console import print_json, say
from benchmark_runner.cli.doctor.findings import Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from benchmark_runner.cli.doctor.findings import Finding

    Named = tuple[str, Finding]

__all__ = ["print_findings"]

_WIDTH = 80
_LABELS = {Status.OK: "ok", Status.FAULT: "FAULT", Status.NOT_CHECKED: "not checked"}
#: Of the longest label, and of the longest name of a check.
_LABEL_WIDTH, _NAME_WIDTH = 11, 9


async def print_findings(findings: AsyncIterator[Named], *, as_json: bool) -> int:
    """Print each finding as soon as there is one, and return the number of faults."""
    found: list[Named] = []
    async for name, finding in findings:
        found.append((name, finding))
        if not as_json:
            say(*_lines(name, finding))
    faults = _names(found, Status.FAULT)
    if as_json:
        print_json("doctor", {"faults": len(faults), "checks": [_as_json(*each) for each in found]})
    else:
        say(_summary(faults, _names(found, Status.NOT_CHECKED)))
    return len(faults)


def _names(found: Sequence[Named], status: Status) -> list[str]:
    return [name for name, finding in found if finding.status == status]


def _as_json(name: str, finding: Finding) -> dict[str, object]:
    return {
        "check": name,
        "status": finding.status.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def _lines(name: str, finding: Finding) -> Iterator[str]:
    begin = f"{_LABELS[finding.status]:{_LABEL_WIDTH}}  {name:{_NAME_WIDTH}}  "
    yield from _wrapped(finding.message, begin, " " * len(begin))
    margin = " " * (_LABEL_WIDTH + 2)
    if finding.advice:
        yield from _wrapped(finding.advice, margin, margin)
    if finding.command:
        yield margin + finding.command  # in one line, to be pasted


def _wrapped(text: str, begin: str, margin: str) -> Sequence[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=begin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(faults: Sequence[str], unknown: Sequence[str]) -> str:
    found = f"{plural(len(faults), 'fault')}: {', '.join(faults)}"
    not_checked = f"; not checked: {', '.join(unknown)}" if unknown else ""
    return f"{found if faults else 'No fault found'}{not_checked}."
