from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.errors import UsageError
from benchmark_runner.results.recorded_run import read_recorded
from benchmark_runner.results.run_view import open_view
from benchmark_runner.results.study import Basis, make_study
from tests.fakes import FakeRunner
from tests.unit.results.compare.two_runs import FAILED, NO_TASK_SCORE, TIMED_OUT, TwoRuns

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from benchmark_runner.results.recorded_run import RecordedRun
    from benchmark_runner.results.study import Study

TASKS = [f"t{number}" for number in range(60)]


@pytest.fixture
def runs(tmp_path: Path) -> TwoRuns:
    return TwoRuns(tmp_path)


def write(runs: TwoRuns, run_id: str, *, repeats: int, luck: float = 0.3, **fields: Any) -> None:
    """Write a run whose tasks are hard or easy, and of whose repeats some have luck."""
    chance = random.Random(run_id)

    def outcomes() -> dict[str, float]:
        return {
            task_id: float((number % 2 == 0) != (chance.random() < luck))
            for number, task_id in enumerate(TASKS)
        }

    runs.write_repeats(run_id, [outcomes() for _ in range(repeats)], **fields)


def recorded(runs: TwoRuns, run_id: str) -> RecordedRun:
    view = open_view(runs.folder, run_id, FakeRunner("https://grader.example"))
    return read_recorded(view, "resume it")


def study_of(runs: TwoRuns, *run_ids: str, detect: float = 0.2) -> Study:
    return make_study([recorded(runs, each) for each in run_ids], detect=detect, power=0.8)


class TestTheVariance:
    def test_repeats_tell_the_variance_within(self, runs: TwoRuns) -> None:
        """With repeats the variance is split, and no task of another system need be alike."""
        write(runs, "base", repeats=4)

        study = study_of(runs, "base")

        assert study.basis is Basis.ONE_RUN
        assert study.within is not None
        assert study.between is not None
        assert study.within.variance == pytest.approx(0.3 * 0.7, abs=0.03)
        assert study.between == pytest.approx(0.2**2, abs=0.03)
        assert study.variance.differences == 2 * study.between
        assert study.variance.within == 2 * study.within.variance

    def test_single_repeats_do_not_tell_it(self, runs: TwoRuns) -> None:
        """Without repeats only the whole variance is known, and repeats promise nothing."""
        write(runs, "base", repeats=1)

        study = study_of(runs, "base")

        assert study.basis is Basis.SINGLE_REPEATS
        assert study.within is None
        assert study.between == pytest.approx(0.25, abs=0.02)
        assert [mix.repeats for mix in study.mixes] == [1]

    def test_two_runs_tell_their_differences(self, runs: TwoRuns) -> None:
        """Two runs that find the same tasks hard need fewer tasks than one of them promises."""
        write(runs, "base", repeats=3, luck=0.1)
        write(runs, "other", repeats=3, luck=0.15)

        one, both = (study_of(runs, *ids, detect=0.1) for ids in (["base"], ["base", "other"]))

        assert both.basis is Basis.PAIR
        assert both.variance.differences < 0.02
        needed = [min(mix.tasks for mix in study.mixes) for study in (one, both)]
        assert needed[1] <= needed[0] / 2

    def test_no_run_means_the_worst_case(self) -> None:
        """Without a run the variance is the largest of scores between 0 and 1."""
        study = make_study([], detect=0.03, power=0.8)

        assert study.basis is Basis.NO_RUN
        (mix,) = study.mixes
        # (1.960 + 0.842)² · 2 · 0.25 / 0.03², and 2 / 0.03 for the exact test of passes.
        assert mix.tasks == pytest.approx(4361 + 67, abs=9)
        assert (mix.cost, mix.seconds, mix.fits) == (None, None, True)


class TestTheMixes:
    def test_repeats_make_up_for_missing_tasks(self, runs: TwoRuns) -> None:
        """The mix that fits the dataset is first, though one of more tasks is cheaper."""
        write(runs, "base", repeats=4, luck=0.4)

        study = study_of(runs, "base", detect=0.25)

        first, *rest = study.mixes
        assert first.fits
        assert first.repeats > 1
        assert any(not mix.fits and mix.generations < first.generations for mix in rest)
        assert [mix.generations for mix in rest if not mix.fits] == sorted(
            mix.generations for mix in rest if not mix.fits
        )

    def test_cost_and_time_are_those_recorded(self, runs: TwoRuns) -> None:
        """Cost and time follow from what a generation took, so many at a time."""
        write(
            runs,
            "base",
            repeats=2,
            generation={"cost": 0.25, "duration": 60.0},
            operational={"parallelism": 4},
        )

        study = study_of(runs, "base")

        assert (study.cost, study.seconds, study.parallelism) == (0.25, 60.0, 4)
        for mix in study.mixes:
            assert mix.cost == 0.25 * mix.tasks * mix.repeats
            assert mix.seconds == 15 * mix.tasks * mix.repeats

    def test_dataset_may_be_larger_than_the_run(self, runs: TwoRuns) -> None:
        """Tasks beyond the first N of a run count as there, as they are in the dataset."""
        write(runs, "base", repeats=2, limit=60, dataset_size=5000)

        study = study_of(runs, "base", detect=0.05)

        assert study.dataset_size == 5000
        assert study.mixes[0].fits
        assert study.mixes[0].tasks > 60

    def test_small_dataset_shows_no_small_difference(self, runs: TwoRuns) -> None:
        """If no number of repeats is enough, no mix fits, and the least difference is known."""
        write(runs, "base", repeats=2, luck=0.1)

        study = study_of(runs, "base", detect=0.01)

        assert not any(mix.fits for mix in study.mixes)
        assert study.least is not None
        assert study.least > 0.1


class TestWhatIsRefused:
    def test_unfinished_run_is_refused(self, runs: TwoRuns) -> None:
        """A run with failures is not finished, and the hint has the command that finishes it."""
        runs.write("base", {"t1": 1.0, "t2": FAILED})

        with pytest.raises(UsageError, match="not finished: 1 failed") as caught:
            recorded(runs, "base")
        assert caught.value.hint is not None
        assert caught.value.hint.endswith("resume it")

    def test_run_without_scores_is_refused(self, runs: TwoRuns) -> None:
        """A run whose results have no numeric score tells nothing."""
        runs.write("base", {"t1": NO_TASK_SCORE, "t2": NO_TASK_SCORE})

        with pytest.raises(UsageError, match="no task has a numeric score"):
            recorded(runs, "base")

    @pytest.mark.parametrize(
        ("outcomes", "message"),
        [
            ({"t1": 1.0, "t2": 1.0}, "all scores of base are 1"),
            ({"t1": TIMED_OUT, "t2": 0.0}, "all scores of base are 0"),
            ({"t1": 1.0}, "all scores of base are 1"),
        ],
    )
    def test_equal_scores_are_refused(
        self, runs: TwoRuns, outcomes: dict[str, float | str], message: str
    ) -> None:
        """Scores that are all equal do not tell how others vary."""
        runs.write("base", outcomes)

        with pytest.raises(UsageError, match=message):
            study_of(runs, "base")

    def test_repeats_of_one_task_are_refused(self, runs: TwoRuns) -> None:
        """One task does not tell how tasks vary, however often it was repeated."""
        runs.write_repeats("base", [{"t1": 1.0}, {"t1": 0.0}])

        with pytest.raises(UsageError, match="fewer than two tasks"):
            study_of(runs, "base")

    def test_two_equal_runs_are_refused(self, runs: TwoRuns) -> None:
        """Two runs with the same scores do not tell how others differ."""
        for run_id in ("base", "other"):
            runs.write(run_id, {"t1": 1.0, "t2": 0.0})

        with pytest.raises(UsageError, match="same score in base and other"):
            study_of(runs, "base", "other")

    def test_two_runs_need_common_tasks(self, runs: TwoRuns) -> None:
        """Two runs of different tasks do not tell how systems differ on a task."""
        runs.write("base", {"t1": 1.0, "t2": 0.0})
        runs.write("other", {"u1": 1.0, "u2": 0.0})

        with pytest.raises(UsageError, match="fewer than two tasks"):
            study_of(runs, "base", "other")

    @pytest.mark.parametrize(("score", "detect"), [(1.0, 1.0), (1.0, 3.0), (100.0, 101.0)])
    def test_difference_beyond_the_scale_is_refused(
        self, runs: TwoRuns, score: float, detect: float
    ) -> None:
        """Scores from 0 to 1 can't differ by 3: the person meant 0.03."""
        runs.write("base", {"t1": score, "t2": 0.0})

        with pytest.raises(UsageError, match="can't differ so much"):
            study_of(runs, "base", detect=detect)
