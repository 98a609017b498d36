"""The page of a run says what is on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.schemas import Phase
from tests.unit.results.report.pages import Parsed, charts, write_page
from tests.unit.results.report.runs import MadeRun, every_outcome

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.results.run_view import RunView


#: Where there is nothing to say.
DASH = "\N{EN DASH}"


def page_of(view: RunView, *, groups: dict[str, str] | None = None) -> Parsed:
    return Parsed(write_page(view, view.artifacts.run_dir / "report.html", groups=groups))


class TestTheHead:
    def test_head_names_run_model_and_dataset(self, tmp_path: Path) -> None:
        """The head names the run, the model and the dataset."""
        page = page_of(every_outcome(tmp_path).save())

        assert page.first("title").text == "Run r1 of my-bench"
        assert page.first("h1").text == "Run r1"
        assert "Model some-model-1 Dataset validation: 9 tasks" in page.words

    @pytest.mark.parametrize(
        ("local", "said"),
        [
            (True, "Evaluated locally"),
            (False, "Evaluated by a service"),
            (None, "Not known who evaluated"),
        ],
    )
    def test_head_names_the_evaluation(self, tmp_path: Path, local: bool | None, said: str) -> None:
        """The head says if a local service evaluates."""
        assert said in page_of(every_outcome(tmp_path, local=local).save()).words

    def test_a_part_of_a_dataset_is_named_as_such(self, tmp_path: Path) -> None:
        """A part of a dataset is named as such."""
        page = page_of(every_outcome(tmp_path, limit=9, dataset_size=1200).save())

        assert "validation: first 9 of 1,200 tasks" in page.words

    def test_head_says_if_the_run_is_complete(self, tmp_path: Path) -> None:
        """The head says if the run is complete, and if it is still running."""
        run = MadeRun(tmp_path)
        run.graded("a", 1)
        done = page_of(run.save()).words
        with run.artifacts.locked():
            going_on = page_of(run.view()).words
        run.missing("b")
        missing = page_of(run.save()).words

        assert "Complete" in done
        assert "Not complete" not in done
        assert "Still running" not in done
        assert "Still running: process " in going_on
        assert "Not complete" in missing


class TestTheScore:
    def test_score_has_its_interval_and_method(self, tmp_path: Path) -> None:
        """The score has its interval with the name of the method."""
        run = MadeRun(tmp_path)
        for number in range(6):
            run.graded(f"t{number}", float(number > 0))

        words = page_of(run.save(final_score=5 / 6)).words

        assert "0.8333 95 % interval 0.4365 to 0.9699 (Wilson method), n = 6" in words
        assert "A single run cannot show how much the model varies from run to run" in words
        assert "Bounds: none, as every task counts" in words

    def test_other_final_score_is_beside_the_mean(self, tmp_path: Path) -> None:
        """A final score that is not the mean is shown beside it."""
        run = MadeRun(tmp_path)
        run.graded("a", 0.25)
        run.graded("b", 0.75)

        words = page_of(run.save(final_score=0.9)).words

        assert "0.9 The final score, as it was summed up." in words
        assert "0.5 is the mean of the tasks' scores; 95 % interval" in words
        assert "The interval belongs to the mean." in words

    def test_without_a_final_score_the_mean_is_shown(self, tmp_path: Path) -> None:
        """Without a final score the mean so far is shown with counts and bounds."""
        words = page_of(every_outcome(tmp_path).save()).words

        assert "0.375 Mean so far, 95 % interval" in words
        assert "(Student's t method), n = 4 There is no final score yet." in words
        assert (
            "Bounds 0.1667 to 0.7222: the mean of all 9 tasks with the 5 without a score as 0, "
            "and as 1." in words
        )
        assert "Tasks 9 Attempted 8 Scored 2 Errors 3 Timed out 1 Out of turns 1" in words
        assert "1 not generated, 1 not evaluated" in words

    def test_a_forced_score_says_so(self, tmp_path: Path) -> None:
        """A score of an incomplete run says so."""
        page = page_of(every_outcome(tmp_path).save(final_score=0.2, complete=False))

        assert "Scored before it was complete: what was missing counts 0." in page.words

    def test_a_stale_score_is_not_shown(self, tmp_path: Path) -> None:
        """A score that is stale is not shown."""
        run = MadeRun(tmp_path)
        run.graded("a", 1)
        run.save(final_score=1)
        run.graded("a", 0.5)

        words = page_of(run.view()).words

        assert "no final score yet: the one on disk is not that of the evaluations on disk" in words

    @pytest.mark.parametrize("count", [0, 1])
    def test_too_few_tasks_have_no_interval(self, tmp_path: Path, count: int) -> None:
        """Fewer than two tasks have no interval."""
        run = MadeRun(tmp_path)
        for number in range(count):
            run.graded(f"t{number}", 0.5)

        page = page_of(run.save())

        said = "n = 1; no interval of fewer than two tasks" if count else "No task has a score yet"
        assert said in page.words
        assert len(page.table.rows) == count

    def test_failed_run_has_no_score_and_no_chart(self, tmp_path: Path) -> None:
        """A run in which all tasks failed has neither a score nor a chart of scores."""
        run = MadeRun(tmp_path)
        for number in range(3):
            run.failed(f"t{number}", "ValueError: no luck")

        page = page_of(run.save(), groups={"t0": "a", "t1": "a", "t2": "b"})

        assert "No task has a score yet." in page.words
        assert "Bounds 0 to 1: the mean of all 3 tasks with the 3 without a score" in page.words
        assert "Generation failed for 3 tasks" in page.words
        assert f"a 2 0 {DASH} {DASH}" in page.words


class TestCharts:
    def test_each_chart_has_a_description(self, tmp_path: Path) -> None:
        """Each chart has a description in words."""
        view = every_outcome(tmp_path).save()
        content = write_page(view, tmp_path / "x.html", groups={"right": "easy", "slow": "hard"})

        said = charts(content)

        assert said[0] == "Scores of 4 tasks. 0 to 0.5: 2; 0.5 to 1: 2."
        assert "Input tokens of 2 tasks. 1,000: 2." in said
        assert said[-1] == "Means with 95 % intervals. easy: 1, n = 1; hard: 0, n = 1."

    def test_quantities_have_median_and_range(self, tmp_path: Path) -> None:
        """Quantities are shown with their median, range and sum."""
        words = page_of(every_outcome(tmp_path).save()).words

        assert "Cost median $0.50, from $0.25 to $0.75, in all $1.00; not known of 6" in words
        assert "Input tokens 1,000 each, in all 2,000; not known of 6" in words
        assert "All attempts together: $1.00, tokens 2,000 in, 100 out" in words


class TestGroups:
    def test_group_has_mean_and_interval(self, tmp_path: Path) -> None:
        """Each group has its mean and interval."""
        run = MadeRun(tmp_path)
        for number in range(4):
            run.graded(f"t{number}", number / 4)
        page = page_of(run.save(), groups=dict(zip(run.tasks, "aabb", strict=True)))

        assert "Scores by topic topic Tasks Scored Mean 95 % interval" in page.words
        assert "a 2 2 0.125 -1.463 to 1.713 b 2 2 0.625 -0.9633 to 2.213" in page.words
        assert page.table.rows["t3"]["topic"] == "b"

    def test_many_groups_are_cut(self, tmp_path: Path) -> None:
        """Of very many groups the first are shown."""
        run = MadeRun(tmp_path)
        for number in range(210):
            run.graded(f"t{number}", 1)

        page = page_of(run.save(), groups={task_id: f"g{task_id}" for task_id in run.tasks})

        assert "The first 200 of 210." in page.words
        assert "the 185 smallest groups are in the table only" in page.words


class TestErrors:
    def test_errors_are_grouped_with_links(self, tmp_path: Path) -> None:
        """Errors are grouped and link to their tasks."""
        page = page_of(every_outcome(tmp_path).save())

        assert (
            "Generation failed for 2 tasks ValueError: no luck with … author code; "
            "retrying will not help broken-1 broken-2" in page.words
        )
        assert "Evaluation failed for 1 task KeyError: 'answer'" in page.words
        links = [
            each.attributes["data-task"] for each in page.all("a") if "data-task" in each.attributes
        ]
        assert links == ["broken-1", "broken-2", "unfair"]

    def test_many_tasks_of_an_error_are_cut(self, tmp_path: Path) -> None:
        """Of very many tasks with an error the first are named."""
        run = MadeRun(tmp_path)
        for number in range(205):
            run.failed(f"t{number}", "ValueError: no luck")

        assert "t199 and 5 more: choose the state in the table below" in page_of(run.save()).words

    def test_unreadable_files_are_named(self, tmp_path: Path) -> None:
        """Files that can't be read are named."""
        run = MadeRun(tmp_path)
        run.graded("a", 1)
        view = run.save()
        run.artifacts.eval_path("a").write_text("{")

        assert f"Can't be read: {tmp_path}/r1/a/eval.json" in page_of(view).words

    def test_run_without_errors_has_no_section(self, tmp_path: Path) -> None:
        """A run without errors has no section about them."""
        run = MadeRun(tmp_path)
        run.graded("a", 1)

        assert "Errors" not in [each.text for each in page_of(run.save()).all("h2")]


class TestTasks:
    def test_task_rows_keep_the_runs_order(self, tmp_path: Path) -> None:
        """Each task has a row, in the order of the run."""
        table = page_of(every_outcome(tmp_path).save()).table

        assert list(table.rows) == [
            *("right", "half", "slow", "chatty", "broken-1", "broken-2"),
            *("unfair", "waiting", "missing"),
        ]
        assert table.labels == ["State", "Score", "Time", "Cost", "Tokens in", "Tokens out"]
        assert table.rows["half"] == {
            "preview": "What is half?",
            "error": "",
            "State": "scored",
            "Score": 0.5,
            "Time": 5.0,
            "Cost": 0.75,
            "Tokens in": 1000,
            "Tokens out": 50,
        }
        assert table.rows["broken-1"]["error"] == "ValueError: no luck with 'broken-1'"
        assert table.rows["missing"]["State"] == "not generated yet"

    def test_task_row_opens_texts_and_facts(self, tmp_path: Path) -> None:
        """A row opens to the texts and facts of its task."""
        opened = page_of(every_outcome(tmp_path).save()).table.of("half")

        assert opened["texts"] == {
            "Question": ("What is half?", 0, ""),
            "Answer": ("It is half.", 0, ""),
            "Result": ('{\n  "pass_percentage": 0.5\n}', 0, ""),
        }
        assert opened["facts"]["Evaluated by"] == "local (legacy API, version e1)"
        assert opened["facts"]["Took"] == "5 s generating, 500 ms evaluating"

    def test_links_are_relative_to_the_page(self, tmp_path: Path) -> None:
        """Links lead from the page to the folders of the tasks."""
        view = every_outcome(tmp_path).save()
        inside = page_of(view).table
        (tmp_path / "else where").mkdir()
        outside = Parsed(write_page(view, tmp_path / "else where" / "x.html")).table

        assert inside.of("right")["links"] == {
            "Logs": "./right/agent_logs/",
            "Files": "./right/",
        }
        assert outside.of("right")["links"]["Logs"] == "./../r1/right/agent_logs/"
        assert inside.of("missing")["links"] == {}

    def test_page_without_javascript_names_export(self, tmp_path: Path) -> None:
        """Without JavaScript the page names the export command."""
        page = page_of(every_outcome(tmp_path).save())

        assert (
            "The table of tasks needs JavaScript. export writes it as a file: "
            "uv run my-bench-runner export r1" in page.words
        )


class TestProvenance:
    def test_provenance_has_settings_code_and_graders(self, tmp_path: Path) -> None:
        """The provenance has settings, code, service and graders."""
        words = page_of(every_outcome(tmp_path).save()).words

        for said in (
            "Sampling temperature = 0.2",
            "Tasks 9, from validation (file)",
            "Dataset file data/validation.json",
            "Hash of the tasks sha256 ",
            "Evaluated by local (legacy API, version e1): 2 tasks",
            "Service local, an embedded one",
            "Generation version g1",
            "Runner 0.1.0",
            "0123456789abcdef0123456789abcdef01234567, with edits that are in no commit",
            "Runtime vals-benchmark-runner 0.1.0",
            "Python 3.11.2",
            f"2026-05-04 03:02:01 run {DASH}",
        ):
            assert said in words

    def test_commands_are_whole(self, tmp_path: Path) -> None:
        """Commands are shown completely."""
        page = page_of(every_outcome(tmp_path).save())

        assert "uv run my-bench-runner run --run-id r1" in [each.text for each in page.all("pre")]


def test_same_run_makes_the_same_page(tmp_path: Path) -> None:
    """The same run makes the same page but for the time."""
    view = every_outcome(tmp_path).save()
    pages = [write_page(view, tmp_path / "x.html").splitlines() for _ in range(2)]

    different = [line for line, other in zip(*pages, strict=True) if line != other]

    assert all(b"Made " in line or b"UTC" in line for line in different)


def test_evaluation_error_has_question_and_answer(tmp_path: Path) -> None:
    """A task whose evaluation failed has its question and answer."""
    run = MadeRun(tmp_path)
    run.failed("a", "KeyError: 'x'", Phase.EVALUATE)

    opened = page_of(run.save()).table.of("a")

    assert list(opened["texts"]) == ["Error", "Question", "Answer"]
    assert opened["facts"]["Failure"] == "author code; retrying will not help"
