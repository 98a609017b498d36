"""The progress of a run as rows for a terminal and as lines for a log.

Text of services and names of tasks are made safe for a terminal, and cut to its width.
"""

import re
from collections.abc import Callable, Iterator

from benchmark_runner._progress.tally import ActiveTask, Tally
from benchmark_runner._stats.forecast import Forecast
from benchmark_runner._text import (
    about_cost,
    about_time,
    about_time_with_range,
    clock,
    dollars,
    in_one_line,
)

#: A row is never longer, so that most windows can be resized without breaking it.
WIDEST = 80
#: A plain line is never longer.
LONGEST_LINE = 100
_BAR = 20
#: Tasks that are named, and the seconds from which on one is.
_NAMED = 3
_NAMED_AFTER = 5.0
_MINUTE, _HOUR = 60, 60 * 60
#: Where the details of a fact begin: the bounds of an estimate, or when a limit is reached.
_DETAILS = re.compile(r" \(|: ")
_THOUSAND, _MILLION = 1000, 1_000_000


def render_rows(
    tally: Tally, now: float, mask: Callable[[str], str], *, columns: int, lines: int
) -> list[str]:
    """Return the rows of a live display; as many as fit, the most important ones first."""
    width = min(columns - 1, WIDEST)
    to_evaluate = [f"{tally.to_evaluate} to evaluate"] if tally.to_evaluate else []
    active = "  ".join([*_format_active(tally), *to_evaluate])
    found = [*render_summary(tally, now), active, *_format_waiting(tally, now, mask)]
    if (note := tally.note(now)) is not None:
        found.append(mask(in_one_line(note)))
    found += _format_oldest(tally, now, mask, width)
    return [cut(row, width) for row in found[: max(lines, 1)]]


def render_summary(tally: Tally, now: float) -> list[str]:
    """Return the rows that stay when the run has ended."""
    filled = _BAR * tally.done // tally.total if tally.total else _BAR
    bar = "━" * filled + "─" * (_BAR - filled)
    times = [f"{tally.done}/{tally.total} done", clock(now - tally.started_at)]
    times += [*_format_pace(tally, now)]
    results = [*_format_outcomes(tally), *_format_mean(tally, with_count=True)]
    money = [*_format_spend(tally, now), *_format_end(tally, now)]
    limits = [*_format_cap(tally, now), *_format_tokens(tally)]
    if sum(map(count_cells, [*money, *limits])) + 2 * len([*money, *limits]) <= WIDEST:
        money, limits = [*money, *limits], []
    facts = ("  ".join(parts) for parts in (results, money, limits) if parts)
    return [f"{bar} {'  '.join(times)}", *facts]


def render_line(tally: Tally, now: float, mask: Callable[[str], str]) -> str:
    """Return one line for a log: the counts always, of the rest as much as fits."""
    line = ", ".join([format_counts(tally), *_format_waiting(tally, now, mask)])
    if (note := tally.note(now)) is not None:
        line += f"; {in_one_line(mask(note))}"
    facts = _fitting([*_format_facts(tally, now)], LONGEST_LINE - count_cells(line))
    line += "".join(f", {fact}" for fact in facts)
    if note is None and (told := format_progress(tally, mask)):
        line += f"; {told}"
    return cut(line, LONGEST_LINE)


def format_counts(tally: Tally) -> str:
    """Return the part of a line that does not change by itself: the counts of tasks."""
    parts = [f"{tally.done}/{tally.total} done", *_format_active(tally), *_format_outcomes(tally)]
    return ", ".join(parts)


def format_progress(tally: Tally, mask: Callable[[str], str]) -> str:
    """Return the newest progress of an evaluation that is under way; empty without any."""
    task = tally.last_told
    if task is None or task.progress is None:
        return ""
    return f"{in_one_line(mask(task.name))}: {in_one_line(mask(task.progress))}"


def count_cells(text: str) -> int:
    """Return the number of columns that a terminal needs for ``text``."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """Return ``text`` if it fits into so many columns, else its beginning and an ellipsis."""
    if count_cells(text) <= width:
        return text
    from rich.cells import set_cell_size

    return f"{set_cell_size(text, max(width - 1, 0)).rstrip()}…"


def _fitting(facts: list[str], room: int) -> list[str]:
    """Return as many facts as fit, the first ones first, and only then with their details."""
    found: list[list[str]] = []
    for fact in facts:
        brief = _DETAILS.split(fact, maxsplit=1)[0]
        if count_cells(brief) + 2 <= room:
            found.append([brief, fact])
            room -= count_cells(brief) + 2
    for place, (brief, fact) in enumerate(found):
        if (more := count_cells(fact) - count_cells(brief)) <= room:
            found[place].reverse()
            room -= more
    return [shown for shown, _ in found]


def _format_active(tally: Tally) -> list[str]:
    return [f"{tally.generating} generating", f"{tally.evaluating} evaluating"]


def _format_waiting(tally: Tally, now: float, mask: Callable[[str], str]) -> Iterator[str]:
    first = tally.next_retry
    if first is not None and first.reason is not None:
        due, reason = max(first.until - now, 0.0), in_one_line(mask(first.reason))
        yield f"{tally.waiting} to retry, the next in {due:.0f} s: {reason}"


def _format_outcomes(tally: Tally) -> list[str]:
    failed = [f"{tally.failed} failed"] if tally.failed else []
    return failed + ([f"{tally.timed_out} timed out"] if tally.timed_out else [])


def _format_mean(tally: Tally, *, with_count: bool = False) -> list[str]:
    scores = tally.scores
    if not scores.count or tally.without_score or tally.asks:
        return []
    # Over tasks and their repeats, the error would be too small.
    has_error = scores.stderr is not None and tally.repeats == 1
    error = f" ± {scores.stderr:.2g}" if has_error else ""
    what = "mean" if tally.repeats == 1 else "mean of generations"
    return [f"{what} {scores.mean:.4g}{error}{f' (n={scores.count})' if with_count else ''}"]


def _format_facts(tally: Tally, now: float) -> Iterator[str]:
    """Yield what stands behind the counts in a line, the most important first."""
    yield from _format_mean(tally)
    yield from _format_spend(tally, now)
    yield from _format_end(tally, now)
    yield from _format_cap(tally, now)
    yield from _format_pace(tally, now)


def _format_spend(tally: Tally, now: float) -> Iterator[str]:
    """Yield the cost so far, with the one in the end as far as it can be told."""
    spend, found = tally.spend, tally.forecast(now)
    at_least = "≥ " if spend.unknown else ""
    if found is not None and (end := found.dollars) is not None and end.high > 0:
        yield f"{at_least}{dollars(spend.dollars)} of {about_cost(end.middle, end.low, end.high)}"
    elif spend.dollars:
        yield f"{at_least}{dollars(spend.dollars)}"


def _format_end(tally: Tally, now: float) -> Iterator[str]:
    if (found := tally.forecast(now)) is not None:
        end = found.seconds
        yield f"ends in {about_time_with_range(end.middle, end.low, end.high)}"


def _format_cap(tally: Tally, now: float) -> Iterator[str]:
    if (most := tally.max_cost) is not None:
        reach = _format_reach(most, tally.spend.dollars, tally.forecast(now))
        yield f"at most {dollars(most)}{reach}"


def _format_reach(most: float, spent: float, found: Forecast | None) -> str:
    """Return when the cost is expected to reach its limit, if it is."""
    if spent >= most:
        return ": reached"
    if found is None or (end := found.dollars) is None or end.high <= most:
        return ""
    if end.middle <= most:
        return ": may be reached"
    return f": reached in about {about_time(found.seconds_until(spent, most))}"


def _format_tokens(tally: Tally) -> Iterator[str]:
    tokens = tally.spend.tokens
    tokens_in, tokens_out = tokens.get("input", 0), tokens.get("output", 0)
    if tokens_in or tokens_out:
        yield f"{_shorten(tokens_in)} tokens in, {_shorten(tokens_out)} out"


def _format_pace(tally: Tally, now: float) -> Iterator[str]:
    if (rate := tally.rate(now)) is None:
        return
    if rate >= 1:
        yield f"{rate:.1f}/s"
    else:
        yield f"{rate * _MINUTE:.1f}/min" if rate * _MINUTE >= 1 else f"{rate * _HOUR:.1f}/h"
    if tally.forecast(now) is None and (left := tally.remaining(now)):
        yield f"{clock(left)} left"


def _format_oldest(
    tally: Tally, now: float, mask: Callable[[str], str], width: int
) -> Iterator[str]:
    for task in tally.oldest(_NAMED):
        age = now - task.since
        if age >= _NAMED_AFTER:
            doing = _format_activity(task, now, mask)
            room = max(width - 11 - min(len(doing), width // 2), 8)
            yield f"{clock(age):>8}  {cut(mask(in_one_line(task.name)), room)}  {doing}"


def _format_activity(task: ActiveTask, now: float, mask: Callable[[str], str]) -> str:
    if task.reason is None and task.progress is not None:
        return f"evaluating: {in_one_line(mask(task.progress))}"
    if task.reason is None:
        return "evaluating" if task.is_evaluation else "generating"
    due = max(task.until - now, 0.0)
    return f"evaluating, again in {due:.0f} s: {in_one_line(mask(task.reason))}"


def _shorten(count: int) -> str:
    if count < _THOUSAND:
        return str(count)
    if count < _MILLION:
        return f"{count / _THOUSAND:.0f}k"
    return f"{count / _MILLION:.2f}M"
