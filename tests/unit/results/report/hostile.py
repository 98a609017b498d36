"""Texts that a model, a service or a dataset may hold to get something run, and a run of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.checkpoint import Invocation
from benchmark_runner.schemas import Phase
from tests.unit.results.report.runs import START, MadeRun

if TYPE_CHECKING:
    from pathlib import Path

#: Each sets a flag, or asks for something, if a browser takes it for more than text.
TEXTS = (
    "<script>window.hit = 1; alert(1)</script>",
    "</script><script>window.hit = 1</script>",
    "<!--<script>window.hit = 1",
    "--><img src=x onerror='window.hit=1'>",
    "<svg/onload=window.hit=1>",
    "</pre></td></main><iframe src='javascript:window.top.hit=1'></iframe>",
    "'\"><a href=javascript:window.hit=1 autofocus onfocus=window.hit=1>",
    "<style>*{display:none}</style><link rel=stylesheet href=http://example.com/x.css>",
    "<base href=http://example.com/><meta http-equiv=refresh content='0;url=http://example.com'>",
    "{{ 7 * 7 }}{% raw %}${window.hit=1}",
    "\u2028window.hit=1;\u2029//",
    "\x1b]0;owned\x07\x1b[31mred\x1b[0m\x9b2J",
    "&lt;b&gt; &amp; \u202egnp.exe\u202c \x00\x7f",
)
#: Without a separator, as ids have to be.
IDS = (
    "<script>window.hit=1<",
    "<img src=x onerror=window.hit=1>",
    "javascript:window.hit=1",
    "' onmouseover='window.hit=1",
    '" autofocus onfocus="window.hit=1',
    "-->",
    "..%2f..%2f",
    "{{ 7*7 }}",
    "C:",
    "#?&=;",
)
RUN_ID = "<b onclick=hit()>"


def hostile_run(results: Path, run_id: str = RUN_ID) -> MadeRun:
    """A run in which every text that somebody else writes is hostile."""
    text = TEXTS[0]
    run = MadeRun(
        results,
        run_id,
        {
            "model": text,
            "dataset_name": TEXTS[3],
            "dataset_file": f"javascript:window.hit=1/{TEXTS[4]}",
            "sampling": {"reasoning_effort": TEXTS[1], TEXTS[4]: {"a": [TEXTS[2]]}},
            "options": {TEXTS[3]: TEXTS[5]},
            "service_url": "javascript:window.hit=1",
            "service_version": TEXTS[1],
            "generation_version": TEXTS[6],
            "runner_version": TEXTS[7],
            "runner_commit": TEXTS[8],
            "operational": {TEXTS[9]: TEXTS[10]},
            "history": [
                Invocation(
                    at=START,
                    command=TEXTS[11],
                    changed={TEXTS[3]: (TEXTS[4], TEXTS[12])},
                    accepted={"changed": [TEXTS[0]]},
                )
            ],
        },
    )
    for number, each in enumerate(TEXTS):
        grade = {"pass_percentage": number % 2, each: each}
        texts = {"question": each, "answer": each, "model": each, "log_dir": "javascript:hit()"}
        run.graded(f"t{number}", grade, **texts)
        run.failed(f"f{number}", f"Error: {each}", question=each)
    run.failed("g0", TEXTS[1], Phase.EVALUATE)
    for number, task_id in enumerate(IDS):
        run.graded(task_id, number % 2)
    run.failed("long", TEXTS[1] * 10_000, answer=TEXTS[1] * 10_000)
    return run


def hostile_groups(run: MadeRun) -> dict[str, str]:
    """A group for each task that is called by a hostile text."""
    return {task_id: TEXTS[place % len(TEXTS)] for place, task_id in enumerate(run.tasks)}
