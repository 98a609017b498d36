"""What a report says of a run is what is on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._stats.intervals import IntervalMethod, student_t_interval
from benchmark_runner.artifacts.locks import LOCK_FILE, holder_of
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.checkpoint import Until
from benchmark_runner.results.report.run_figures import Grouping, read_figures
from benchmark_runner.results.task_row import TaskState
from benchmark_runner.schemas import Phase, ScoreBounds, ScoreCounts, TokenUsage
from tests.unit.results.report.runs import START, MadeRun, every_outcome

if TYPE_CHECKING:
    from pathlib import Path


def test_each_outcome_is_counted_once(tmp_path: Path) -> None:
    """Each outcome is counted once."""
    figures = read_figures(every_outcome(tmp_path).save())

    assert figures.summary.counts == ScoreCounts(
        total=9, attempted=8, scored=2, error=3, max_time=1, max_turns=1
    )
    assert figures.side.scan.states == {
        TaskState.SCORED: 2,
        TaskState.TIMED_OUT: 1,
        TaskState.OUT_OF_TURNS: 1,
        TaskState.DID_NOT_COMPLETE: 0,
        TaskState.FAILED_GENERATING: 2,
        TaskState.FAILED_GRADING: 1,
        TaskState.NOT_GRADED: 1,
        TaskState.NOT_GENERATED: 1,
    }
    assert not figures.summary.complete
    assert figures.score is None


def test_interval_is_that_of_counted_tasks(tmp_path: Path) -> None:
    """The interval is that of all tasks that count."""
    figures = read_figures(every_outcome(tmp_path).save())

    assert figures.estimate is not None
    assert (figures.estimate.mean, figures.estimate.count) == (0.375, 4)
    assert figures.estimate.interval == student_t_interval([1, 0.5, 0, 0])
    assert figures.summary.bounds == ScoreBounds(errors_as_0=1.5 / 9, errors_as_1=6.5 / 9)
    assert figures.scores == {"right": 1, "half": 0.5, "slow": 0, "chatty": 0}


def test_few_failures_use_wilson(tmp_path: Path) -> None:
    """Few passes or failures have Wilson's interval."""
    run = MadeRun(tmp_path)
    for number in range(6):
        run.graded(f"t{number}", float(number > 0))

    figures = read_figures(run.save())

    assert figures.estimate is not None
    assert figures.estimate.interval is not None
    assert figures.estimate.interval.method is IntervalMethod.WILSON


@pytest.mark.parametrize(("final_score", "differs"), [(0.75, False), (0.5, True)])
def test_final_score_is_compared_with_the_mean(
    tmp_path: Path, final_score: float, differs: bool
) -> None:
    """The figures say if the final score is the mean."""
    run = MadeRun(tmp_path)
    run.graded("a", 1)
    run.graded("b", 0.5)

    figures = read_figures(run.save(final_score=final_score))

    assert figures.score is not None
    assert figures.score.final_score == final_score
    assert figures.score_is_mean is not differs


def test_score_of_other_evaluations_is_stale(tmp_path: Path) -> None:
    """A score that does not sum the evaluations on disk is stale."""
    run = MadeRun(tmp_path)
    run.graded("a", 1)
    run.save(final_score=1)
    run.graded("a", 0)

    figures = read_figures(run.view())

    assert figures.score is None
    assert figures.score_is_stale


def test_known_quantities_are_distributed(tmp_path: Path) -> None:
    """Quantities are distributed as far as they are known."""
    figures = read_figures(every_outcome(tmp_path).save())

    found = {each.name: each for each in figures.distributions}
    assert list(found) == ["Scores", "Generation time", "Input tokens", "Output tokens", "Cost"]
    cost = found["Cost"]
    assert (cost.count, cost.unknown, cost.total) == (2, 6, 1.0)
    assert (cost.least, cost.median, cost.greatest) == (0.25, 0.5, 0.75)
    assert sum(bar.count for bar in cost.bars) == 2
    assert found["Scores"].count == 4
    assert found["Generation time"].unknown == 0


def test_unknown_quantity_has_no_distribution(tmp_path: Path) -> None:
    """A quantity that is not known has no distribution."""
    run = MadeRun(tmp_path)
    run.graded("a", 1, duration=None)

    assert [each.name for each in read_figures(run.save()).distributions] == ["Scores"]


def test_invalid_time_is_left_out(tmp_path: Path) -> None:
    """A time that is no number is left out."""
    run = MadeRun(tmp_path)
    run.graded("a", 1, duration=5.0)
    run.graded("b", 1, duration=float("inf"))
    path = run.artifacts.generation_path("b")
    path.write_text(path.read_text().replace('"duration": null', '"duration": Infinity'))

    (times,) = [
        each for each in read_figures(run.save()).distributions if each.name == "Generation time"
    ]
    assert (times.count, times.unknown, times.total) == (1, 1, 5.0)


def test_groups_have_means_of_their_own(tmp_path: Path) -> None:
    """Each group has its own number of tasks and mean."""
    view = every_outcome(tmp_path).save()
    group_of = dict.fromkeys(view.config.tasks, "easy") | {
        "half": "hard",
        "slow": "hard",
        "missing": "unknown",
    }

    groups = read_figures(view, Grouping("level", group_of)).groups

    assert [(group.name, group.total) for group in groups] == [
        ("easy", 6),
        ("hard", 2),
        ("unknown", 1),
    ]
    means = [group.estimate and (group.estimate.mean, group.estimate.count) for group in groups]
    assert means == [(0.5, 2), (0.25, 2), None]


def test_groups_of_an_open_question_have_no_mean(tmp_path: Path) -> None:
    """A run that stops at a question has no mean, and neither have its groups of tasks."""
    run = MadeRun(tmp_path, fields={"until": Until(score=0.7, alpha=0.05, seed=1)})
    run.graded("a", 1)
    run.graded("b", 0)
    run.missing("c")

    figures = read_figures(run.save(), Grouping("level", dict.fromkeys("abc", "easy")))

    assert figures.estimate is None
    (group,) = figures.groups
    assert (group.total, group.scored, group.estimate) == (3, 2, None)


def test_failures_are_grouped_by_phase_and_reason(tmp_path: Path) -> None:
    """Failures are grouped by phase and reason."""
    failures = read_figures(every_outcome(tmp_path).save()).summary.failures

    assert [(each.phase, each.error, [*map(str, each.keys)]) for each in failures] == [
        (Phase.GENERATE, "ValueError: no luck with …", ["broken-1", "broken-2"]),
        (Phase.EVALUATE, "KeyError: 'answer'", ["unfair"]),
    ]


def test_earlier_attempts_are_paid_for(tmp_path: Path) -> None:
    """Costs and tokens of earlier attempts count."""
    run = MadeRun(tmp_path)
    usage = TokenUsage(input=10, output=1)
    run.failed("a", "boom", usage=usage, cost=0.5)
    run.tasks.clear()
    run.graded("a", 1, usage=usage, cost=0.25)

    figures = read_figures(run.save())

    assert figures.summary.spend.dollars == 0.75
    assert (figures.side.scan.tokens.input, figures.side.scan.tokens.output) == (20, 2)


def test_each_task_is_passed_on_while_read(tmp_path: Path) -> None:
    """Each task is passed to the callback while it is read."""
    view = every_outcome(tmp_path).save()
    told: list[str] = []

    read_figures(view, listener=lambda task, files: told.append(f"{task.task_id} {files[0].key}"))

    assert told == [f"{task_id} {task_id}" for task_id in view.config.tasks]


def test_tasks_hash_covers_content(tmp_path: Path) -> None:
    """The hash of the tasks changes with their content, and is none without hashes."""
    made = []
    for number, hashes in enumerate([{"a": "1"}, {"a": "2"}, {}]):
        run = MadeRun(tmp_path, f"r{number}", {"task_hashes": hashes})
        run.graded("a", 1)
        made.append(read_figures(run.save()).tasks_hash)

    assert made[0] != made[1]
    assert made[2] is None


def test_run_without_tasks_has_no_figures(tmp_path: Path) -> None:
    """A run without tasks has neither an estimate nor distributions."""
    figures = read_figures(MadeRun(tmp_path).save())

    assert figures.estimate is None
    assert figures.distributions == []
    assert figures.side.view.started_at == START


class TestWhoWorksOnIt:
    def test_locked_run_names_its_process(self, tmp_path: Path) -> None:
        """A run that is in progress names its process."""
        run = every_outcome(tmp_path)
        view = run.save()

        with RunArtifacts(tmp_path, "r1").locked():
            during = read_figures(view).worked_on_by
        after = read_figures(view).worked_on_by

        assert during is not None
        assert during.startswith(f"process {os.getpid()} on ")
        assert after is None

    def test_shared_run_names_a_process(self, tmp_path: Path) -> None:
        """A run of problems names the process of one of its tasks."""
        run = MadeRun(tmp_path, fields={"task_source": "problem"})
        run.graded("a", 1)
        run.graded("b", 1)
        view = run.save()

        with RunArtifacts(tmp_path, "r1").locked("b"):
            during = read_figures(view).worked_on_by

        assert during is not None
        assert during.startswith(f"process {os.getpid()} on ")

    def test_killed_process_is_no_holder(self, tmp_path: Path) -> None:
        """A process that was killed does not hold the run."""
        lock = tmp_path / LOCK_FILE
        code = (
            "import os, sys; from pathlib import Path\n"
            "from benchmark_runner.artifacts.locks import hold_lock\n"
            "with hold_lock(Path(sys.argv[1]), 'it'): os._exit(9)"
        )
        subprocess.run([sys.executable, "-c", code, str(lock)], env=_environment(), check=False)

        assert lock.read_text().startswith("process ")
        assert holder_of(lock) is None

    def test_reading_takes_no_lock(self, tmp_path: Path) -> None:
        """Reading takes no lock and makes no file."""
        view = every_outcome(tmp_path).save()
        assert not (view.artifacts.run_dir / LOCK_FILE).exists()

        read_figures(view)

        assert not (view.artifacts.run_dir / LOCK_FILE).exists()

    def test_empty_lock_file_is_not_tried(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A lock file without a name in it is not tried."""
        lock = tmp_path / LOCK_FILE
        lock.touch()
        tried: list[int] = []
        monkeypatch.setattr(
            "benchmark_runner.artifacts.locks.fcntl.flock", lambda *_: tried.append(1)
        )

        assert holder_of(lock) is None
        assert tried == []

    def test_linked_lock_is_not_followed(self, tmp_path: Path) -> None:
        """A link in the place of the lock is not followed."""
        (tmp_path / "elsewhere").write_text("process 1 on nowhere\n")
        (tmp_path / LOCK_FILE).symlink_to(tmp_path / "elsewhere")

        assert holder_of(tmp_path / LOCK_FILE) is None


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
