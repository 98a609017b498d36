"""The output of ``import``: what was imported, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._text import plural, some_ids
from benchmark_runner.cli.output.totals import (
    answer_lines,
    cost_line,
    count_lines,
    failure_lines,
    tasks_text,
)
from benchmark_runner.cli.shell import short_path
from benchmark_runner.results.json_facts import config_facts, summary_facts

if TYPE_CHECKING:
    from benchmark_runner._run.answer_import import ImportOutcome


def lines(outcome: ImportOutcome, evaluate: str) -> Iterator[str]:
    """Yield what was imported, the state of the run, and the command that evaluates it."""
    config, checked, summary = outcome.config, outcome.checked, outcome.summary
    artifacts = outcome.session.artifacts
    yield f"Imported answers into run {config.run_id}"
    yield f"  model    {config.model}"
    yield f"  tasks    {tasks_text(config, config.tasks)}"
    yield f"  answers  {outcome.added:,} added{_rest(outcome)}"
    if checked.skipped:
        rows = plural(checked.skipped, "row")
        yield f"           {rows} left out: the task was not generated"
    yield from count_lines(summary.counts, config)
    if missing := summary.without_generation:
        yield f"Missing  {plural(len(missing), 'answer')}: {some_ids(missing)}"
    yield from failure_lines(summary, artifacts)
    yield from answer_lines(summary, artifacts)
    if summary.spend.dollars:
        yield cost_line(summary.spend)
    if checked.masked:
        yield f"Warning: a key was masked in the answer of: {some_ids(checked.masked)}"
    yield f"Results  {short_path(artifacts.run_dir)}"
    yield f"Evaluate {evaluate}"


def as_json(outcome: ImportOutcome, evaluate: str) -> dict[str, object]:
    """Return what was imported for ``--json``."""
    config, checked = outcome.config, outcome.checked
    return {
        "run_id": config.run_id,
        "results_dir": str(outcome.session.artifacts.results_dir),
        "answers": checked.count,
        "added": outcome.added,
        "skipped": checked.skipped,
        **summary_facts(outcome.summary, None),
        **config_facts(config),
        "masked": [*map(str, checked.masked)],
        "missing": [*map(str, outcome.summary.without_generation)],
        "evaluate_command": evaluate,
        "resume_command": evaluate,
    }


def _rest(outcome: ImportOutcome) -> str:
    known = outcome.checked.count - outcome.added
    before = f", {known:,} there before" if known else ""
    file = outcome.session.request.answers or Path()
    return f"{before}, from {short_path(file)}"
