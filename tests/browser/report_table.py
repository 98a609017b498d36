"""The table of tasks in a report, as a person reads and opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    Open = Callable[..., Page]

MEGABYTE = 1_000_000
PAGES = (
    "all_outcomes",
    "every_level",
    "repeated",
    "several_hundred",
    "side_by_side",
    "hostile",
    "hostile_pair",
)


def ids(page: Page) -> list[str]:
    """The tasks that are shown."""
    return page.locator("#tasks .open").all_text_contents()


def column(page: Page, number: int) -> list[str]:
    return page.locator(f"#tasks tr.task > :nth-child({number})").all_text_contents()


def found(page: Page) -> str:
    return page.locator("#found").text_content() or ""


def open_task(page: Page, task_id: str) -> None:
    page.get_by_role("button", name=task_id, exact=True).click()
    page.locator("#tasks td.detail dl").first.wait_for()


def open_all(page: Page) -> None:
    buttons = page.locator("#tasks .open").all()
    for button in buttons:
        button.click()
    expect(page.locator("#tasks td.detail dl")).to_have_count(len(buttons))
