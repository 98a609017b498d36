from __future__ import annotations

import pytest

from benchmark_runner._text import (
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
def test_escapes_and_controls_are_left_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_place_within_a_line_takes_no_line_ends() -> None:
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
def test_of_many_ids_as_many_are_named_as_leave_a_line_readable(ids: list[str], named: str) -> None:
    assert some_ids(ids) == named


def test_one_is_no_plural() -> None:
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
def test_an_age_is_in_the_largest_unit_that_says_enough(seconds: float, words: str) -> None:
    assert age(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0:00:00"), (59.9, "0:00:59"), (3661, "1:01:01"), (360_000, "100:00:00")],
)
def test_a_duration_reads_as_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (0.012345, "$0.0123"), (0.1, "$0.10"), (1234.5, "$1,234.50")],
)
def test_small_amounts_have_more_decimals(amount: float, text: str) -> None:
    assert dollars(amount) == text


def test_similar_names_are_suggested() -> None:
    assert did_you_mean("run-2", ["run-1", "other"]) == "Did you mean run-1? "
    assert did_you_mean("run-2", ["other"]) == ""
