"""The repeats of tasks in a report: strips, flaky tasks first, and the texts of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.report_table import column, ids, open_task

from .conftest import NARROW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    Open = Callable[..., Page]


def test_strip_is_read_in_words(open_page: Open, repeated: Path) -> None:
    """A strip is read in words, and its marks differ in shape."""
    page = open_page(repeated)
    shapes = page.locator("#tasks .strip .mark").evaluate_all(
        "(all) => [...new Set(all.map((each) => getComputedStyle(each, '::before').content))]"
    )

    assert column(page, 2) == [
        "passed, passed, passed",
        "passed, failed, passed",
        "partly, partly, partly",
        "passed, timed out, out of turns",
        "failed, error, not yet",
    ]
    assert len(shapes) == 7
    assert page.get_by_role("list", name="Marks").locator("li").all_text_contents() == [
        *("passed", "partly", "failed", "timed out", "out of turns", "error", "not yet")
    ]


def test_flaky_tasks_come_first_on_request(open_page: Open, repeated: Path) -> None:
    """A button shows the tasks first whose repeats differ most, on a phone, too."""
    page = open_page(repeated, width=NARROW)

    page.get_by_role("button", name="Flaky first").click()

    assert ids(page) == ["flaky", "late", "partly", "steady", "broken"]


def test_tasks_are_found_by_any_repeat(open_page: Open, repeated: Path) -> None:
    """The filter and the search find a task by the outcome of any of its repeats."""
    page = open_page(repeated)
    chosen = page.get_by_role("combobox", name="Repeats")

    chosen.select_option(label="any timed out (1)")
    late = ids(page)
    chosen.select_option(label="flaky (3)")
    flaky = ids(page)
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("searchbox").fill("out of turns")
    expect(page.locator("#tasks .open")).to_have_count(1)

    assert (late, flaky) == (["late"], ["flaky", "partly", "late"])
    assert ids(page) == ["late"]


def test_each_repeat_opens_to_its_texts(open_page: Open, repeated: Path) -> None:
    """An opened task has its question once, and each repeat opens to its own texts."""
    page = open_page(repeated)
    open_task(page, "flaky")
    before = page.locator("#tasks pre").all_text_contents()

    page.get_by_text("Repeat 2: failed").click()
    page.locator("details[open] dl").wait_for()

    assert before == ["What is flaky?"]
    assert page.locator("details[open] pre").all_text_contents() == [
        "Answer 2.",
        '{\n  "pass_percentage": 0.0\n}',
    ]
    link = page.locator("details[open]").get_by_role("link", name="flaky/repeats/2", exact=True)
    assert link.count() == 1
