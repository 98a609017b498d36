from __future__ import annotations

import pytest

from benchmark_runner._text import (
    about_cost,
    about_time,
    about_time_with_range,
    age,
    clock,
    did_you_mean,
    dollars,
    in_one_line,
    plural,
    printable,
    some_ids,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text ✓", "plain text ✓"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b[2J\x1b[H\x1b[?1049hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;Y2F0\x1b\\text", "text"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1bPq#0\x1b\\text", "text"),
        ("\x1b]0;never ended\nnext line", "\nnext line"),
        ("\x1bcreset", "reset"),
        ("\x1b(0lines", "lines"),
        ("a\rb\r\nc", "a\nb\nc"),
        ("\x00\x07\x08\x0b\x7f\x85", ""),
        ("\x1b", ""),
    ],
)
def test_escapes_and_controls_are_removed(text: str, shown: str) -> None:
    """Escape sequences and control characters are removed."""
    assert printable(text) == shown


def test_one_line_has_no_line_ends() -> None:
    """A text for one line has no line ends."""
    assert in_one_line(" a\n\n\x1b[1mb\t c\r\n") == "a b c"


@pytest.mark.parametrize(
    ("ids", "named"),
    [
        ([], ""),
        (["a", "b"], "a, b"),
        (["a", "b", "c", "d", "e"], "a, b, c, d, e"),
        (["a", "b", "c", "d", "e", "f"], "a, b, c, d, e, …"),
        (["x" * 20, "y" * 20, "z" * 20], f"{'x' * 20}, {'y' * 20}, …"),
        (["x" * 100], "x" * 100),
        (["x" * 100, "y"], f"{'x' * 100}, …"),
    ],
)
def test_many_ids_are_cut_to_a_readable_line(ids: list[str], named: str) -> None:
    """A list of many ids is cut where the line would become too long."""
    assert some_ids(ids) == named


def test_one_is_not_a_plural() -> None:
    """A number of 1 has a singular noun."""
    assert [plural(1, "task"), plural(2_000, "task")] == ["1 task", "2,000 tasks"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (172799, "47 h"),
        (172800, "2 d"),
    ],
)
def test_age_has_the_largest_useful_unit(seconds: float, words: str) -> None:
    """An age is shown in the largest unit that says enough."""
    assert age(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0:00:00"), (59.9, "0:00:59"), (3661, "1:01:01"), (360_000, "100:00:00")],
)
def test_a_duration_reads_as_a_clock(seconds: float, text: str) -> None:
    """A duration is shown as hours, minutes and seconds."""
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (0.012345, "$0.0123"), (0.1, "$0.10"), (1234.5, "$1,234.50")],
)
def test_small_amounts_have_more_decimals(amount: float, text: str) -> None:
    """An amount below 10 cents has more than two decimals."""
    assert dollars(amount) == text


def test_similar_names_are_suggested() -> None:
    """A similar name is suggested; otherwise nothing."""
    assert did_you_mean("run-2", ["run-1", "other"]) == "Did you mean run-1? "
    assert did_you_mean("run-2", ["other"]) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (9.4, "9 s"),
        (89, "89 s"),
        (100, "1.7 min"),
        (2400, "40 min"),
        (6000, "1.7 h"),
        (2e5, "2.3 d"),
    ],
)
def test_about_time(seconds: float, text: str) -> None:
    """An estimated time has two digits at most, and one unit."""
    assert about_time(seconds) == text


def test_about_ranges() -> None:
    """The bounds of an estimate share their unit where they can."""
    assert about_time_with_range(2400, 2100, 3480) == "40 min (35 to 58 min)"
    assert about_time_with_range(5000, 3000, 9000) == "83 min (50 min to 2.5 h)"
    assert about_cost(142.4, 8.5, 1714) == "about $142 ($8.50 to $1,710)"
