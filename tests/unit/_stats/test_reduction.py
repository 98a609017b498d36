from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_runner._stats.reduction import Reduction, ReductionKind

TRIES = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=9)


class TestParsing:
    @pytest.mark.parametrize("text", ["mean", "max", "pass@1", "pass@3", "pass^1", "pass^100"])
    def test_reduction_is_parsed_and_printed(self, text: str) -> None:
        """A reduction prints as it was given."""
        assert str(Reduction.parse(text)) == text

    def test_parts_are_kind_and_number(self) -> None:
        """A reduction is a kind with a number; the mean is the default."""
        assert Reduction.parse("pass^3") == Reduction(ReductionKind.ALL, 3)
        assert Reduction.parse("pass@007") == Reduction(ReductionKind.ANY, 7)
        assert Reduction() == Reduction.parse("mean")

    @pytest.mark.parametrize(
        "text",
        ["", "median", "Mean", "pass", "pass@", "pass@0", "pass@-1", "pass@1.5", "pass@K"],
    )
    def test_other_words_are_refused(self, text: str) -> None:
        """Any other text is refused, with those that are not."""
        with pytest.raises(ValueError, match=r"none of mean, max, pass@K or pass\^K"):
            Reduction.parse(text)

    @pytest.mark.parametrize(
        "text", ["pass^^3", "pass 3", "pass@3 ", "pass@\u0663", "pass@" + "9" * 5000]
    )
    def test_other_numbers_are_refused(self, text: str) -> None:
        """The number is of plain digits, and no larger than anybody's number of repeats."""
        with pytest.raises(ValueError, match="is none of"):
            Reduction.parse(text)


class TestReducing:
    @given(TRIES, st.integers(1, 10))
    def test_passes_agree_with_all_subsets(self, scores: list[float], k: int) -> None:
        """Both pass@K and pass^K are the shares of all sets of K repeats."""
        at_least_one, each = Reduction.parse(f"pass@{k}"), Reduction.parse(f"pass^{k}")
        sets = list(combinations(scores, k))

        if k > len(scores):
            assert at_least_one.reduce(scores) is None
            assert each.reduce(scores) is None
        else:
            assert at_least_one.reduce(scores) == sum(map(max, sets)) / len(sets)
            assert each.reduce(scores) == sum(map(min, sets)) / len(sets)

    @given(TRIES)
    def test_one_of_one_is_the_mean(self, scores: list[float]) -> None:
        """Both pass@1 and pass^1 are the mean."""
        expected = Reduction().reduce(scores)
        assert Reduction.parse("pass@1").reduce(scores) == expected
        assert Reduction.parse("pass^1").reduce(scores) == expected

    @pytest.mark.parametrize("way", ["mean", "max", "pass@1", "pass^2"])
    def test_nothing_is_made_of_no_score(self, way: str) -> None:
        """A task without scores has none."""
        assert Reduction.parse(way).reduce([]) is None

    def test_any_score_has_mean_and_maximum(self) -> None:
        """Mean and maximum are those of any scores."""
        assert Reduction.parse("mean").reduce([0.2, 0.4, 0.9]) == pytest.approx(0.5)
        assert Reduction.parse("max").reduce([0.2, 0.4, 0.9]) == 0.9

    @pytest.mark.parametrize("way", ["pass@1", "pass^1"])
    def test_shares_are_no_passes(self, way: str) -> None:
        """Passes can't be counted in scores between 0 and 1: the message names one."""
        with pytest.raises(ValueError, match=r"has to be 0 or 1, not 0\.25"):
            Reduction.parse(way).reduce([1.0, 0.25])

    def test_many_repeats_do_not_overflow(self) -> None:
        """With numbers of sets that no float holds, the result is that of logarithms."""
        scores = [1.0] * 3000 + [0.0] * 97_000
        logarithm = math.fsum(math.log1p(-3000 / (100_000 - index)) for index in range(50))

        assert Reduction.parse("pass@50").reduce(scores) == pytest.approx(-math.expm1(logarithm))
        assert Reduction.parse("pass^2000").reduce(scores) == 0.0
        assert Reduction.parse("pass@90000").reduce(scores) == 1.0

    def test_rare_passes_keep_their_digits(self) -> None:
        """One pass in many repeats gives exactly k/n, not a difference from 1."""
        assert Reduction.parse("pass@3").reduce([1.0] + [0.0] * 99_999) == 3 / 100_000
