"""The transcripts of a report, loaded from beside the page or held in it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.report_table import open_task
from tests.unit.results.report.agents import agents, long, put, trajectory, usual
from tests.unit.results.report.agents import step as made_step
from tests.unit.results.report.pages import write_page
from tests.unit.results.report.runs import MadeRun

from .conftest import NARROW, WIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

    Open = Callable[..., Page]

OPENER = "Show the transcript"


def opener(page: Page) -> Locator:
    return page.get_by_role("button", name=OPENER).last


def open_transcript(page: Page, task_id: str) -> Locator:
    open_task(page, task_id)
    opener(page).click()
    shown = page.get_by_role("region", name=f"Transcript of {task_id}")
    shown.wait_for()
    return shown


def numbers(shown: Locator) -> list[str]:
    """The numbers of the steps that are listed."""
    return shown.locator(".number").all_text_contents()


def said(shown: Locator | Page, text: str) -> Locator:
    """A message of a step that is open."""
    return shown.locator(".said").filter(has_text=text)


def focused(page: Page) -> str | None:
    """The number of the step that has the focus."""
    return page.evaluate(
        "document.activeElement.closest('[data-step]')?.querySelector('.number').textContent"
    )


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

        shown.get_by_role("button", name="Open helpers/trajectory.json: helper 1.0").click()
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
