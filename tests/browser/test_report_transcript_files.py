"""The transcripts of a report, loaded from beside the page or held in it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.report_table import open_task
from tests.browser.report_transcript import numbers, open_transcript, opener, said
from tests.unit.results.report.agents import agents, put, trajectory, usual
from tests.unit.results.report.agents import step as made_step
from tests.unit.results.report.pages import write_page
from tests.unit.results.report.runs import MadeRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    Open = Callable[..., Page]


@pytest.fixture(params=["disk", "server"])
def address(request: pytest.FixtureRequest, results: Path, agents_page: Path) -> str:
    """The address of the page of agents, on the disk and on a server."""
    if request.param == "disk":
        return agents_page.as_uri()
    return f"{request.getfixturevalue('served')}/{agents_page.relative_to(results).as_posix()}"


class TestLoading:
    def test_transcript_loads_when_it_is_opened(self, open_page: Open, address: str) -> None:
        """A transcript is loaded from beside the page, on the disk and on a server."""
        page = open_page(address, loads=True)

        shown = open_transcript(page, "usual")

        assert numbers(shown) == ["1", "2", "3", "4", "5", "6"]
        expect(said(shown, "The area is 6.")).to_be_visible()
        assert page.locator("iframe").count() == 0

    def test_any_task_id_is_found(self, open_page: Open, address: str) -> None:
        """A task whose id has signs of addresses has its transcript."""
        shown = open_transcript(open_page(address, loads=True), "<b>#?&%2f;")

        assert len(numbers(shown)) == 6

    def test_frame_may_do_nothing_but_run(self, open_page: Open, agents_page: Path) -> None:
        """The frame of the data has no rights but to run its script."""
        page = open_page(agents_page, loads=True)
        page.evaluate(
            """new MutationObserver((changes) => changes.forEach(({ addedNodes }) =>
                addedNodes.forEach((each) => {
                    if (each.localName === "iframe") window.rights = each.sandbox.value;
                }))).observe(document.body, { childList: true })"""
        )

        open_transcript(page, "usual")

        assert page.evaluate("window.rights") == "allow-scripts"

    def test_words_of_others_are_ignored(self, open_page: Open, agents_page: Path) -> None:
        """A message from elsewhere is not taken for a transcript."""
        page = open_page(agents_page, loads=True)
        open_task(page, "usual")
        page.evaluate("setInterval(() => postMessage({ key: 'x', data: 'forged' }, '*'))")

        opener(page).click()

        expect(said(page, "The area is 6.")).to_be_visible()

    def test_other_sites_get_nothing(
        self, chromium: Browser, served: str, agents_page: Path
    ) -> None:
        """A page of another site that frames a transcript gets nothing of it."""
        other = served.replace("127.0.0.1", "localhost")
        path = f"{agents_page.parent.name}/report_transcripts/usual.html"
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{other}/{agents_page.parent.name}/generation.json")

        heard = page.evaluate(
            """(address) => new Promise((resolve) => {
                addEventListener("message", ({ data }) => resolve(data));
                const frame = document.createElement("iframe");
                frame.addEventListener("load", () => setTimeout(() => resolve("nothing"), 300));
                frame.src = address;
                document.body.append(frame);
            })""",
            f"{served}/{path}",
        )

        assert heard == "nothing"
        context.close()

    def test_missing_folder_is_told(
        self, open_page: Open, tmp_path: Path, agents_page: Path
    ) -> None:
        """A page without its folder says that it belongs beside it."""
        alone = tmp_path / "report.html"
        shutil.copy(agents_page, alone)
        page = open_page(alone, loads=True)
        open_task(page, "usual")

        opener(page).click()

        expect(page.get_by_text("Its file can't be loaded.")).to_be_visible()
        opener(page).click()
        expect(page.get_by_text("Its file can't be loaded.")).to_be_hidden()

    def test_other_transcript_is_not_shown(self, open_page: Open, tmp_path: Path) -> None:
        """A page that is open never shows the transcript of a later report."""
        run = MadeRun(tmp_path)
        run.graded("t", 1)
        logs = run.artifacts.agent_logs_dir("t")
        put(logs, usual())
        view = run.save()
        file = view.artifacts.run_dir / "report.html"
        write_page(view, file)
        page = open_page(file, loads=True)
        put(logs, trajectory(made_step(1, message="Another one.")))
        write_page(view, file)
        open_task(page, "t")

        opener(page).click()

        expect(page.get_by_text("It is not the one that this page was made with")).to_be_visible()
        assert page.get_by_text("Another one.").count() == 0

    def test_transcript_in_the_page(self, open_page: Open, tmp_path: Path) -> None:
        """A page of a single file asks for nothing, and says what did not fit."""
        view = agents(tmp_path).save()
        file = tmp_path / "x.html"
        write_page(view, file, in_page=len(write_page(view, file, in_page=0)) + 6000)
        page = open_page(file)

        assert len(numbers(open_transcript(page, "usual"))) == 6
        open_task(page, "torn")
        opener(page).click()
        expect(page.get_by_text("It does not fit into the page")).to_be_visible()
        expect(page.get_by_text("transcripts left out, as the size of the page")).to_be_visible()
