from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark_runner._stats.flips import Flips, count_flips, exact_mcnemar


def test_tasks_that_changed_sides_are_counted_each_way() -> None:
    first = {"a": 0.0, "b": 0.0, "c": 1.0, "d": 1.0, "e": 1.0, "only here": 1.0}
    second = {"only there": 0.0, "e": 0.0, "d": 1.0, "c": 0.0, "b": 1.0, "a": 0.0}

    assert count_flips(first, second) == Flips(gained=1, lost=2)
    assert count_flips(second, first) == Flips(gained=2, lost=1)


def test_only_the_tasks_that_both_runs_have_need_be_passed_or_failed() -> None:
    first, second = {"a": 0.0, "b": 0.5}, {"a": 1.0, "c": 0.5}

    assert count_flips(first, second) == Flips(gained=1, lost=0)
    assert count_flips(first, second | {"b": 1.0}) is None
    assert count_flips(second | {"b": 1.0}, first) is None


def test_the_exact_test_gives_the_published_probability() -> None:
    # Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91, 2013, table 1: the
    # airways of 21 children before and after a transplantation.
    assert round(exact_mcnemar(Flips(gained=7, lost=1)), 3) == 0.070


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_exact_test_agrees_with_scipy(gained: int, lost: int) -> None:
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0

    assert exact_mcnemar(Flips(gained, lost)) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert exact_mcnemar(Flips(lost, gained)) == exact_mcnemar(Flips(gained, lost))


def test_flips_that_are_even_or_none_show_no_difference() -> None:
    assert exact_mcnemar(Flips(0, 0)) == 1
    assert exact_mcnemar(Flips(4, 4)) == 1
