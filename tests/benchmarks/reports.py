"""A report of thousands of tasks with their transcripts opens at once and stays small.

Each task has a trajectory of 100 kB, of words that compress as text does. The time to write is
beside that of reading and compressing the same files alone. Times in Chromium are measured where
it is installed, with Playwright.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
import string
from time import perf_counter
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main
from tests.benchmarks.project import project
from tests.benchmarks.resume import multiply
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SIZE = 100_000
_FEW = 250
_SHOWN = "Show the transcript"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def measure(quick: bool) -> Iterator[Figure]:
    """Write reports of few and of many tasks, and open the larger one."""
    many = 1000 if quick else 5000
    with project() as made:
        with service() as url:
            made.run(made.write_tasks(1), "one", url, "--no-durable")
        for count, name in ((_FEW, "few"), (many, "many")):
            multiply(made, "one", name, made.write_tasks(count))
            _write_trajectories(made.run_dir(name))
        few = made.start("report", "few")
        lot = made.start("report", "many")
        page = made.run_dir("many") / "report.html"
        folder = page.with_name("report_transcripts")
        yield _figure(
            many, "seconds to write", lot.seconds, _bare(made.run_dir("many")), "bare gzip"
        )
        yield _figure(many, "memory", lot.peak_mb, few.peak_mb, f"{_FEW:,} tasks", "MB", 1.5)
        yield _figure(many, "page", _megabytes(page), 15, "the limit", "MB", 1)
        files = sum(map(_megabytes, folder.iterdir()))
        yield _figure(many, "folder", files, many * _SIZE / 1e6, "the trajectories", "MB", 1)
        yield from _opened(page, many, "")
        single = made.start("report", "many", "--single-file")
        yield _figure(many, "single file", _megabytes(page), 50, "the limit", "MB", 1)
        yield _figure(many, "memory, single file", single.peak_mb, lot.peak_mb, "a folder", "MB")
        yield from _opened(page, many, ", single file")


def _figure(
    count: int, what: str, ours: float, other: float, other_is: str, unit: str = "s",
    at_most: float | None = None,
) -> Figure:  # fmt: skip
    return Figure(
        goal=f"report of {count:,} transcripts: {what}",
        ours=ours,
        other=other,
        other_is=other_is,
        unit=unit,
        at_most=at_most,
    )


def _megabytes(file: Path) -> float:
    return file.stat().st_size / 1e6


def _bare(run_dir: Path) -> float:
    began = perf_counter()
    for path in run_dir.glob("*/agent_logs/trajectory.json"):
        gzip.compress(json.dumps(json.loads(path.read_bytes())).encode(), 6)
    return perf_counter() - began


def _opened(page: Path, count: int, more: str) -> Iterator[Figure]:
    """Yield the time until the page can be used, and until a transcript is shown."""
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        shown = browser.new_page()
        began = perf_counter()
        shown.goto(page.as_uri())
        shown.wait_for_selector("html[data-ready]", state="attached")
        ready = perf_counter()
        shown.locator("#tasks .open").first.click()
        shown.get_by_role("button", name=_SHOWN).click()
        shown.locator(".transcript .steps li").first.wait_for()
        ended = perf_counter()
        browser.close()
    yield _figure(count, f"open{more}", ready - began, 2, "the limit", at_most=1)
    yield _figure(count, f"open a transcript{more}", ended - ready, 1, "a second")


def _write_trajectories(run_dir: Path) -> None:
    chance = random.Random(1)
    words = [
        "".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 9))) for _ in range(3000)
    ]
    texts = [" ".join(chance.choices(words, k=80)) for _ in range(2000)]
    for logs in run_dir.glob("*/agent_logs"):
        steps: list[dict[str, object]] = []
        size = 0
        while size < _SIZE:
            steps.append(_step(len(steps) + 1, chance.choices(texts, k=4)))
            size += len(json.dumps(steps[-1]))
        trajectory = {
            "schema_version": "ATIF-v1.8",
            "agent": {"name": "an-agent", "version": "1"},
            "steps": steps,
        }
        (logs / "trajectory.json").write_text(json.dumps(trajectory))


def _step(number: int, texts: list[str]) -> dict[str, object]:
    message, reasoning, code, result = texts
    call = {"tool_call_id": f"c{number}", "function_name": "run", "arguments": {"code": code}}
    seen = {"source_call_id": f"c{number}", "content": result, "extra": {"exit_code": number % 5}}
    return {
        "step_id": number,
        "timestamp": f"2026-05-04T03:{number % 60:02}:00Z",
        "source": "agent",
        "message": message,
        "reasoning_content": reasoning,
        "tool_calls": [call],
        "observation": {"results": [seen]},
        "metrics": {"prompt_tokens": 1000 + number, "completion_tokens": 200, "cost_usd": 0.01},
    }


if __name__ == "__main__":
    main(measure)
