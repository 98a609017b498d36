"""The output of ``plan``: the tasks and repeats of a study, as text and as JSON."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark_runner._text import dollars, duration, in_one_line, plural
from benchmark_runner.cli.inspection import Inspection
from benchmark_runner.errors import UsageError
from benchmark_runner.results.phrases import number
from benchmark_runner.results.recorded_run import RecordedRun, read_recorded
from benchmark_runner.results.study import Basis, Mix, Study, make_study

_MOST_RUNS = 2
_ASSUMED = {
    Basis.PAIR: "systems that differ from task to task as these two do",
    Basis.ONE_RUN: "the worst case, that a task which is hard for one system says nothing about "
    "the other. If both find the same tasks hard, fewer tasks do: --from A --from B, two finished "
    "runs, tells how many.",
    Basis.SINGLE_REPEATS: "the worst case, that a task which is hard for one system says nothing "
    "about the other. How much repeats would help is not known, as no task has two of them.",
    Basis.NO_RUN: "the worst case of scores between 0 and 1: half of them 0, half 1, and a task "
    "that is hard for one system says nothing about the other. --from R, a finished run, tells "
    "how its scores vary, and what a generation takes.",
}
_NOISE = (
    "compare calls nothing better that two single runs may differ by, and so repeats replace "
    "few tasks"
)
_INDENT = 10
_WRAPPER = textwrap.TextWrapper(
    80, subsequent_indent=" " * _INDENT, break_long_words=False, break_on_hyphens=False
)


@dataclass(frozen=True, slots=True)
class PlannedStudy:
    """A study, and the commands that are next.

    Attributes:
        next_command: The command of a run with the first mix that fits, if there is one.
        repeat_command: The command that repeats the run's tasks, if it has no repeats.
    """

    study: Study
    next_command: str | None
    repeat_command: str | None


def plan_study(
    inspection: Inspection, run_ids: Sequence[str], *, detect: float, power: float
) -> PlannedStudy:
    """Plan a study from finished runs.

    Raises:
        UsageError: the numbers make no sense, or the runs do not tell enough.
    """
    _check(run_ids, detect, power)
    runs: list[RecordedRun] = []
    for run_id in run_ids:
        view = inspection.open(run_id)
        runs.append(read_recorded(view, inspection.commands.resume(view.config)))
    study = make_study(runs, detect=detect, power=power)
    chosen = next((mix for mix in study.mixes if mix.fits), None)
    following = again = None
    if runs and chosen is not None:
        whole = chosen.tasks == study.dataset_size
        following = inspection.commands.reproduce(
            runs[0].view.config,
            limit=None if whole else chosen.tasks,
            repeats=chosen.repeats if chosen.repeats > 1 else None,
        )
    if study.basis is Basis.SINGLE_REPEATS and runs[0].view.config.imported is None:
        again = inspection.commands.resume(runs[0].view.config, "--repeats", "2")
    return PlannedStudy(study, following, again)


def lines(planned: PlannedStudy) -> Iterator[str]:
    """Yield a study in lines for a person, at 80 columns."""
    study = planned.study
    share = f"{100 * study.power:.4g} of 100 comparisons"
    yield f"To show a difference of {number(study.detect)} in {share}, each run needs"
    yield from _table(study)
    for label, text in _entries(study):
        yield from _WRAPPER.wrap(f"{label:<{_INDENT}}{text}")
    # A command stays in one line, to be copied.
    if planned.repeat_command:
        yield f"{'Repeat':<{_INDENT}}{planned.repeat_command}"
    if planned.next_command:
        yield f"{'Next':<{_INDENT}}{planned.next_command}"


def as_json(planned: PlannedStudy) -> dict[str, object]:
    """Return a study for ``--json``."""
    study = planned.study
    within = study.within
    return {
        "detect": study.detect,
        "power": study.power,
        "from": [run.view.run_id for run in study.runs],
        "basis": study.basis,
        "variance_between": study.between,
        "variance_within": within and within.variance,
        "repeated_tasks": within.tasks if within else 0,
        "variance_of_differences": study.variance.differences,
        "dataset_size": study.dataset_size,
        "least_difference_of_dataset": study.least,
        "cost_per_generation": study.cost,
        "seconds_per_generation": study.seconds,
        "parallelism": study.parallelism,
        "mixes": [{**mix._asdict(), "generations": mix.generations} for mix in study.mixes],
        "next_command": planned.next_command,
        "repeat_command": planned.repeat_command,
    }


def _check(run_ids: Sequence[str], detect: float, power: float) -> None:
    if not 0 < detect < float("inf"):
        raise UsageError(
            f"--detect {detect:g}: a difference to show is above 0",
            hint="Give it in the unit of the scores, such as 0.03.",
        )
    if not 0.5 <= power < 1:  # noqa: PLR2004 (the range that the message names)
        raise UsageError(
            f"--power {power:g}: the share of comparisons is from 0.5 to below 1",
            hint="Give a share such as 0.8.",
        )
    if len(run_ids) > _MOST_RUNS or len({*run_ids}) < len(run_ids):
        raise UsageError(
            f"--from names {', '.join(run_ids)}",
            hint="Name one finished run, or two different ones.",
        )


def _table(study: Study) -> Iterator[str]:
    headings = ["TASKS", "REPEATS", "GENERATIONS"]
    headings += ["COST"] if study.cost is not None else []
    headings += ["TIME"] if study.seconds is not None else []
    rows = [headings, *(_cells(mix) for mix in study.mixes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, mix in zip(rows, [None, *study.mixes], strict=True):
        cells = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {cells}{'' if mix is None or mix.fits else '  more than there are'}"
    if not study.mixes:
        yield "  more tasks than any dataset has"


def _cells(mix: Mix) -> list[str]:
    cells = [f"{mix.tasks:,}", f"{mix.repeats:,}", f"{mix.generations:,}"]
    cells += [dollars(mix.cost)] if mix.cost is not None else []
    return [*cells, duration(mix.seconds)] if mix.seconds is not None else cells


def _entries(study: Study) -> Iterator[tuple[str, str]]:
    """Yield labels with the text beside each."""
    if study.dataset_size is not None:
        yield "Dataset", _dataset_text(study)
    for run in study.runs:
        scores = sum(map(len, run.scores.values()))
        tasks = plural(len(run.scores), "task")
        name = in_one_line(run.view.run_id)
        yield "From", f"{name}: {plural(scores, 'score')} of {tasks}"
    yield "Variance", _variance_text(study)
    yield "Assumed", _ASSUMED[study.basis]
    if study.within:
        yield "Noise", _NOISE
    if study.runs:
        yield "Cost", _cost_text(study)
        yield "Time", _time_text(study)


def _dataset_text(study: Study) -> str:
    tasks = plural(study.dataset_size or 0, "task")
    if study.least is None or any(mix.fits and mix.repeats == 1 for mix in study.mixes):
        return tasks
    shown = f"{tasks}, which with one repeat each show {number(study.least)} or more"
    if any(mix.fits for mix in study.mixes):
        return shown
    if study.within is None:
        return shown
    return f"{shown}; even 100 repeats do not show {number(study.detect)}"


def _variance_text(study: Study) -> str:
    within, between = study.within, study.between
    inside = f"{within.variance:.2g} within (of {plural(within.tasks, 'task')})" if within else ""
    match study.basis:
        case Basis.PAIR:
            return (
                f"{study.variance.differences:.2g} of the differences of tasks, "
                f"{inside or 'within them not known'}"
            )
        case Basis.ONE_RUN:
            return f"{f'{between:.2g}' if between else 'none seen'} between tasks, {inside}"
        case Basis.SINGLE_REPEATS:
            return f"{between:.2g} in all, between tasks and within"
        case Basis.NO_RUN:
            return f"{between:.2g} in all, the largest"


def _cost_text(study: Study) -> str:
    if study.cost is None:
        return "not known: no generation records one"
    known, count = (sum(each) for each in zip(*map(_costs_of, study.runs), strict=True))
    of_how_many = f", known of {known:,} of {plural(count, 'generation')}" if known < count else ""
    return f"{dollars(study.cost)} a generation with its retries{of_how_many}; of each run"


def _costs_of(run: RecordedRun) -> tuple[int, int]:
    return len(run.costs), run.generations


def _time_text(study: Study) -> str:
    if study.seconds is None:
        return "not known: no generation records one"
    at_a_time = study.parallelism or 1
    return f"{duration(study.seconds)} a generation, {at_a_time} at a time; without evaluation"
