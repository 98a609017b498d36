"""The page of several runs shows them side by side, with the verdict of ``compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.results.report.hostile import hostile_groups, hostile_run
from tests.unit.results.report.pages import Parsed, charts, write_page_of_several
from tests.unit.results.report.runs import MadeRun, topics

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.results.run_view import RunView


class TestSeveral:
    def two(self, tmp_path: Path) -> tuple[RunView, RunView]:
        first, second = MadeRun(tmp_path, "a"), MadeRun(tmp_path, "b", {"model": "other-2"})
        for number in range(4):
            first.graded(f"t{number}", number / 4)
            second.graded(f"t{number}", number / 4 + 0.25)
        first.graded("only-a", 1)
        second.failed("t4", "ValueError: no luck")
        first.graded("t4", 0)
        return first.save(final_score=0.5), second.save()

    def page(self, tmp_path: Path, *, groups: dict[str, str] | None = None) -> Parsed:
        views = self.two(tmp_path)
        return Parsed(write_page_of_several(views, tmp_path / "both.html", groups=groups))

    def test_runs_are_side_by_side(self, tmp_path: Path) -> None:
        """The main figures of several runs are side by side."""
        words = self.page(tmp_path).words

        assert "2 runs side by side" in words
        assert "Final score 0.5 none yet" in words
        assert "Mean of the tasks' scores 0.4167 0.625" in words
        assert "Model some-model-1 other-2" in words
        assert "Errors 0 1" in words
        assert "Complete yes no" in words

    def test_runs_are_compared_task_by_task(self, tmp_path: Path) -> None:
        """Two runs are compared on their common tasks."""
        words = self.page(tmp_path).words

        assert (
            "b scores 0.25 more than a (95 % interval of that 0.25 to 0.25), task by task on the "
            "4 tasks that have a score in both; 2 tasks left out." in words
        )
        assert "other content" not in words

    def test_intervals_are_in_one_chart(self, tmp_path: Path) -> None:
        """The intervals of several runs are in one chart."""
        content = write_page_of_several(self.two(tmp_path), tmp_path / "both.html")

        (said,) = charts(content)
        assert said.startswith("Means with 95 % intervals. a: 0.4167 (")
        assert "; b: 0.625 (" in said

    def test_common_tasks_have_scores_of_each_run(self, tmp_path: Path) -> None:
        """Common tasks have the scores of each run."""
        page = self.page(tmp_path)

        rows = page.table.rows
        assert list(rows) == ["t0", "t1", "t2", "t3", "t4"]
        assert (rows["t1"]["a"], rows["t1"]["b"], rows["t1"]["Scores"]) == (0.25, 0.5, "different")
        assert (rows["t4"]["a"], rows["t4"]["b"]) == (0, "failed in generation")
        assert rows["t4"]["Scores"] == "not all scored"
        assert "1 more task not in all of the runs." in page.words
        opened = page.table.of("t4")
        assert opened["texts"] == {"Error in b": ("ValueError: no luck", 0, "")}
        assert opened["links"] == {"Files of a": "./a/t4/", "Files of b": "./b/t4/"}

    def test_groups_have_the_mean_of_each_run(self, tmp_path: Path) -> None:
        """Groups have the mean of each run."""
        groups = topics(["t0", "t1", "t2", "t3", "t4"])

        page = self.page(tmp_path, groups=groups)

        assert "algebra 0 (0 to 0.6576), n = 2 0.25, n = 1" in page.words
        assert page.table.rows["t1"]["topic"] == "geometry"

    def test_many_groups_of_runs_are_cut(self, tmp_path: Path) -> None:
        """Of very many groups of several runs the first are shown."""
        groups = {f"t{number}": f"g{number}" for number in range(210)}

        assert "The first 200 of 210 groups." in self.page(tmp_path, groups=groups).words

    def test_changed_tasks_are_not_compared(self, tmp_path: Path) -> None:
        """Tasks that changed between the runs are named and not compared."""
        first = MadeRun(tmp_path, "a")
        second = MadeRun(tmp_path, "b", {"task_hashes": {"t": "another"}})
        first.graded("t", 1)
        second.graded("t", 0)

        views = [first.save(), second.save()]
        page = Parsed(write_page_of_several(views, tmp_path / "both.html"))

        assert "Not comparable there is no task that both have a score for" in page.words
        assert "B has other content for 1 task of the same id: t" in page.words
        assert "b scores" not in page.words

    @pytest.mark.parametrize(
        ("passed", "verdict"),
        [
            (38, "Better: B scores higher, and the 95 % interval of the difference leaves out 0."),
            (21, "No difference shown: the 95 % interval of the difference includes 0."),
            (2, "Worse: B scores lower, and the 95 % interval of the difference leaves out 0."),
        ],
    )
    def test_verdict_is_that_of_compare(self, tmp_path: Path, passed: int, verdict: str) -> None:
        """The verdict is that of the compare command."""
        first, second = MadeRun(tmp_path, "a"), MadeRun(tmp_path, "b")
        for number in range(40):
            first.graded(f"t{number}", float(number < 20))
            second.graded(f"t{number}", float(number < passed))

        views = [first.save(), second.save()]
        page = Parsed(write_page_of_several(views, tmp_path / "both.html"))

        assert f"b against a A is a, the baseline; B is b. {verdict}" in page.words
        assert "One run each does not show how much each varies from run to run." in page.words

    def test_warnings_are_beside_the_verdict(self, tmp_path: Path) -> None:
        """The warnings of the comparison are beside the verdict."""
        words = self.page(tmp_path).words

        assert "B is not complete, with 1 of 5 tasks not done" in words
        assert "the interval is rough with only 4 tasks" in words

    def test_hostile_texts_of_several_runs(self, tmp_path: Path) -> None:
        """Hostile texts are text on a page of several runs, too."""
        one, two = hostile_run(tmp_path, "<b onclick=hit()>"), hostile_run(tmp_path, "javascript:x")

        views = [one.save(), two.save()]
        page = Parsed(
            write_page_of_several(views, tmp_path / "both.html", groups=hostile_groups(one))
        )

        assert len(page.scripts) == 1
        assert not {each.name for each in page.elements} & {"img", "iframe", "link", "base", "b"}
        assert not [
            name for each in page.elements for name in each.attributes if name.startswith("on")
        ]
