"""The words of terminal and report for the verdict on the question of a run."""

from collections.abc import Iterator

from benchmark_runner._run.question import QuestionVerdict
from benchmark_runner._run.summary import RunSummary
from benchmark_runner._stats.forecast import LEVEL
from benchmark_runner._stats.threshold_test import ThresholdSide
from benchmark_runner._text import dollars
from benchmark_runner.checkpoint import Until
from benchmark_runner.results.phrases import missing_text, number, range_text

__all__ = [
    "answer_text", "level_text", "question_text", "unscored_text", "verdict_facts",
    "verdict_lines",
]  # fmt: skip


def question_text(until: Until) -> str:
    """Return the question, such as ``at least 0.7?``."""
    if until.against is not None:
        return f"better or worse than {until.against}?"
    return f"at least {until.score or 0:.15g}?"


def answer_text(verdict: QuestionVerdict) -> str | None:
    """Return the answer, such as ``below 0.7``; ``None`` if the question is not settled."""
    until = verdict.until
    match verdict.side:
        case ThresholdSide.ABOVE if until.against is None:
            return f"at least {until.score or 0:.15g}"
        case ThresholdSide.BELOW if until.against is None:
            return f"below {until.score or 0:.15g}"
        case ThresholdSide.ABOVE:
            return f"better than {until.against}"
        case ThresholdSide.BELOW:
            return f"worse than {until.against}"
        case None:
            return None


def verdict_lines(verdict: QuestionVerdict, summary: RunSummary) -> Iterator[str]:
    """Yield the verdict, what it took and is about, and the interval if the run is not complete."""
    counts = summary.counts
    unit = "generations" if summary.repeats else "tasks"
    after = f"after {counts.attempted:,} of {counts.total:,} {unit}"
    answer = answer_text(verdict)
    if answer is None and summary.complete:
        yield f"Equal    {after}: {verdict.until.against} has the same mean"
    elif answer is None:
        yield f"Not settled {after}: {question_text(verdict.until)}"
    else:
        level = "certain" if verdict.certain else level_text(verdict.until)
        yield f"Settled  {after}: {answer} ({level}){_cost_text(summary)}"
    if verdict.unusable is not None:
        yield f"         {verdict.unusable}"
    elif not summary.complete:
        low_to_high = range_text(verdict.low, verdict.high)
        what = "the mean of all tasks"
        if verdict.until.against is not None:
            what = f"the mean difference from {verdict.until.against}"
        yield f"Interval {low_to_high}: {what}, each bound at {_percent(_level_of_bound(verdict))}"
    if answer is not None and verdict.until.against is not None:
        yield "         It is about these two runs; two runs of one agent may differ, too."


def level_text(until: Until) -> str:
    """Return ``at 95 %``: the probability that a verdict is right."""
    return f"at {_percent(1 - until.alpha)}"


def unscored_text(verdict: QuestionVerdict | None, summary: RunSummary) -> str | None:
    """Return that a settled run has no score because of that; ``None`` of other runs."""
    if verdict is None or verdict.side is None or summary.complete:
        return None
    rest = missing_text(summary, errors=True)
    return f"No score: the question is settled, and the rest is not done ({rest})"


def verdict_facts(verdict: QuestionVerdict | None, summary: RunSummary) -> dict[str, object] | None:
    """Return the verdict for ``--json``; ``None`` without a question."""
    if verdict is None:
        return None
    until = verdict.until
    return {
        "score": until.score,
        "against": until.against,
        "alpha": until.alpha,
        "settled": verdict.side is not None,
        "answer": answer_text(verdict),
        "side": verdict.side,
        "certain": verdict.certain,
        "interval": _interval_facts(verdict),
        "cost_of_all": summary.spend.of_all(summary.counts),
        "cost_of_all_interval": _cost_interval(summary),
    }


def _interval_facts(verdict: QuestionVerdict) -> dict[str, float] | None:
    if verdict.unusable is not None:
        return None
    level = _level_of_bound(verdict)
    return {"low": verdict.low, "high": verdict.high, "level_of_each_bound": level}


def _level_of_bound(verdict: QuestionVerdict) -> float:
    alpha = verdict.until.alpha
    return 1 - (alpha if verdict.until.against is None else alpha / 2)


def _percent(level: float) -> str:
    return f"{number(100 * level)} %"


def _cost_text(summary: RunSummary) -> str:
    total = summary.spend.of_all(summary.counts)
    if total is None:
        return ""
    about = f" of about {dollars(total)}" if not summary.complete else ""
    return f", {dollars(summary.spend.dollars)}{about}"


def _cost_interval(summary: RunSummary) -> dict[str, float] | None:
    found = summary.spend.range_of_all(summary.counts)
    return found and {"low": found.low, "high": found.high, "level": LEVEL}
