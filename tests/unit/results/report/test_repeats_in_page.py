"""The page of a run with several repeats of each task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.results.report.pages import Parsed, charts, write_page, write_page_of_several
from tests.unit.results.report.runs import MadeRun, with_repeats

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    view = with_repeats(tmp_path).save()
    return write_page(view, view.artifacts.run_dir / "report.html")


@pytest.fixture
def page(content: bytes) -> Parsed:
    return Parsed(content)


def test_head_counts_tasks_and_generations(page: Parsed) -> None:
    """The head says how many repeats each task has, and the counts are of generations."""
    assert "Dataset validation: 5 tasks Repeats 3 of each task" in page.words
    assert "Generations 15 Attempted 14 Scored 11 Errors 1 Timed out 1" in page.words


def test_spread_stands_beside_the_interval(page: Parsed) -> None:
    """The spread within tasks is beside the interval, and nothing calls it a single run."""
    assert "Spread 0.43 within tasks (standard deviation of one repeat, in 4 tasks)." in page.words
    assert "A single run cannot show" not in page.words


def test_distributions_count_generations(content: bytes, page: Parsed) -> None:
    """Charts and their note say that they are of generations."""
    assert charts(content)[0].startswith("Scores of 13 generations.")
    assert "Bars count generations." in page.words


def test_row_has_strip_score_and_spread(page: Parsed) -> None:
    """The row of a task has its strip, its mean, its spread, and what its repeats took."""
    rows = page.table.rows

    assert page.table.labels[:3] == ["Repeats", "Score", "Spread"]
    assert {task_id: row["Repeats"] for task_id, row in rows.items()} == {
        "steady": "PPP",
        "flaky": "PFP",
        "partly": "~~~",
        "late": "PTO",
        "broken": "FE-",
    }
    assert rows["flaky"]["Score"] == pytest.approx(2 / 3)
    assert rows["flaky"]["Spread"] == pytest.approx(3**-0.5)
    assert (rows["steady"]["Cost"], rows["steady"]["Time"]) == (0.75, 15)
    assert rows["broken"]["error"] == "ValueError: no luck with 'broken'"


def test_opened_task_has_each_repeat(page: Parsed) -> None:
    """An opened task has its question once, and the answer, result and files of each repeat."""
    place = [*page.table.rows].index("flaky")
    detail: dict[str, Any] = page.table.details[place]

    assert [name for name, *_ in detail["texts"]] == ["Question"]
    assert ["Repeats", "2 passed, 1 failed"] in detail["facts"]
    assert [each["title"] for each in detail["repeats"]] == [
        "Repeat 1: passed",
        "Repeat 2: failed",
        "Repeat 3: passed",
    ]
    second = detail["repeats"][1]
    assert second["texts"][0][:2] == ["Answer", "Answer 2."]
    assert second["whole"] == "flaky/repeats/2/"
    assert ["Files", "./flaky/repeats/2/", "flaky/repeats/2"] in second["links"]


def test_errors_name_the_repeat(page: Parsed) -> None:
    """An error names the repeat, and leads to its task."""
    links = {each.text.strip(): each.attributes.get("data-task") for each in page.all("a")}

    assert links["broken (repeat 2)"] == "broken"


def test_runs_side_by_side_say_their_repeats(tmp_path: Path) -> None:
    """Side by side, runs say how many repeats each has, where one has several."""
    singles = [MadeRun(tmp_path, name) for name in ("one", "two")]
    for single in singles:
        single.graded("steady", {"pass_percentage": 1.0})
    one, two = (single.save() for single in singles)
    three = with_repeats(tmp_path, "three").save()

    several = Parsed(write_page_of_several([one, three], tmp_path / "x.html"))
    alone = Parsed(write_page_of_several([one, two], tmp_path / "y.html"))

    assert "Repeats one of each task 3 of each task" in several.words
    assert "Repeats" not in alone.words
