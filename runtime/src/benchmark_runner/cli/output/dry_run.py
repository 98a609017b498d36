"""The output of ``run --dry-run``: the plan of a run, as text and as JSON."""

from collections.abc import Iterator, Mapping, Sequence

from benchmark_runner._run.plan import Reason
from benchmark_runner._run.session import Session
from benchmark_runner._text import plural, some_ids
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.cli.output.plan_forecast import (
    PlanForecast,
    forecast_as_json,
    forecast_lines,
)
from benchmark_runner.cli.shell import short_path
from benchmark_runner.results.json_facts import key_facts
from benchmark_runner.results.phrases import dataset_label
from benchmark_runner.results.verdict_text import level_text, question_text
from benchmark_runner.schemas import TaskRepeat

Groups = Mapping[str, Mapping[Reason, Sequence[TaskRepeat]]]

#: The verbs of the actions that ``--json`` names otherwise.
_VERBS = {"regrade": "evaluate", "rerun": "generate"}


def plan_lines(session: Session, groups: Groups, made: PlanForecast | None = None) -> Iterator[str]:
    """Yield what would be done to which tasks, and why, and what it is expected to take."""
    kind = "an existing run" if session.resumed else "a new run"
    yield f"Plan of run {session.config.run_id}, {kind}; nothing is done"
    yield f"  model    {session.config.model}"
    if session.config.dataset_version_id is not None:
        yield f"  dataset  {dataset_label(session.config)}"
    yield f"  results  {short_path(session.artifacts.run_dir)}"
    if session.request.asks and (until := session.config.until) is not None:
        yield f"  until    settled: {question_text(until)} ({level_text(until)})"
        yield "  at most, until then:"
    yield from group_lines(groups, session.config)
    if removed := session.changes.removed:
        yield f"  removed  {plural(len(removed), 'task')}: {some_ids(removed)}"
    for path in session.artifacts.set_aside:
        yield f"  would be set aside, because it can't be read: {short_path(path)}"
    if made is not None:
        yield from forecast_lines(made)
    yield "Leave out --dry-run to do it."


def group_lines(groups: Groups, config: RunConfig) -> Iterator[str]:
    """Yield each action with its reasons, and some of the ids."""
    what = "task" if config.repeats == 1 else "generation"
    for action, reasons in groups.items():
        count = sum(map(len, reasons.values()))
        yield f"  {_VERBS.get(action, action):8} {plural(count, what)}"
        for why, keys in reasons.items():
            yield f"    {len(keys)} {why}: {some_ids(keys)}"


def groups_as_json(groups: Groups) -> dict[str, list[dict[str, object]]]:
    """Return each action with its reasons, and all ids."""
    return {
        action: [
            {
                "why": why.name.lower(),
                "text": why.value,
                "count": len(keys),
                **key_facts(keys),
            }
            for why, keys in reasons.items()
        ]
        for action, reasons in groups.items()
    }


def plan_as_json(
    session: Session, groups: Groups, made: PlanForecast | None = None
) -> dict[str, object]:
    """Return the plan for ``--json``, with all ids."""
    return {
        "run_id": session.config.run_id,
        "results_dir": str(session.artifacts.results_dir),
        "resumed": session.resumed,
        "plan": groups_as_json(groups),
        "removed": session.changes.removed,
        "unreadable": [str(path) for path in session.artifacts.set_aside],
        **({} if made is None else {"forecast": forecast_as_json(made)}),
    }
