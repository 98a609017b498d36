"""The table of tasks in a report: search, filters, marks, sorting, and tasks that open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.report_table import column, found, ids, open_task
from tests.unit.results.report.pages import write_page
from tests.unit.results.report.runs import MadeRun, many, topics

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    Open = Callable[..., Page]

MEGABYTE = 1_000_000


class TestFinding:
    def test_all_tasks_are_in_order(self, open_page: Open, all_outcomes: Path) -> None:
        """All tasks are in the table, in the order of the run."""
        page = open_page(all_outcomes)

        assert found(page) == "9 tasks"
        assert ids(page)[:3] == ["right", "half", "slow"]
        assert page.locator("#pages").is_hidden()

    @pytest.mark.parametrize(
        ("words", "tasks"),
        [
            ("broken", ["broken-1", "broken-2"]),
            ("KEYERROR", ["unfair"]),
            ("what half", ["half"]),
            ("number theory", ["slow", "unfair"]),
        ],
    )
    def test_search_covers_ids_texts_and_groups(
        self, open_page: Open, all_outcomes: Path, words: str, tasks: list[str]
    ) -> None:
        """The search covers ids, questions, errors and groups."""
        page = open_page(all_outcomes)

        page.get_by_role("searchbox").fill(words)
        expect(page.locator("#tasks .open")).to_have_count(len(tasks))

        assert ids(page) == tasks
        assert found(page) == f"{len(tasks)} of 9 tasks"

    def test_empty_search_can_be_undone(self, open_page: Open, all_outcomes: Path) -> None:
        """A search that finds nothing says so and can be undone."""
        page = open_page(all_outcomes)

        page.get_by_role("searchbox").fill("no such thing")
        page.get_by_text("No task of 9 fits").wait_for()
        page.get_by_role("button", name="Show all").click()

        assert len(ids(page)) == 9

    def test_state_and_group_filters_combine(self, open_page: Open, all_outcomes: Path) -> None:
        """The filters of state and group combine."""
        page = open_page(all_outcomes)

        page.get_by_role("combobox", name="State").select_option(label="failed in generation (2)")
        both = ids(page)
        page.get_by_role("combobox", name="topic").select_option(label="geometry (2)")

        assert both == ["broken-1", "broken-2"]
        assert ids(page) == ["broken-2"]
        assert found(page) == "1 of 9 tasks"

    def test_scores_can_be_filtered_by_level(self, open_page: Open, every_level: Path) -> None:
        """Full, partial and zero scores can be chosen apart."""
        page = open_page(every_level)
        state = page.get_by_role("combobox", name="State")

        choices = state.locator("option").all_text_contents()
        found_by = {}
        for choice in choices[1:]:
            state.select_option(label=choice)
            found_by[choice] = ids(page)

        assert found_by == {
            "scored (4)": ["all", "part", "nothing", "more"],
            "scored: full (2)": ["all", "more"],
            "scored: partial (1)": ["part"],
            "scored: none (1)": ["nothing"],
            "timed out (1)": ["late"],
            "failed in generation (1)": ["broken"],
            "not generated yet (1)": ["missing"],
        }

    def test_columns_sort_both_ways(self, open_page: Open, all_outcomes: Path) -> None:
        """Columns sort both ways, with unknown values last."""
        page = open_page(all_outcomes)
        heading = page.get_by_role("columnheader", name="Score", exact=True)

        heading.get_by_role("button").click()
        up = column(page, 3)
        assert heading.get_attribute("aria-sort") == "ascending"
        heading.get_by_role("button").click()
        down = column(page, 3)

        assert up == ["0", "0", "0.5", "1", "", "", "", "", ""]
        assert down == ["1", "0.5", "0", "0", "", "", "", "", ""]
        assert heading.get_attribute("aria-sort") == "descending"

    def test_keyboard_sorts_columns(self, open_page: Open, all_outcomes: Path) -> None:
        """The keyboard sorts a column."""
        page = open_page(all_outcomes)

        page.get_by_role("columnheader", name="Task", exact=True).get_by_role("button").focus()
        page.keyboard.press("Enter")

        assert ids(page) == sorted(ids(page))

    def test_pages_turn(self, open_page: Open, several_hundred: Path) -> None:
        """The buttons turn the pages of the table."""
        page = open_page(several_hundred)
        first = found(page)

        page.get_by_role("button", name="Next 100").click()
        page.get_by_role("button", name="Next 100").click()

        assert first == "230 tasks, 1 to 100 shown"
        assert found(page) == "230 tasks, 201 to 230 shown"
        assert ids(page)[0] == "task-0200"
        assert page.get_by_role("button", name="Next 100").is_disabled()

    def test_error_leads_to_its_task(self, open_page: Open, several_hundred: Path) -> None:
        """The link of an error leads to its task on any page."""
        page = open_page(several_hundred)
        page.get_by_role("searchbox").fill("nothing")
        link = page.locator(".failure a").last
        task_id = link.text_content() or ""

        link.click()
        page.locator("#tasks td.detail dl").wait_for()

        button = page.locator("#tasks .open[aria-expanded=true]")
        assert button.text_content() == task_id
        assert button.evaluate("(each) => each === document.activeElement")

    def test_tasks_are_filtered_by_agreement(self, open_page: Open, side_by_side: Path) -> None:
        """Common tasks are filtered by agreement of their scores."""
        page = open_page(side_by_side)

        page.get_by_role("combobox", name="Scores").select_option(index=1)

        agreement = set(column(page, 5))
        assert len(agreement) == 1
        assert len(ids(page)) < 60


class TestOpening:
    def test_mouse_opens_and_closes_a_task(self, open_page: Open, all_outcomes: Path) -> None:
        """The mouse opens and closes a task."""
        page = open_page(all_outcomes)

        open_task(page, "half")
        detail = page.locator("#tasks td.detail")
        texts = detail.locator("pre").all_text_contents()
        page.get_by_role("button", name="half", exact=True).click()

        assert texts == ["What is half?", "It is half.", '{\n  "pass_percentage": 0.5\n}']
        assert detail.count() == 0

    @pytest.mark.parametrize("key", ["Enter", "Space"])
    def test_keyboard_opens_a_task(self, open_page: Open, all_outcomes: Path, key: str) -> None:
        """The keyboard opens a task."""
        page = open_page(all_outcomes)
        button = page.get_by_role("button", name="broken-1", exact=True)

        button.focus()
        page.keyboard.press(key)
        page.locator("#tasks td.detail dl").wait_for()

        assert button.get_attribute("aria-expanded") == "true"
        assert page.locator("td.detail pre").first.text_content() == (
            "ValueError: no luck with 'broken-1'"
        )

    def test_logs_are_a_link_that_opens(self, open_page: Open, all_outcomes: Path) -> None:
        """The logs are a link that opens."""
        page = open_page(all_outcomes)
        open_task(page, "broken-1")

        address = page.get_by_role("link", name="broken-1/agent_logs").evaluate("(a) => a.href")

        assert address == f"{all_outcomes.parent.as_uri()}/broken-1/agent_logs/"
        assert (all_outcomes.parent / "broken-1" / "agent_logs" / "traceback.log").exists()

    def test_open_task_stays_open_when_sorted(self, open_page: Open, several_hundred: Path) -> None:
        """A task that is open stays open when the table is sorted."""
        page = open_page(several_hundred)
        open_task(page, "task-0003")
        before = page.locator("td.detail pre").first.text_content()

        page.get_by_role("columnheader", name="Task", exact=True).get_by_role("button").click()
        page.locator("#tasks td.detail dl").wait_for()

        assert page.locator("td.detail pre").first.text_content() == before

    def test_tasks_of_several_parts_open(self, open_page: Open, several_hundred: Path) -> None:
        """Tasks of different parts of the data open side by side."""
        page = open_page(several_hundred)
        for task_id in ("task-0000", "task-0099", "task-0051"):
            page.get_by_role("button", name=task_id, exact=True).click()
        expect(page.locator("td.detail dl")).to_have_count(3)

        labels = page.locator("td.detail pre[aria-label^=Question]").evaluate_all(
            "(all) => all.map((each) => each.getAttribute('aria-label'))"
        )
        assert labels == [f"Question of task-00{number}" for number in ("00", "51", "99")]

    def test_cut_text_names_the_missing_part(self, open_page: Open, hostile: Path) -> None:
        """A cut text says how much is missing and where the whole is."""
        page = open_page(hostile)
        page.get_by_role("searchbox").fill("long")
        open_task(page, "long")

        notes = page.locator(".left-out").all_text_contents()

        assert [note.strip() for note in notes] == [
            "… 380,000 characters left out; the whole is in long/ …"
        ] * 2


class TestMarks:
    def marks(self, page: Page) -> dict[str, tuple[str, str]]:
        """The shape and the colour before each text of the table."""
        found = page.locator("#tasks td .mark").evaluate_all(
            """(all) => all.map((each) => {
                const { content, color } = getComputedStyle(each, "::before");
                return [each.textContent, [content, color]];
            })"""
        )
        return {text: tuple(mark) for text, mark in found}

    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_marks_differ_in_shape_and_colour(
        self, open_page: Open, every_level: Path, dark: bool
    ) -> None:
        """The marks of all states differ in shape and in colour."""
        marks = self.marks(open_page(every_level, dark=dark))

        assert list(marks) == [
            *("scored: full", "scored: partial", "scored: none"),
            *("timed out", "failed in generation", "not generated yet"),
        ]
        assert len({shape for shape, _ in marks.values()}) == 6
        assert len({colour for _, colour in marks.values()}) == 6

    def test_shape_is_not_in_the_name(self, open_page: Open, every_level: Path) -> None:
        """The shape of a mark is not part of its accessible name."""
        page = open_page(every_level)

        assert page.get_by_role("cell", name="scored: partial", exact=True).count() == 1

    def test_legend_names_the_used_marks(
        self, open_page: Open, every_level: Path, side_by_side: Path
    ) -> None:
        """The legend names the marks that are used."""
        legend = [
            open_page(file).get_by_role("list", name="Marks").locator("li").all_text_contents()
            for file in (every_level, side_by_side)
        ]

        assert legend[0] == [
            "full score", "partial score", "score of 0", "did not complete, counts 0", "failed",
            "not done yet",
        ]  # fmt: skip
        assert legend[1][:2] == ["full score", "score of 0"]

    def test_other_scale_knows_only_zero(self, open_page: Open, tmp_path: Path) -> None:
        """On another scale of scores only 0 has a mark of its own."""
        run = MadeRun(tmp_path)
        for number, score in enumerate((87.5, 0, 1)):
            run.graded(f"t{number}", {"pass_percentage": score})
        file = tmp_path / "x.html"
        write_page(run.save(), file)

        page = open_page(file)

        assert column(page, 2) == ["scored", "scored: none", "scored"]

    def test_side_by_side_runs_have_marks(self, open_page: Open, side_by_side: Path) -> None:
        """Runs side by side have marks at their scores."""
        marks = self.marks(open_page(side_by_side))

        assert marks["1"] != marks["0"]
        assert {"1", "0", "failed in generation"} <= set(marks)


def test_five_thousand_tasks_open(
    open_page: Open, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A page of 5,000 tasks opens and stays below 15 MB."""
    view = many(tmp_path, 5000).save()
    file = view.artifacts.run_dir / "report.html"
    size = len(write_page(view, file, groups=topics(view.config.tasks)))

    page = open_page(file)
    opened = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    page.get_by_role("searchbox").fill("task-4999")
    page.get_by_text("1 of 5,000 tasks").wait_for()
    open_task(page, "task-4999")

    record_property("5,000 tasks", f"{size / MEGABYTE:.1f} MB, interactive after {opened:.0f} ms")
    assert size < 15 * MEGABYTE
