"""A transcript in a report as a person uses it: content, filters, keyboard, access."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.report_table import open_task
from tests.browser.report_transcript import OPENER, focused, numbers, open_transcript, opener, said
from tests.unit.results.report.agents import long, put
from tests.unit.results.report.pages import write_page
from tests.unit.results.report.runs import MadeRun

from .conftest import NARROW, WIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    Open = Callable[..., Page]


class TestContent:
    def test_step_has_all_its_parts(self, open_page: Open, agents_page: Path) -> None:
        """A step has its time, tokens, cost, reasoning, and calls with arguments and results."""
        shown = open_transcript(open_page(agents_page, loads=True), "usual")
        step = shown.locator("li").nth(2)

        text = " ".join((step.text_content() or "").split())
        assert "+14 s · 1,000 in, 300 out, 200 read from the cache · $0.0123" in text
        assert "Call search" in text
        assert "query area of a triangle" in text
        assert "Call run_python failed" in text
        assert "ValueError: math domain error" in text
        assert step.get_by_text("So it has a right angle.").count() == 0
        step.get_by_text("Reasoning, 50 characters").click()
        expect(step.get_by_text("So it has a right angle.")).to_be_visible()

    def test_image_is_named_and_not_loaded(self, open_page: Open, agents_page: Path) -> None:
        """An image is named by its path."""
        page = open_page(agents_page, loads=True)

        expect(said(open_transcript(page, "usual"), "[image: shots/1.png]")).to_be_visible()
        assert page.locator("img").count() == 0

    def test_subagents_are_a_click_away(self, open_page: Open, agents_page: Path) -> None:
        """A result leads to the subagents behind it, and these back to it."""
        shown = open_transcript(open_page(agents_page, loads=True), "delegating")

        shown.get_by_role("button", name="Open Subagent: helper 1.0").click()
        expect(said(shown, "Nobody asked me.")).to_be_visible()
        shown.get_by_role("button", name="Back").click()
        assert focused(shown.page) == "2"
        shown.get_by_role("button", name="Open Subagent: finder").click()
        shown.get_by_role("button", name="Open Subagent: deepest").click()
        expect(said(shown, "Deep down.")).to_be_visible()

    def test_earlier_attempts_are_kept(self, open_page: Open, agents_page: Path) -> None:
        """The trajectory of an earlier attempt can be chosen."""
        page = open_page(agents_page, loads=True)
        shown = open_transcript(page, "killed")
        expect(opener(page)).to_have_text(f"{OPENER}: 1 step, 1 earlier attempt")

        shown.get_by_label("Agent").select_option("Attempt 1: my-agent 1.0")

        assert len(numbers(shown)) == 6

    def test_torn_trajectory_says_so(self, open_page: Open, agents_page: Path) -> None:
        """A trajectory that was cut off is shown as far as it goes, and says so."""
        shown = open_transcript(open_page(agents_page, loads=True), "torn")

        expect(shown.get_by_text("Not all of it can be read.")).to_be_visible()
        assert numbers(shown)[:2] == ["1", "2"]

    def test_long_text_opens_on_request(self, open_page: Open, agents_page: Path) -> None:
        """A long text is shortened; cut ones say what is left out."""
        page = open_page(agents_page, loads=True)
        text = open_transcript(page, "hostile").locator(".short").last
        before = text.bounding_box()

        page.get_by_role("button", name="Show all").last.click()

        after = page.locator(".said").last.bounding_box()
        assert before is not None
        assert after is not None
        assert before["height"] < 300 < after["height"]
        note = page.locator(".said .left-out").text_content() or ""
        assert "380,000 characters left out; the whole is in hostile/agent_logs/" in note

    def test_hostile_texts_never_run(self, open_page: Open, agents_page: Path) -> None:
        """Nothing in a hostile transcript runs, loads or becomes an element."""
        page = open_page(agents_page, loads=True)
        shown = open_transcript(page, "hostile")
        for summary in shown.locator(".reasoning summary").all():
            summary.click()

        assert page.evaluate("window.hit") is None
        assert page.locator("img, iframe, base, link, object, embed, form, svg svg").count() == 0
        assert "\u202e" not in (shown.text_content() or "")
        expect(said(shown, "⟨U+202E⟩gnp.exe").first).to_be_visible()


class TestFilters:
    def test_sorting_keeps_transcripts_open(self, open_page: Open, agents_page: Path) -> None:
        """A transcript stays as it is while the table is sorted and searched."""
        page = open_page(agents_page, loads=True)
        shown = open_transcript(page, "usual")
        shown.get_by_label("Only failed calls").check()

        page.get_by_role("columnheader", name="Score").get_by_role("button").click()
        page.get_by_role("searchbox", name="Search ids").fill("usual")

        expect(page.locator("#found")).to_contain_text("1 of 8 tasks")
        assert numbers(shown) == ["3"]

    def test_steps_are_filtered(self, open_page: Open, agents_page: Path) -> None:
        """Steps are found by tool, by failure and by text."""
        shown = open_transcript(open_page(agents_page, loads=True), "usual")
        tool, status = shown.get_by_label("Tool"), shown.get_by_role("status")

        tool.select_option("run_python (2, 1 failed)")
        assert numbers(shown) == ["3", "4", "5"]
        shown.get_by_label("Only failed calls").check()
        assert numbers(shown) == ["3"]
        tool.select_option("search (1)")
        expect(status).to_have_text("No step of 6 fits")
        tool.select_option("All steps")
        shown.get_by_label("Only failed calls").uncheck()
        shown.get_by_label("Text").fill("AREA formula")
        expect(status).to_have_text("1 of 6 steps")

    def test_many_steps_are_shown_by_fifty(self, open_page: Open, agents_page: Path) -> None:
        """Of many steps, fifty are made at a time."""
        shown = open_transcript(open_page(agents_page, loads=True), "long")

        assert len(numbers(shown)) == 50
        shown.get_by_role("button", name="Next 50 steps").click()
        assert numbers(shown)[0] == "51"
        expect(shown.get_by_role("status")).to_have_text("230 steps, 51 to 100 shown")

    def test_all_steps_close_and_open(self, open_page: Open, agents_page: Path) -> None:
        """All steps close, say in a line what they hold, and open again."""
        shown = open_transcript(open_page(agents_page, loads=True), "usual")

        shown.get_by_role("button", name="Close all").click()
        assert shown.locator("li > details[open]").count() == 0
        expect(shown.get_by_text("search · run_python · I look it up")).to_be_visible()
        shown.get_by_role("button", name="Open all").click()
        assert shown.locator("li > details[open]").count() == 6


class TestKeyboard:
    def test_keys_move_between_steps(self, open_page: Open, agents_page: Path) -> None:
        """Keys lead from step to step, across pages, and to the next failed call."""
        page = open_page(agents_page, loads=True)
        open_transcript(page, "long")
        seen: list[str | None] = []

        for key in ("j", "j", "k", "f", "f", "f", "f", "f", "j"):
            page.keyboard.press(key)
            seen.append(focused(page))

        assert seen == ["1", "2", "1", "10", "20", "30", "40", "50", "51"]
        assert page.evaluate("document.activeElement.matches(':focus-visible')")

    def test_enter_opens_and_closes_a_step(self, open_page: Open, agents_page: Path) -> None:
        """Enter closes the step that has the focus, and opens it."""
        page = open_page(agents_page, loads=True)
        first = open_transcript(page, "usual").locator("li > details").first
        page.keyboard.press("j")

        page.keyboard.press("Enter")
        assert first.get_attribute("open") is None
        page.keyboard.press("Enter")
        assert first.get_attribute("open") is not None

    def test_letters_can_be_typed(self, open_page: Open, agents_page: Path) -> None:
        """A slash leads to the search, where letters are letters, and Enter to what is found."""
        page = open_page(agents_page, loads=True)
        shown = open_transcript(page, "usual")

        page.keyboard.press("/")
        page.keyboard.type("jkf/")
        assert shown.get_by_label("Text").input_value() == "jkf/"
        page.keyboard.press("Control+A")
        page.keyboard.type("heron")
        page.keyboard.press("Enter")

        assert focused(page) == "3"

    def test_tab_key_leaves_the_transcript(self, open_page: Open, agents_page: Path) -> None:
        """The tab key goes through the transcript and out of it, and leaves other keys alone."""
        page = open_page(agents_page, loads=True)
        open_transcript(page, "usual")

        for _ in range(40):
            page.keyboard.press("Tab")
            inside = page.evaluate("Boolean(document.activeElement.closest('.transcript'))")
            if not inside:
                break
        assert not inside
        page.keyboard.press("j")
        assert focused(page) is None


class TestAccess:
    @pytest.mark.parametrize("width", [WIDE, NARROW])
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_axe_finds_no_violation(
        self, open_page: Open, agents_page: Path, dark: bool, width: int
    ) -> None:
        """The axe checker finds no violation, and nothing is wider than a phone."""
        page = open_page(agents_page, dark=dark, width=width, loads=True)
        for task_id in ("usual", "delegating", "hostile", "torn"):
            open_transcript(page, task_id)
        page.locator(".reasoning summary").first.click()

        results = Axe().run(page)

        wrong = [
            (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"])
            for each in results.response["violations"]
        ]
        assert wrong == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_ten_thousand_steps_open(
    open_page: Open, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A transcript of 10,000 steps opens and is searched at once."""
    run = MadeRun(tmp_path)
    run.graded("t", 1)
    put(run.artifacts.agent_logs_dir("t"), long(10_000))
    view = run.save()
    file = view.artifacts.run_dir / "report.html"
    write_page(view, file)
    page = open_page(file, loads=True)
    open_task(page, "t")

    before = page.evaluate("performance.now()")
    opener(page).click()
    shown = page.get_by_role("region", name="Transcript of t")
    expect(shown.get_by_role("status")).to_have_text("10,000 steps, 1 to 50 shown")
    opened = page.evaluate("performance.now()")
    shown.get_by_label("Text").fill("number 9999.")
    expect(shown.get_by_role("status")).to_have_text("1 of 10,000 steps")
    found = page.evaluate("performance.now()")

    record_property(
        "10,000 steps", f"open after {opened - before:.0f} ms, found in {found - opened:.0f} ms"
    )
    assert opened - before < 3000
