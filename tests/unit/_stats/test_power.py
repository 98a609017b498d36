from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark_runner._stats.paired_difference import minimum_detectable_effect
from benchmark_runner._stats.power import StudyVariance
from benchmark_runner._stats.variance import noise_floor, pooled_within, within_variance
from benchmark_runner.results.compare.effect import Direction, measure

VARIANCES = st.floats(1e-3, 0.5)


def power_by_scipy(study: StudyVariance, difference: float, tasks: int, repeats: int) -> float:
    """Return the power of a paired t-test, from the noncentral distribution."""
    error = math.sqrt((study.differences + study.within / repeats) / tasks)
    critical = stats.t.ppf(0.975, tasks - 1)
    return float(stats.nct.sf(critical, tasks - 1, difference / error))


class TestTheLeastDifference:
    def test_many_tasks_give_the_detectable_effect(self) -> None:
        """With many tasks it is the minimum detectable effect of the error, 2.8 times it."""
        study = StudyVariance(differences=0.2, within=0.1)
        error = math.sqrt((0.2 + 0.1 / 4) / 20_000)

        found = study.least_difference(20_000, 4, power=0.9)

        assert found == pytest.approx(minimum_detectable_effect(error, power=0.9))
        assert study.least_difference(10_000, 4, power=0.9) == pytest.approx(
            found * math.sqrt(2), rel=1e-3
        )

    @pytest.mark.parametrize("tasks", [5, 10, 30, 200])
    def test_few_tasks_have_the_power_asked_for(self, tasks: int) -> None:
        """With few tasks the power is that of the exact distribution, too."""
        study = StudyVariance(differences=0.1, within=0.1)
        difference = study.least_difference(tasks, 2)

        assert power_by_scipy(study, difference, tasks, 2) == pytest.approx(0.8, abs=0.03)

    def test_difference_is_above_the_noise_floor(self) -> None:
        """However many repeats there are, two single runs must not differ as much."""
        study = StudyVariance(differences=0.0, within=0.2)

        assert study.least_difference(400, 10_000) > 1.96 * math.sqrt(0.2 / 400)

    def test_exact_test_is_of_single_repeats_of_passes(self) -> None:
        """Single passes need more than an interval: 3 tasks show none. Repeats are no passes."""
        passes, scores = (StudyVariance(0.3, 0.2, pass_fail=each) for each in (True, False))

        assert passes.least_difference(3, 1) == math.inf
        assert passes.least_difference(100, 1) > scores.least_difference(100, 1)
        assert passes.least_difference(100, 2) == scores.least_difference(100, 2)

    @pytest.mark.sampled
    @pytest.mark.parametrize("difference", [0.1, 0.2, 0.3])
    def test_passes_are_shown_as_often(self, difference: float) -> None:
        """Of comparisons of passes and failures, whose exact test has to agree, 80 % show it."""
        chance = random.Random(str(difference))
        rates = 0.5 - difference / 2, 0.5 + difference / 2
        study = StudyVariance(sum(rate * (1 - rate) for rate in rates), 0.0, pass_fail=True)
        tasks = study.tasks_needed(difference, 1)
        assert tasks is not None

        shown = 0
        for _ in range(1000):
            a, b = ({str(n): float(chance.random() < rate) for n in range(tasks)} for rate in rates)
            effect = measure(a, b)
            shown += effect is not None and effect.shows is Direction.BETTER

        assert shown == pytest.approx(800, abs=38)

    @pytest.mark.sampled
    @pytest.mark.parametrize("repeats", [2, 3, 5])
    def test_repeats_show_it_as_often(self, repeats: int) -> None:
        """With repeats 80 % show it, too, and are above the noise floor that repeats tell."""
        chance = random.Random(repeats)
        # Rates are uniform, 0.3 about 0.4 and 0.6, and those of two systems unrelated.
        study = StudyVariance(2 * 0.3**2 / 3, 2 * (0.4 * 0.6 - 0.3**2 / 3), pass_fail=True)
        tasks = study.tasks_needed(0.2, repeats)
        assert tasks is not None

        def run(centre: float) -> list[list[float]]:
            rates = [centre + chance.uniform(-0.3, 0.3) for _ in range(tasks)]
            return [[float(chance.random() < rate) for _ in range(repeats)] for rate in rates]

        shown = 0
        for _ in range(600):
            a, b = run(0.4), run(0.6)
            within = pooled_within(map(within_variance, (a, b)))
            effect = measure(
                *({str(n): sum(task) / repeats for n, task in enumerate(each)} for each in (a, b))
            )
            assert effect is not None
            assert within is not None
            floor = noise_floor(within, [0.5] * tasks) or 0
            is_noise = effect.difference.mean <= floor
            shown += effect.shows is Direction.BETTER and not is_noise

        assert shown == pytest.approx(480, abs=32)


class TestWhatIsNeeded:
    @given(VARIANCES, VARIANCES, st.floats(0.02, 0.5), st.integers(1, 9))
    def test_numbers_are_the_smallest(
        self, differences: float, within: float, difference: float, repeats: int
    ) -> None:
        """The number of tasks shows the difference, and one task less does not."""
        study = StudyVariance(differences, within)

        tasks = study.tasks_needed(difference, repeats)

        assert tasks is not None
        assert study.least_difference(tasks, repeats) <= difference
        assert tasks == 2 or study.least_difference(tasks - 1, repeats) > difference

    def test_repeats_stand_in_for_tasks(self) -> None:
        """The number of repeats shows the difference, and one repeat less does not."""
        study = StudyVariance(differences=0.05, within=0.3)
        tasks = (study.tasks_needed(0.05, 1) or 0) * 2 // 3

        repeats = study.repeats_needed(0.05, tasks)

        assert repeats is not None
        assert repeats > 1
        assert study.least_difference(tasks, repeats) <= 0.05
        assert study.least_difference(tasks, repeats - 1) > 0.05

    def test_repeats_do_not_replace_tasks(self) -> None:
        """If tasks differ too much, no number of repeats shows the difference."""
        assert StudyVariance(differences=0.3, within=0.1).repeats_needed(0.03, 400) is None

    def test_no_dataset_is_large_enough(self) -> None:
        """A difference that needs more than a thousand million tasks has no number of them."""
        assert StudyVariance(differences=0.3, within=0.1).tasks_needed(1e-9, 1) is None
