"""The transcripts of a report, as a person opens and reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.report_table import open_task

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

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
