"""The text of ``compare``: at 80 columns, the verdict last."""

import textwrap
from collections.abc import Callable, Iterator, Sequence

from pydantic import JsonValue

from benchmark_runner._stats.paired_difference import PairedDifference
from benchmark_runner._stats.reduction import MEAN
from benchmark_runner._text import dollars, duration, in_one_line, plural, some_ids
from benchmark_runner.cli.output.compare import ComparisonResult
from benchmark_runner.cli.output.totals import tasks_text
from benchmark_runner.results.compare.effect import Comparison, Effect
from benchmark_runner.results.compare.pairing import Exclusion
from benchmark_runner.results.compare.side import Side, TaskOutcome, Total, mean_of_known
from benchmark_runner.results.phrases import imported_text, score_is_mean, spread_text
from benchmark_runner.results.verdict_text import verdict_lines

_WAY_OUT = "Way out"
#: Where texts begin; a label stands before them.
_INDENT = 11
_WRAPPER = textwrap.TextWrapper(
    80, subsequent_indent=" " * _INDENT, break_long_words=False, break_on_hyphens=False
)
#: A label and a text.
_Entry = tuple[str, str]


def lines(result: ComparisonResult) -> Iterator[str]:
    """Yield a comparison in lines for a person."""
    for label, text in _entries(result):
        line = f"{label:<{_INDENT}}{text}"
        # A command stays in one line, to be copied.
        yield from [line] if label == _WAY_OUT else _WRAPPER.wrap(line)


def _entries(result: ComparisonResult) -> Iterator[_Entry]:
    """Yield labels with the text beside each."""
    comparison, judgement = result.comparison, result.judgement
    yield from _side_entries("A, the baseline", comparison, comparison.a)
    yield from _side_entries("B, the candidate", comparison, comparison.b)
    label = "Changed"
    for name, before, after in judgement.differences:
        yield label, f"{in_one_line(name)}: {_setting(before)} -> {_setting(after)}"
        label = ""
    if not judgement.differences:
        yield label, "nothing of model, settings and code, as far as is recorded"
    yield from _tasks_entries(comparison)
    if (effect := comparison.effect) is not None:
        yield from _effect_entries(result, effect)
    for note in (*(finding.text for finding in judgement.warnings), *result.notes):
        yield "Note", note
    yield from _verdict_entries(result)


def _side_entries(name: str, comparison: Comparison, side: Side) -> Iterator[_Entry]:
    config, summary = side.view.config, side.scan.summary
    counts = summary.counts
    done = counts.scored + summary.did_not_complete
    yield "Run", f"{side.view.run_id} ({name})"
    yield "  model", in_one_line(config.model)
    if imported := imported_text(config):
        yield "  answers", in_one_line(imported)
    yield "  tasks", in_one_line(tasks_text(config, config.tasks))
    if comparison.has_repeats:
        yield "  repeats", f"{config.repeats} of each task"
    yield "  done", f"{done} of {counts.total}" if done < counts.total else "all"
    if side.scan.verdict is not None and not summary.is_sample:
        for text in verdict_lines(side.scan.verdict, summary):
            label, _, rest = text.partition(" ")
            yield f"  {label.lower()}", rest.lstrip()
    else:
        yield "  score", _score_text(side)
    if spread := spread_text(summary):
        yield "  spread", spread
    by = "; ".join(map(str, summary.graded)) or "nobody yet"
    yield "  evals", f"by {in_one_line(by)}"
    compared = [side.tasks[task_id] for task_id in comparison.pairing.a]
    cost = _spent_text(side.cost, compared, lambda task: task.cost, dollars, config.repeats)
    yield "  cost", cost
    time = _spent_text(side.seconds, compared, lambda task: task.seconds, duration, config.repeats)
    yield "  time", f"{time}, generating" if side.seconds.total is not None else time


def _score_text(side: Side) -> str:
    summary, score = side.scan.summary, side.scan.score
    notes = ["local"] if side.view.local else []
    if not summary.complete:
        notes.append("not complete")
    marks = f"  [{'; '.join(notes)}]" if notes else ""
    error = "" if summary.stderr is None else f" ± {summary.stderr:.2g}"
    mean = None if summary.mean is None else f"{summary.mean:.4g}{error} (n={len(summary.scores)})"
    if score is None:
        return f"none yet{f'; mean so far {mean}' if mean else ''}{marks}"
    if score_is_mean(score, summary.mean):
        return f"{mean}{marks}"
    rest = f"; mean of the tasks' scores {mean}" if mean else ", without a standard error"
    return f"{score.final_score:.4g}{rest}{marks}"


def _spent_text(
    spent: Total,
    compared: Sequence[TaskOutcome],
    of_task: Callable[[TaskOutcome], float | None],
    written: Callable[[float], str],
    repeats: int,
) -> str:
    if spent.total is None:
        return "not recorded"
    average, known = mean_of_known(map(of_task, compared))
    words = f"{written(spent.total)} in all"
    if spent.unknown:
        words += f", not known of {plural(spent.unknown, 'generation')}"
    if average is not None:
        of = f" (known of {known})" if known < len(compared) else ""
        in_all = f", all {repeats} repeats" if repeats > 1 else ""
        words += f"; {written(average)} a compared task{in_all}{of}"
    return words


def _tasks_entries(comparison: Comparison) -> Iterator[_Entry]:
    pairing = comparison.pairing
    left_out = f"{pairing.left_out or 'none'} left out"
    yield "Tasks", f"{len(pairing.a)} compared, {left_out}"
    if comparison.a.reduction != MEAN:
        yield "", f"each scored by {comparison.a.reduction} of its repeats"
    for excluded in pairing.excluded:
        ids = some_ids(excluded.task_ids)
        text = f"{len(excluded.task_ids)} {excluded.because}{_states_text(excluded)}: {ids}"
        yield "", text


def _states_text(excluded: Exclusion) -> str:
    states = {"A": excluded.in_a, "B": excluded.in_b}
    known = [f"{name} {state}" for name, state in states.items() if state is not None]
    if len(known) == 1:
        return f" ({excluded.in_a or excluded.in_b})"
    return f" ({', '.join(known)})" if known else ""


def _effect_entries(result: ComparisonResult, effect: Effect) -> Iterator[_Entry]:
    comparison, difference = result.comparison, effect.difference
    yield "Means", f"A {_number(effect.mean_a)}, B {_number(effect.mean_b)}"
    yield "B - A", _difference_text(difference, _error_kind(result, difference))
    if (interval := difference.interval) is not None:
        bounds = f"{_signed(interval.low)} to {_signed(interval.high)}"
        yield "", f"95 % interval {bounds} (Student's t)"
    if effect.pass_fail is not None:
        counted = effect.pass_fail
        same = f"{counted.both_passed} in both, {counted.both_failed} in neither"
        yield "Passed", f"{same}, {counted.only_a} in A only, {counted.only_b} in B only"
        alone = ", which takes tasks for unrelated" if comparison.clusters is not None else ""
        yield "", f"exact McNemar test: p = {counted.p_value:.2g}{alone}"
    for label, task_ids in (("Gained", comparison.higher), ("Lost", comparison.lower)):
        if task_ids:
            named = [_change_text(comparison, task_id) for task_id in task_ids]
            yield label, f"{len(task_ids)}: {some_ids(named)}"
    if (noise := comparison.noise_floor) is not None:
        yield "Noise", _noise_text(comparison, noise)
    if (detectable := comparison.detectable) is not None:
        shown = f"a true difference of {detectable:.2g} would show in 80 of 100 such"
        yield "Power", f"{shown} comparisons; a smaller one less often"
    if comparison.groups:
        yield "By", f"{result.by}, the greatest loss first"
        groups = sorted(comparison.groups.items(), key=lambda each: each[1].difference.mean)
        for name, each in groups:
            means = f"A {_number(each.mean_a)}, B {_number(each.mean_b)}"
            ours = _difference_text(each.difference, f"n={each.difference.count}")
            yield "", f"{in_one_line(name)}: {means}, {ours}"


def _noise_text(comparison: Comparison, floor: float) -> str:
    sides = {"A": comparison.a, "B": comparison.b}
    repeated = [name for name, side in sides.items() if side.scan.summary.within]
    if not floor:
        return f"none seen: the repeats of each task scored alike in {' and '.join(repeated)}"
    names = repeated[0] if len(repeated) == 1 else "A, or of B,"
    return f"two single runs of {names} differ by up to {floor:.2g} (95 %)"


def _error_kind(result: ComparisonResult, difference: PairedDifference) -> str:
    kind = "no" if difference.standard_error is None else "paired"
    count = result.comparison.clusters
    clustered = "" if count is None else f", in {plural(count, 'cluster')} by {result.cluster}"
    return f"{kind} standard error, n={difference.count}{clustered}"


def _difference_text(difference: PairedDifference, how: str) -> str:
    error = difference.standard_error
    return f"{_signed(difference.mean)}{'' if error is None else f' ± {error:.2g}'} ({how})"


def _change_text(comparison: Comparison, task_id: str) -> str:
    effect, pairing = comparison.effect, comparison.pairing
    if effect is not None and effect.pass_fail is not None:
        return task_id
    return f"{task_id} ({_signed(pairing.b[task_id] - pairing.a[task_id])})"


def _verdict_entries(result: ComparisonResult) -> Iterator[_Entry]:
    judgement, ways_out = result.judgement, result.ways_out
    word = judgement.verdict.capitalize()
    if not judgement.obstacles:
        yield "Verdict", f"{word}: {judgement.reason}."
        for remark in judgement.remarks:
            yield "", remark
        return
    yield "Verdict", f"{word}:"
    for finding in judgement.obstacles:
        named = f": {some_ids(finding.task_ids)}" if finding.task_ids else ""
        yield "", f"- {in_one_line(finding.text)}{named}"
    ways = dict.fromkeys(ways_out.get(each.about) for each in judgement.obstacles)
    if None not in ways:  # else they stay not comparable whatever is done
        for way_out in ways:
            yield _WAY_OUT, f"{way_out}"


def _setting(value: JsonValue) -> str:
    return "not set" if value is None else in_one_line(str(value))


def _number(value: float) -> str:
    # What floats leave of 0 is not worth an exponent, or a sign.
    return f"{round(value, 9) + 0.0:.4g}"


def _signed(value: float) -> str:
    return f"{round(value, 9) + 0.0:+.4g}"
