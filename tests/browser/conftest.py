"""Opens pages in Chromium from the disk, and sees to it that they ask for nothing and say nothing.

``nox -s browser`` runs these tests. ``--shots DIR`` keeps pictures of the pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.chromium import open_chromium
from tests.unit.results.report.agents import agents
from tests.unit.results.report.hostile import hostile_groups, hostile_run
from tests.unit.results.report.pages import write_page, write_page_of_several
from tests.unit.results.report.runs import MadeRun, every_outcome, many, topics, with_repeats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

WIDE, NARROW = 1280, 390


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shots", metavar="DIR", type=Path, help="keep pictures of the pages there")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was measured."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@dataclass
class Watched:
    """A page, and what it did that it should not have done."""

    page: Page
    seen: list[str] = field(default_factory=list[str])
    allowed: str = ""
    #: The folder of the transcripts, which a page loads when they are opened.
    folder: str = ""

    @property
    def wrong(self) -> list[str]:
        """What it should not have done."""
        missing = "went to chrome-error:"
        loads = (f"asked for {self.folder}/", f"went to {self.folder}/", missing)
        return [
            each
            for each in self.seen
            if each != self.allowed and not (self.folder and each.startswith(loads))
        ]


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a file; at the end of the test it has asked for nothing and complained of nothing.

    With ``loads``, it may have asked for its transcripts.
    """
    opened: list[Watched] = []

    def open_file(
        file: Path | str, *, width: int = WIDE, dark: bool = False, loads: bool = False
    ) -> Page:
        address = file if isinstance(file, str) else file.as_uri()
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        watched = Watched(page)
        opened.append(watched)
        asked = watched.seen
        page.on("request", lambda request: asked.append(f"asked for {request.url}"))
        page.on("dialog", lambda dialog: (asked.append("opened a dialog"), dialog.dismiss()))
        page.on("pageerror", lambda error: asked.append(f"failed: {error}"))
        page.on("console", lambda message: asked.append(f"said {message.text}"))
        page.on("framenavigated", lambda frame: asked.append(f"went to {without_part(frame.url)}"))
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        here = f"went to {address}"
        assert asked == [f"asked for {address}", here]
        watched.allowed = here
        watched.folder = f"{address.removesuffix('.html')}_transcripts" if loads else ""
        asked.clear()
        return page

    yield open_file
    for watched in opened:
        # What was begun is over once the page has answered.
        watched.page.evaluate("new Promise((resolve) => setTimeout(resolve))")
        watched.page.context.close()
    assert [wrong for watched in opened for wrong in watched.wrong] == []


def without_part(url: str) -> str:
    """An address without the place within the page."""
    return url.partition("#")[0]


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="session")
def all_outcomes(results: Path) -> Path:
    """The page of a run with a task of each state."""
    view = every_outcome(results, "outcomes").save()
    file = view.artifacts.run_dir / "report.html"
    write_page(view, file, groups=topics(view.config.tasks))
    return file


@pytest.fixture(scope="session")
def every_level(results: Path) -> Path:
    """The page of a run in which tasks scored all, a part and nothing."""
    run = MadeRun(results, "levels")
    for task_id, score in {"all": 1, "part": 0.25, "nothing": 0, "more": 1}.items():
        run.graded(task_id, {"pass_percentage": score})
    run.ran_out("late")
    run.failed("broken", "ValueError: no luck")
    run.missing("missing")
    view = run.save()
    file = view.artifacts.run_dir / "report.html"
    write_page(view, file)
    return file


@pytest.fixture(scope="session")
def repeated(results: Path) -> Path:
    """The page of a run of three repeats."""
    view = with_repeats(results, "repeated").save()
    file = view.artifacts.run_dir / "report.html"
    write_page(view, file)
    return file


@pytest.fixture(scope="session")
def several_hundred(results: Path) -> Path:
    """The page of a run of 230 tasks."""
    view = many(results, 230, "hundreds").save(final_score=0.5, complete=False)
    file = view.artifacts.run_dir / "report.html"
    write_page(view, file, groups=topics(view.config.tasks))
    return file


@pytest.fixture(scope="session")
def side_by_side(results: Path) -> Path:
    """The page of three runs."""
    views = [
        many(results, 60, f"side-{skill}", seed=seed, skill=skill / 10).save(final_score=0.5)
        for seed, skill in enumerate((4, 6, 8))
    ]
    file = results / "side.html"
    write_page_of_several(views, file, groups=topics(views[0].config.tasks))
    return file


@pytest.fixture(scope="session")
def agents_page(results: Path) -> Path:
    """The page of a run of agents, whose transcripts are beside it."""
    view = agents(results).save()
    file = view.artifacts.run_dir / "report.html"
    write_page(view, file)
    return file


@pytest.fixture(scope="session")
def served(results: Path) -> Iterator[str]:
    """The address under which the results are served."""
    handler = partial(QuietHandler, directory=str(results))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as it is called)
        pass


@pytest.fixture(scope="session")
def hostile(results: Path) -> Path:
    """The page of a run in which all texts are hostile."""
    run = hostile_run(results)
    view = run.save()
    file = view.artifacts.run_dir / "report.html"
    write_page(view, file, groups=hostile_groups(run), commands={"Go on": "<img src=x>"})
    return file


@pytest.fixture(scope="session")
def hostile_pair(results: Path) -> Path:
    """The page of two such runs."""
    runs = [hostile_run(results, "javascript:window.hit=1"), hostile_run(results, "</script>x"[2:])]
    file = results / "hostile.html"
    write_page_of_several([run.save() for run in runs], file, groups=hostile_groups(runs[0]))
    return file
