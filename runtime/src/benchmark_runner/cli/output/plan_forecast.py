"""The output of ``run --dry-run --from R``: what a plan will cost and take, if as in that run."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmark_runner._run.plan import Plan
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.session import Session
from benchmark_runner._run.time_limit import time_limit
from benchmark_runner._spend import Spend
from benchmark_runner._stats.forecast import FEWEST, LEVEL, Forecast, Range, forecast
from benchmark_runner._text import (
    about_cost,
    about_time,
    about_time_with_range,
    dollars,
    duration,
    plural,
)
from benchmark_runner.results.run_view import RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanForecast:
    """The forecast of a plan from what the generations of a run took.

    Attributes:
        view: The run.
        request: The command of the plan.
        generations: Number of generations that are planned.
        spent: Dollars that the planned run has cost so far.
        finished: Number of generations of the other run with a known duration.
        unknown: Number of these without a known cost.
        cost: The mean cost of one in US dollars; ``None`` if no cost is known.
        seconds: The mean duration of one; ``None`` if none is known.
        found: The forecast; ``None`` if it would be made from too few.
    """

    view: RunView
    request: RunRequest
    generations: int
    spent: float
    finished: int
    unknown: int
    cost: float | None
    seconds: float | None
    found: Forecast | None


def make_forecast(session: Session, plan: Plan, spend: Spend, view: RunView) -> PlanForecast:
    """Forecast a plan from the generations of another run, earlier attempts included.

    Its own run has cost ``spend`` so far.
    """
    history = view.scan().finish().summary.spend.history
    bins = history.bins()
    known = history.count - history.unknown
    found = forecast(
        history,
        elapsed=(),
        waiting=len(plan.generate),
        parallelism=session.request.parallelism,
        spent=spend.dollars,
        limit=time_limit(session, plan),
    )
    return PlanForecast(
        view=view,
        request=session.request,
        generations=len(plan.generate),
        spent=spend.dollars,
        finished=history.count,
        unknown=history.unknown,
        cost=sum(each.dollars for each in bins) / known if known else None,
        seconds=sum(each.seconds for each in bins) / history.count if history.count else None,
        found=found,
    )


def forecast_lines(made: PlanForecast) -> Iterator[str]:
    """Yield the forecast in lines for a person, at 80 columns."""
    of_run = f"{plural(made.finished, 'generation')} of run {made.view.run_id}"
    yield f"  forecast from {of_run}, model {made.view.config.model}"
    if made.found is None:
        yield f"    none: that takes {FEWEST} generations with a recorded duration"
    labelled = {"cost": [*_cost_texts(made)], "time": [*_time_texts(made)]}
    if (most := made.request.max_cost) is not None:
        labelled["limit"] = [f"--max-cost {most:g}{_reach_text(made, most)}"]
    for label, texts in labelled.items():
        for number, text in enumerate(texts):
            yield f"    {label if number == 0 else '':6} {text}"
    if made.found is not None:
        yield f"    The ranges hold what comes out of {100 * LEVEL:.0f} in 100 such runs."
        if made.request.asks:
            yield "    It is less if the question is settled before."


def forecast_as_json(made: PlanForecast) -> dict[str, object]:
    """Return the forecast for ``--json``."""
    found, most = made.found, made.request.max_cost
    return {
        "from": made.view.run_id,
        "model": made.view.config.model,
        "generations": made.generations,
        "parallelism": made.request.parallelism,
        "finished": made.finished,
        "cost_unknown": made.unknown,
        "cost_per_generation": made.cost,
        "seconds_per_generation": made.seconds,
        "level": LEVEL,
        "spent": made.spent,
        "cost": None if found is None else _range_as_json(found.dollars),
        "seconds": None if found is None else _range_as_json(found.seconds),
        "max_cost": most,
        "max_cost_reached_after": None if most is None else _seconds_until(made, most),
    }


def _cost_texts(made: PlanForecast) -> Iterator[str]:
    if made.cost is None:
        yield "not known: no generation of that run has a recorded cost"
        return
    if made.found is not None and (end := made.found.dollars) is not None:
        spent = f", {dollars(made.spent)} of it spent" if made.spent else ""
        yield f"{about_cost(end.middle, end.low, end.high)}{spent}"
    unknown = f"; {made.unknown} without a recorded cost count nothing" if made.unknown else ""
    yield f"{dollars(made.cost)} a generation{unknown}"


def _time_texts(made: PlanForecast) -> Iterator[str]:
    if made.found is not None:
        end, at = made.found.seconds, f"at parallelism {made.request.parallelism}"
        yield f"{about_time_with_range(end.middle, end.low, end.high)} {at}"
    if made.seconds is not None:
        yield f"{duration(made.seconds)} a generation; evaluations are not counted"


def _reach_text(made: PlanForecast, most: float) -> str:
    if made.spent >= most:
        return ": reached, no task would start"
    if made.found is None or (end := made.found.dollars) is None:
        return ""
    if (after := _seconds_until(made, most)) is not None:
        return f": reached in about {about_time(after)}"
    return ": may be reached" if end.high > most else ": not reached"


def _seconds_until(made: PlanForecast, most: float) -> float | None:
    """Return the seconds until the limit is reached; ``None`` if it is not expected to be."""
    if made.found is None or made.found.dollars is None or made.found.dollars.middle <= most:
        return None
    return max(made.found.seconds_until(made.spent, most), 0.0)


def _range_as_json(values: Range | None) -> dict[str, float] | None:
    if values is None:
        return None
    return {"estimate": values.middle, "low": values.low, "high": values.high}
