"""How a run is going, in rows for a terminal and in lines for a log; text in, text out.

Text of services and names of tasks are made safe for a terminal, and cut to its width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner._text import clock, dollars, in_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmark_runner._progress.tally import Running, Tally

#: A row is never longer, so that most windows can be resized without breaking it.
WIDEST = 80
#: A plain line is never longer.
LONGEST_LINE = 100
_BAR = 20
#: Tasks that are named, and the seconds from which on one is.
_NAMED = 3
_NAMED_AFTER = 5.0
_MINUTE, _HOUR = 60, 60 * 60
_THOUSAND, _MILLION = 1000, 1_000_000


def rows(
    tally: Tally, now: float, mask: Callable[[str], str], *, columns: int, lines: int
) -> list[str]:
    """The rows of a live display; as many as fit, the most important ones first.

    Args:
        tally: The counts.
        now: What its clock says.
        mask: Masks secrets.
        columns: The width of the terminal.
        lines: How many rows there may be.
    """
    width = min(columns - 1, WIDEST)
    found = [*summary_rows(tally, now), _slots(tally), *_waiting(tally, now, mask)]
    if (note := tally.note(now)) is not None:
        found.append(mask(in_one_line(note)))
    found += _longest(tally, now, mask, width)
    return [cut(row, width) for row in found[: max(lines, 1)]]


def summary_rows(tally: Tally, now: float) -> list[str]:
    """The rows that stay when the run has ended."""
    filled = _BAR * tally.done // tally.total if tally.total else _BAR
    bar = "━" * filled + "─" * (_BAR - filled)
    times = [f"{tally.done}/{tally.total} done", clock(now - tally.started_at)]
    times += [*_pace(tally, now)]
    facts = ([*_outcomes(tally), *_mean(tally, with_count=True)], _spent(tally))
    return [f"{bar} {'  '.join(times)}", *("  ".join(parts) for parts in facts if parts)]


def plain_line(tally: Tally, now: float, mask: Callable[[str], str]) -> str:
    """One line for a log: what counts always, of the rest what there is room for."""
    line = ", ".join([counts(tally), *_waiting(tally, now, mask)])
    if (note := tally.note(now)) is not None:
        line += f"; {in_one_line(mask(note))}"
    for fact in (*_mean(tally), *_spent(tally)[:1], *_pace(tally, now)):
        if cells(line) + len(fact) + 2 <= LONGEST_LINE:
            line += f", {fact}"
    return cut(line, LONGEST_LINE)


def counts(tally: Tally) -> str:
    """How many tasks are where: the part of a line that does not change by itself."""
    parts = [
        f"{tally.done}/{tally.total} done",
        f"{tally.generating} generating",
        f"{tally.grading} grading",
    ]
    return ", ".join([*parts, *_outcomes(tally)])


def cells(text: str) -> int:
    """How many columns a terminal needs for it."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """``text`` if it fits into so many columns, else its beginning and an ellipsis."""
    if cells(text) <= width:
        return text
    from rich.cells import set_cell_size

    return f"{set_cell_size(text, max(width - 1, 0)).rstrip()}…"


def _slots(tally: Tally) -> str:
    parts = [f"{tally.generating} generating", f"{tally.grading} grading"]
    if tally.to_grade:
        parts.append(f"{tally.to_grade} to grade")
    return "  ".join(parts)


def _waiting(tally: Tally, now: float, mask: Callable[[str], str]) -> Iterator[str]:
    first = tally.next_try
    if first is not None and first.reason is not None:
        due, reason = max(first.until - now, 0.0), in_one_line(mask(first.reason))
        yield f"{tally.waiting} to try again, the next in {due:.0f} s: {reason}"


def _outcomes(tally: Tally) -> list[str]:
    failed = [f"{tally.failed} failed"] if tally.failed else []
    return failed + ([f"{tally.timed_out} timed out"] if tally.timed_out else [])


def _mean(tally: Tally, *, with_count: bool = False) -> list[str]:
    scores = tally.scores
    if not scores.count:
        return []
    error = f" ± {scores.stderr:.2g}" if scores.stderr is not None else ""
    return [f"mean {scores.mean:.4g}{error}{f' (n={scores.count})' if with_count else ''}"]


def _spent(tally: Tally) -> list[str]:
    spent = tally.spent
    parts = [f"{'≥ ' if spent.unknown else ''}{dollars(spent.dollars)}"] if spent.dollars else []
    if spent.input_tokens or spent.output_tokens:
        parts.append(f"{_short(spent.input_tokens)} tokens in, {_short(spent.output_tokens)} out")
    return parts


def _pace(tally: Tally, now: float) -> Iterator[str]:
    if (rate := tally.rate(now)) is None:
        return
    if rate >= 1:
        yield f"{rate:.1f}/s"
    else:
        yield f"{rate * _MINUTE:.1f}/min" if rate * _MINUTE >= 1 else f"{rate * _HOUR:.1f}/h"
    if left := tally.remaining(now):
        yield f"{clock(left)} left"


def _longest(tally: Tally, now: float, mask: Callable[[str], str], width: int) -> Iterator[str]:
    for running in tally.longest(_NAMED):
        age = now - running.since
        if age >= _NAMED_AFTER:
            doing = _doing(running, now, mask)
            room = max(width - 11 - min(len(doing), width // 2), 8)
            yield f"{clock(age):>8}  {cut(mask(in_one_line(running.task_id)), room)}  {doing}"


def _doing(running: Running, now: float, mask: Callable[[str], str]) -> str:
    if running.reason is None:
        return "grading" if running.grading else "generating"
    due = max(running.until - now, 0.0)
    return f"grading, again in {due:.0f} s: {in_one_line(mask(running.reason))}"


def _short(count: int) -> str:
    if count < _THOUSAND:
        return str(count)
    if count < _MILLION:
        return f"{count / _THOUSAND:.0f}k"
    return f"{count / _MILLION:.2f}M"
