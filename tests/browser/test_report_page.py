"""The page of a report as a person uses it: colours, access, hostile texts, printing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.report_table import PAGES, open_all

from .conftest import NARROW, WIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    Open = Callable[..., Page]


class TestColours:
    def background(self, page: Page) -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    def bar(self, page: Page) -> str:
        return page.evaluate(
            "getComputedStyle(document.querySelector('[fill=\"var(--mark)\"]')).fill"
        )

    def test_colours_follow_the_system(self, open_page: Open, all_outcomes: Path) -> None:
        """The colours follow the system."""
        light, dark = open_page(all_outcomes), open_page(all_outcomes, dark=True)

        assert self.background(light) == "rgb(246, 247, 249)"
        assert self.background(dark) == "rgb(20, 23, 28)"
        assert self.bar(light) != self.bar(dark)

    @pytest.mark.parametrize("dark", [False, True])
    def test_switch_changes_the_colours(
        self, open_page: Open, all_outcomes: Path, dark: bool
    ) -> None:
        """The switch changes the colours and changes them back."""
        page = open_page(all_outcomes, dark=dark)
        before = self.background(page), self.bar(page)
        here, there = (
            ("Light colours", "Dark colours") if dark else ("Dark colours", "Light colours")
        )

        page.get_by_role("button", name=here).click()
        turned = self.background(page), self.bar(page)
        page.get_by_role("button", name=there).click()

        assert turned[0] != before[0]
        assert turned[1] != before[1]
        assert (self.background(page), self.bar(page)) == before


class TestAccess:
    @pytest.mark.parametrize("width", [WIDE, NARROW])
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("name", PAGES)
    def test_axe_finds_no_violation(
        self, open_page: Open, request: pytest.FixtureRequest, name: str, dark: bool, width: int
    ) -> None:
        """The axe checker finds no violation, in any colours and width."""
        page = open_page(request.getfixturevalue(name), dark=dark, width=width)
        page.locator("#tasks .open").first.click()
        page.locator("#tasks td.detail dl").wait_for()

        results = Axe().run(page)

        wrong = [
            (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"])
            for each in results.response["violations"]
        ]
        assert wrong == []
        assert len(results.response["passes"]) > 20

    @pytest.mark.parametrize("name", PAGES)
    def test_page_fits_a_phone(
        self, open_page: Open, request: pytest.FixtureRequest, name: str
    ) -> None:
        """Nothing is wider than a phone."""
        page = open_page(request.getfixturevalue(name), width=NARROW)
        page.locator("#tasks .open").first.click()
        page.locator("#tasks td.detail dl").wait_for()

        assert page.evaluate("document.documentElement.scrollWidth") == NARROW

    def test_tab_key_reaches_every_control(self, open_page: Open, all_outcomes: Path) -> None:
        """The tab key reaches every control and shows its place."""
        page = open_page(all_outcomes)
        wanted = page.locator("a[href], button:not([hidden]), input, select").evaluate_all(
            "(all) => all.filter((each) => each.checkVisibility() && !each.disabled).length"
        )

        reached: set[str] = set()
        for _ in range(wanted * 2):
            page.keyboard.press("Tab")
            where = page.evaluate(
                """() => {
                    const each = document.activeElement;
                    if (!each.matches("a, button, input, select")) return null;
                    const { outlineStyle, outlineWidth } = getComputedStyle(each);
                    const all = [...document.querySelectorAll("*")];
                    return `${all.indexOf(each)} ${outlineStyle} ${parseFloat(outlineWidth) > 0}`;
                }"""
            )
            if where is not None:
                assert where.endswith(" solid true")
                reached.add(where)
        assert len(reached) == wanted

    def test_first_tab_skips_the_head(self, open_page: Open, all_outcomes: Path) -> None:
        """The first tab leads past the head to the tasks."""
        page = open_page(all_outcomes)

        page.keyboard.press("Tab")
        page.keyboard.press("Enter")

        assert page.evaluate("location.hash") == "#tasks"

    def test_page_without_javascript(self, open_page: Open, all_outcomes: Path) -> None:
        """Without JavaScript everything but the table is on the page."""
        browser = open_page(all_outcomes).context.browser
        assert browser is not None
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto(all_outcomes.as_uri())

        assert page.get_by_text("0.375").first.is_visible()
        assert page.get_by_text("The table of tasks needs JavaScript.").is_visible()
        assert page.locator("#colours").is_hidden()
        page.context.close()


class TestHostileTexts:
    @pytest.mark.parametrize("name", ["hostile", "hostile_pair"])
    def test_hostile_texts_never_run(
        self, open_page: Open, request: pytest.FixtureRequest, name: str
    ) -> None:
        """Nothing in hostile texts runs, loads or becomes an element."""
        page = open_page(request.getfixturevalue(name))
        before = page.evaluate("document.scripts.length")
        open_all(page)
        for element in page.locator("a, button, td, pre, svg text").all():
            element.dispatch_event("mouseover")
            element.dispatch_event("focus")

        assert page.evaluate("window.hit") is None
        assert page.evaluate("document.scripts.length") == before
        assert page.locator("img, iframe, base, link, object, embed, form, svg svg").count() == 0
        assert (
            page.evaluate(
                """[...document.querySelectorAll("*")].flatMap((each) => [...each.attributes])
               .filter(({ name }) => name.startsWith("on") || name === "style").length"""
            )
            == 0
        )

    def test_hostile_links_stay_in_the_folder(self, open_page: Open, hostile: Path) -> None:
        """Links of hostile ids stay in the folder of the run."""
        page = open_page(hostile)
        open_all(page)

        addresses = page.locator("td.detail a").evaluate_all("(all) => all.map((a) => a.href)")

        assert len(addresses) > 40
        assert {
            address
            for address in addresses
            if not address.startswith(f"{hostile.parent.as_uri()}/")
        } == set()

    def test_later_injections_are_refused(self, chromium: Browser, all_outcomes: Path) -> None:
        """Script or markup that is inserted later is refused."""
        page = chromium.new_page()
        page.goto(all_outcomes.as_uri())

        refused = page.evaluate(
            """() => new Promise((resolve) => setTimeout(() => resolve([
                () => { document.body.innerHTML += "<img src=x onerror='window.hit=1'>"; },
                () => { document.createElement("script").text = "window.hit = 1"; },
                () => { eval("window.hit = 1"); },
            ].map((put) => {
                try { put(); } catch (error) { return error.name; }
                return null;
            }))))"""
        )

        assert refused == ["TypeError", "TypeError", "EvalError"]
        assert page.evaluate("window.hit") is None
        page.close()


class TestPrinting:
    def test_print_shows_content_without_controls(
        self, open_page: Open, several_hundred: Path
    ) -> None:
        """A print has all content and no controls."""
        page = open_page(several_hundred, dark=True)

        page.emulate_media(media="print")

        assert (
            page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        )
        expect(page.locator("#tasks .open")).to_have_count(230)
        for part in ("#score-title", "#distributions-title", "#groups-title", "#errors-title"):
            assert page.locator(part).is_visible()
        assert page.locator("#provenance-title").is_visible()
        assert page.locator("svg").first.is_visible()
        assert page.locator("#search").is_hidden()
        assert page.locator("#colours").is_hidden()
        assert page.get_by_role("button", name="Next 100").count() == 0

    def test_print_is_undone_afterwards(self, open_page: Open, several_hundred: Path) -> None:
        """After printing the page is as before."""
        page = open_page(several_hundred)
        shown = page.locator("#tasks .open")
        page.emulate_media(media="print")
        expect(shown).to_have_count(230)

        page.emulate_media(media="screen")

        expect(shown).to_have_count(100)

    def test_print_has_several_pages(self, open_page: Open, several_hundred: Path) -> None:
        """The printed document has several pages."""
        page = open_page(several_hundred)

        printed = page.pdf()

        assert printed.startswith(b"%PDF")
        assert printed.count(b"/Type /Page\n") > 5


def test_resume_command_is_copied(open_page: Open, all_outcomes: Path) -> None:
    """The button copies the resume command."""
    page = open_page(all_outcomes)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()

    assert page.evaluate("navigator.clipboard.readText()") == (
        "uv run my-bench-runner run --run-id r1"
    )


@pytest.mark.parametrize("name", ["all_outcomes", "several_hundred", "side_by_side"])
def test_screenshots_are_saved(
    open_page: Open, request: pytest.FixtureRequest, name: str, tmp_path: Path
) -> None:
    """Screenshots are saved in the folder that is asked for."""
    folder: Path = request.config.getoption("--shots") or tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    for dark in (False, True):
        for width in (WIDE, NARROW):
            page = open_page(request.getfixturevalue(name), dark=dark, width=width)
            place = folder / f"{name}-{width}-{'dark' if dark else 'light'}.png"
            page.screenshot(path=place)
            page.locator("#tasks .open").first.click()
            page.locator("#tasks td.detail dl").wait_for()
            page.locator("#tasks").scroll_into_view_if_needed()
            page.screenshot(path=place.with_stem(f"{place.stem}-tasks"), full_page=True)
            assert place.stat().st_size > 10_000
