"""The output of ``runs``: a table of the runs, and its JSON."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from benchmark_runner._start_state import output
from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner._text import age, in_one_line
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.cli.console import error_content
from benchmark_runner.results.json_facts import config_facts
from benchmark_runner.results.phrases import dataset_label, first_of
from benchmark_runner.results.run_list import RunOverview

_FEWEST_COLUMNS = 80
#: What is left of the columns that have to be cut, by their places.
_SHORTEST = {-2: 8, -1: 4}


class _Line(NamedTuple):
    """The cells of a run; its id is never cut, as it is there to be copied."""

    run: str
    done: str
    score: str
    age: str
    grader: str
    model: str
    dataset: str


_HEADING = _Line("RUN", "DONE", "SCORE", "AGE", "BY", "MODEL", "DATASET")


def table_lines(runs: Sequence[RunOverview], reduction: Reduction = MEAN) -> Iterator[str]:
    """Yield a heading and a line for each run, with the score by a reduction.

    On a terminal, names of models and datasets are cut so that each run has one line there.
    """
    now = datetime.now(UTC)
    heading, of_run = _HEADING, _score
    if reduction != MEAN:
        heading, of_run = _HEADING._replace(score=f"{reduction}".upper()), _reduced
    lines = [heading, *(_line(run, now, of_run(run)) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if output().isatty():
        columns = max(shutil.get_terminal_size().columns, _FEWEST_COLUMNS)
        # That it is not the whole dataset is never cut away.
        parts = [first_of(run.config) or "" for run in runs if run.config]
        shortest = _SHORTEST | ({-1: max(map(len, parts)) + 1} if any(parts) else {})
        for place, least in shortest.items():
            over = sum(widths) + 2 * (len(widths) - 1) - columns
            if over > 0:
                widths[place] = max(widths[place] - over, min(widths[place], least))
    for line, run in zip(lines, [None, *runs], strict=True):
        if run is not None and run.error is not None:
            yield f"{line.run:{widths[0]}}  can't be read: {in_one_line(run.error.message)}"
            continue
        cells = (_cut(text, width) for text, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def as_json(run: RunOverview) -> dict[str, object]:
    """Return a run for ``--json``."""
    return {
        "run_id": run.run_id,
        "started_at": run.started_at.isoformat(),
        **config_facts(run.config),
        "total": run.total,
        "done": run.done,
        "generated": run.generated,
        "complete": run.complete,
        "local": run.local,
        "final_score": run.score,
        "mean": run.mean,
        "stderr": run.stderr,
        "reduced": run.reduced and run.reduced.facts(),
        "answer": run.answer,
        "error": run.error and error_content(run.error),
    }


def _line(run: RunOverview, now: datetime, score: str) -> _Line:
    done = f"all {run.total}" if run.complete else f"{run.done}/{run.total}"
    config = run.config
    if config is not None and config.repeats > 1:
        done += f" (x{config.repeats})"
    return _Line(
        run=in_one_line(run.run_id),
        done=done if config else "",
        score=score,
        age=age((now - run.started_at).total_seconds()),
        grader={True: "local", False: "service", None: ""}[run.local],
        model=in_one_line(_model(config)) if config else "",
        dataset=in_one_line(_dataset(config)) if config else "",
    )


def _score(run: RunOverview) -> str:
    # A score that was forced of a settled run is not that of all its tasks.
    if run.score is None or run.answer is not None:
        return in_one_line(run.answer or "")
    # The error is that of the mean, which may be something else than what the service makes of it.
    is_mean = run.mean is not None and f"{run.mean:.4g}" == f"{run.score:.4g}"
    error = f" ± {run.stderr:.2g}" if is_mean and run.stderr is not None else ""
    return f"{run.score:.4g}{error}"


def _reduced(run: RunOverview) -> str:
    if run.reduced is None or run.reduced.mean is None:
        return ""
    error = run.reduced.stderr
    so_far = "" if run.complete else " so far"
    return f"{run.reduced.mean:.4g}{'' if error is None else f' ± {error:.2g}'}{so_far}"


def _model(config: RunConfig) -> str:
    return f"{config.model} (imported)" if config.imported else config.model


def _dataset(config: RunConfig) -> str:
    return ", ".join(filter(None, [first_of(config), dataset_label(config)]))


def _cut(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else f"{text[: width - 1]}…"
