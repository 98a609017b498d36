"""What the page of a run says, and that nothing in it is more than text."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from benchmark_runner.schemas import Phase
from tests.unit.results.report.hostile import IDS, TEXTS, hostile_groups, hostile_run
from tests.unit.results.report.pages import Parsed, charts, write_page, write_page_of_several
from tests.unit.results.report.runs import MadeRun, every_outcome, topics

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.results.run_view import RunView


#: Where there is nothing to say.
DASH = "\N{EN DASH}"


def page_of(view: RunView, *, groups: dict[str, str] | None = None) -> Parsed:
    return Parsed(write_page(view, view.artifacts.run_dir / "report.html", groups=groups))


class TestTheHead:
    def test_it_says_what_was_run(self, tmp_path: Path) -> None:
        page = page_of(every_outcome(tmp_path).save())

        assert page.first("title").text == "Run r1 of my-bench"
        assert page.first("h1").text == "Run r1"
        assert "Model some-model-1 Dataset validation: 9 tasks" in page.words

    @pytest.mark.parametrize(
        ("local", "said"),
        [(True, "Graded locally"), (False, "Graded by a service"), (None, "Not known who grades")],
    )
    def test_it_says_who_grades(self, tmp_path: Path, local: bool | None, said: str) -> None:
        assert said in page_of(every_outcome(tmp_path, local=local).save()).words

    def test_a_part_of_a_dataset_is_named_as_such(self, tmp_path: Path) -> None:
        page = page_of(every_outcome(tmp_path, limit=9, dataset_size=1200).save())

        assert "validation: first 9 of 1,200 tasks" in page.words

    def test_it_says_whether_the_run_is_complete_and_going_on(self, tmp_path: Path) -> None:
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
    def test_it_has_its_interval_with_the_methods_name(self, tmp_path: Path) -> None:
        run = MadeRun(tmp_path)
        for number in range(6):
            run.graded(f"t{number}", float(number > 0))

        words = page_of(run.save(final_score=5 / 6)).words

        assert "0.8333 95 % interval 0.4365 to 0.9699 (Wilson method), n = 6" in words
        assert "A single run cannot show how much the model varies from run to run" in words
        assert "Bounds: none, as every task counts" in words

    def test_a_final_score_that_is_not_the_mean_is_beside_it(self, tmp_path: Path) -> None:
        run = MadeRun(tmp_path)
        run.graded("a", 0.25)
        run.graded("b", 0.75)

        words = page_of(run.save(final_score=0.9)).words

        assert "0.9 The final score, as it was summed up." in words
        assert "0.5 is the mean of the tasks' scores; 95 % interval" in words
        assert "The interval belongs to the mean." in words

    def test_without_a_final_score_it_is_the_mean_so_far(self, tmp_path: Path) -> None:
        words = page_of(every_outcome(tmp_path).save()).words

        assert "0.375 Mean so far, 95 % interval" in words
        assert "(Student's t method), n = 4 There is no final score yet." in words
        assert (
            "Bounds 0.1667 to 0.7222: the mean of all 9 tasks with the 5 without a grade as 0, "
            "and as 1." in words
        )
        assert "Tasks 9 Attempted 8 Scored 2 Errors 3 Timed out 1 Out of turns 1" in words
        assert "1 not generated, 1 not graded" in words

    def test_a_forced_score_says_so(self, tmp_path: Path) -> None:
        page = page_of(every_outcome(tmp_path).save(final_score=0.2, complete=False))

        assert "Scored before it was complete: what was missing counts 0." in page.words

    def test_a_stale_score_is_not_shown(self, tmp_path: Path) -> None:
        run = MadeRun(tmp_path)
        run.graded("a", 1)
        run.save(final_score=1)
        run.graded("a", 0.5)

        words = page_of(run.view()).words

        assert "no final score yet: the one on disk does not sum the grades on disk" in words

    @pytest.mark.parametrize("count", [0, 1])
    def test_too_few_tasks_have_no_interval(self, tmp_path: Path, count: int) -> None:
        run = MadeRun(tmp_path)
        for number in range(count):
            run.graded(f"t{number}", 0.5)

        page = page_of(run.save())

        said = "n = 1; no interval of fewer than two tasks" if count else "No task has a score yet"
        assert said in page.words
        assert len(page.table.rows) == count

    def test_where_all_failed_there_is_no_score_and_no_chart_of_scores(
        self, tmp_path: Path
    ) -> None:
        run = MadeRun(tmp_path)
        for number in range(3):
            run.failed(f"t{number}", "ValueError: no luck")

        page = page_of(run.save(), groups={"t0": "a", "t1": "a", "t2": "b"})

        assert "No task has a score yet." in page.words
        assert "Bounds 0 to 1: the mean of all 3 tasks with the 3 without a grade" in page.words
        assert "Generation failed for 3 tasks" in page.words
        assert f"a 2 0 {DASH} {DASH}" in page.words


class TestCharts:
    def test_each_says_in_words_what_it_shows(self, tmp_path: Path) -> None:
        view = every_outcome(tmp_path).save()
        content = write_page(view, tmp_path / "x.html", groups={"right": "easy", "slow": "hard"})

        said = charts(content)

        assert said[0] == "Scores of 4 tasks. 0 to 0.5: 2; 0.5 to 1: 2."
        assert "Input tokens of 2 tasks. 1,000: 2." in said
        assert said[-1] == "Means with 95 % intervals. easy: 1, n = 1; hard: 0, n = 1."

    def test_quantities_come_with_their_middle_and_ends(self, tmp_path: Path) -> None:
        words = page_of(every_outcome(tmp_path).save()).words

        assert "Cost median $0.50, from $0.25 to $0.75, in all $1.00; not known of 6" in words
        assert "Input tokens 1,000 each, in all 2,000; not known of 6" in words
        assert "All attempts together: $1.00, tokens 2,000 in, 100 out" in words


class TestGroups:
    def test_each_has_its_mean_and_interval(self, tmp_path: Path) -> None:
        run = MadeRun(tmp_path)
        for number in range(4):
            run.graded(f"t{number}", number / 4)
        page = page_of(run.save(), groups=dict(zip(run.tasks, "aabb", strict=True)))

        assert "Scores by topic topic Tasks Scored Mean 95 % interval" in page.words
        assert "a 2 2 0.125 -1.463 to 1.713 b 2 2 0.625 -0.9633 to 2.213" in page.words
        assert page.table.rows["t3"]["topic"] == "b"

    def test_of_very_many_the_first_are_shown(self, tmp_path: Path) -> None:
        run = MadeRun(tmp_path)
        for number in range(210):
            run.graded(f"t{number}", 1)

        page = page_of(run.save(), groups={task_id: f"g{task_id}" for task_id in run.tasks})

        assert "The first 200 of 210." in page.words
        assert "the 185 smallest groups are in the table only" in page.words


class TestErrors:
    def test_they_are_grouped_and_lead_to_their_tasks(self, tmp_path: Path) -> None:
        page = page_of(every_outcome(tmp_path).save())

        assert (
            "Generation failed for 2 tasks ValueError: no luck with … author code; "
            "retrying will not help broken-1 broken-2" in page.words
        )
        assert "Grading failed for 1 task KeyError: 'answer'" in page.words
        links = [
            each.attributes["data-task"] for each in page.all("a") if "data-task" in each.attributes
        ]
        assert links == ["broken-1", "broken-2", "unfair"]

    def test_of_very_many_tasks_the_first_are_named(self, tmp_path: Path) -> None:
        run = MadeRun(tmp_path)
        for number in range(205):
            run.failed(f"t{number}", "ValueError: no luck")

        assert "t199 and 5 more: choose the state in the table below" in page_of(run.save()).words

    def test_files_that_can_not_be_read_are_named(self, tmp_path: Path) -> None:
        run = MadeRun(tmp_path)
        run.graded("a", 1)
        view = run.save()
        run.artifacts.eval_path("a").write_text("{")

        assert f"Can't be read: {tmp_path}/r1/a/eval.json" in page_of(view).words

    def test_where_there_are_none_there_is_no_word_of_them(self, tmp_path: Path) -> None:
        run = MadeRun(tmp_path)
        run.graded("a", 1)

        assert "Errors" not in [each.text for each in page_of(run.save()).all("h2")]


class TestTasks:
    def test_each_has_a_row_in_the_runs_order(self, tmp_path: Path) -> None:
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

    def test_it_opens_to_its_texts_and_facts(self, tmp_path: Path) -> None:
        opened = page_of(every_outcome(tmp_path).save()).table.of("half")

        assert opened["texts"] == {
            "Question": ("What is half?", 0, ""),
            "Answer": ("It is half.", 0, ""),
            "Grade": ('{\n  "pass_percentage": 0.5\n}', 0, ""),
        }
        assert opened["facts"]["Graded by"] == "local (legacy API, version e1)"
        assert opened["facts"]["Took"] == "5 s generating, 500 ms grading"

    def test_links_lead_from_the_page_to_its_folders(self, tmp_path: Path) -> None:
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

    def test_without_javascript_it_says_what_lists_them(self, tmp_path: Path) -> None:
        page = page_of(every_outcome(tmp_path).save())

        assert (
            "The table of tasks needs JavaScript. export writes it as a file: "
            "uv run my-bench-runner export r1" in page.words
        )


class TestProvenance:
    def test_it_names_settings_code_and_graders(self, tmp_path: Path) -> None:
        words = page_of(every_outcome(tmp_path).save()).words

        for said in (
            "Sampling temperature = 0.2",
            "Tasks 9, from validation (file)",
            "Dataset file data/validation.json",
            "Hash of the tasks sha256 ",
            "Graded by local (legacy API, version e1): 2 tasks",
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
        page = page_of(every_outcome(tmp_path).save())

        assert "uv run my-bench-runner run --run-id r1" in [each.text for each in page.all("pre")]


class TestSafety:
    @pytest.fixture
    def page(self, tmp_path: Path) -> Parsed:
        run = hostile_run(tmp_path)
        return page_of(run.save(), groups=hostile_groups(run))

    def test_only_its_own_script_and_style_are_there(self, page: Parsed, tmp_path: Path) -> None:
        harmless = page_of(every_outcome(tmp_path, "r2").save())

        assert [each.text for each in page.scripts] == [each.text for each in harmless.scripts]
        assert [each.text for each in page.all("style")] == [
            each.text for each in harmless.all("style")
        ]
        assert len(page.scripts) == len(page.all("style")) == 1

    def test_the_policy_lets_nothing_else_run_or_load(self, page: Parsed) -> None:
        hashes = [
            f"'sha256-{b64encode(sha256(each.text.encode()).digest()).decode()}'"
            for each in (page.scripts[0], page.first("style"))
        ]

        assert page.policy["default-src"] == "'none'"
        assert page.policy["script-src"] == hashes[0]
        assert page.policy["style-src"] == hashes[1]
        assert page.policy["base-uri"] == page.policy["form-action"] == "'none'"
        assert "unsafe" not in json.dumps(page.policy)

    def test_there_are_no_elements_and_attributes_but_ours(self, page: Parsed) -> None:
        names = {each.name for each in page.elements}
        assert not names & {"img", "iframe", "link", "base", "object", "embed", "form"}
        for element in page.elements:
            for name, value in element.attributes.items():
                assert not name.startswith("on")
                assert name != "style"
                if name in {"href", "src"}:
                    assert value is not None
                    assert value.startswith("#")

    def test_every_text_is_there_to_read(self, page: Parsed) -> None:
        table = page.table
        for number, text in enumerate(TEXTS[:10]):
            assert table.of(f"t{number}")["texts"]["Question"][0] == text
        assert " ".join(TEXTS[0].split()) in page.words

    def test_what_is_not_seen_is_shown(self, page: Parsed) -> None:
        texts = [page.table.of(f"t{number}")["texts"]["Answer"][0] for number in (10, 11, 12)]

        assert texts[0] == "⟨U+2028⟩window.hit=1;⟨U+2029⟩//"
        assert texts[1] == "␛]0;owned␇␛[31mred␛[0m⟨U+009B⟩2J"
        assert texts[2] == "&lt;b&gt; &amp; ⟨U+202E⟩gnp.exe⟨U+202C⟩ ␀␡"

    def test_what_is_not_seen_is_shown_outside_the_table_too(self, page: Parsed) -> None:
        assert "␛]0;owned␇␛[31mred␛[0m⟨U+009B⟩2J" in page.words
        assert not {"\x1b", "\x9b", "\u202e", "\u2028"} & set(page.words)

    def test_secrets_are_masked_wherever_they_are(self, tmp_path: Path) -> None:
        secret = "key-that-is-secret-42"
        run = MadeRun(tmp_path, fields={"model": secret, "sampling": {"effort": secret}})
        run.failed("a", f"Error: {secret}", question=secret)
        view = run.save()

        content = write_page(
            view,
            tmp_path / "x.html",
            groups={"a": secret},
            commands={"Go on": f"run --model {secret}"},
            secrets=[secret],
        )

        assert secret.encode() not in content
        page = Parsed(content)
        assert "Model ***" in page.words
        assert page.table.rows["a"]["topic"] == "***"
        assert secret not in json.dumps(page.table.of("a"))

    def test_data_can_not_end_its_script_element(self, page: Parsed) -> None:
        index = next(each for each in page.all("script") if each.attributes.get("id") == "index")

        assert not set(index.text) & set("<>&\u2028\u2029")
        assert IDS[0] in page.table.rows

    @pytest.mark.parametrize("task_id", IDS)
    def test_no_id_makes_a_link_of_another_kind(self, page: Parsed, task_id: str) -> None:
        link = page.table.of(task_id)["links"]["Files"]

        assert link.startswith("./")
        assert not set(link) & set(":?#<>\"'&")
        assert unquote(link) == f"./{task_id}/"

    def test_a_long_text_is_cut_in_its_middle(self, page: Parsed) -> None:
        text = TEXTS[1] * 10_000
        head, left, tail = page.table.of("long")["texts"]["Answer"]

        assert len(head) + left + len(tail) == len(text)
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(head) + len(tail) == 20_000


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

    def test_head_figures_stand_side_by_side(self, tmp_path: Path) -> None:
        words = self.page(tmp_path).words

        assert "2 runs side by side" in words
        assert "Final score 0.5 none yet" in words
        assert "Mean of the tasks' scores 0.4167 0.625" in words
        assert "Model some-model-1 other-2" in words
        assert "Errors 0 1" in words
        assert "Complete yes no" in words

    def test_they_are_compared_task_by_task(self, tmp_path: Path) -> None:
        words = self.page(tmp_path).words

        assert (
            "b scores 0.25 more than a (95 % interval of that 0.25 to 0.25), task by task on the "
            "4 tasks that have a score in both." in words
        )
        assert "another content" not in words

    def test_intervals_are_in_one_chart(self, tmp_path: Path) -> None:
        content = write_page_of_several(self.two(tmp_path), tmp_path / "both.html")

        (said,) = charts(content)
        assert said.startswith("Means with 95 % intervals. a: 0.4167 (")
        assert "; b: 0.625 (" in said

    def test_common_tasks_have_the_scores_of_each(self, tmp_path: Path) -> None:
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

    def test_groups_have_the_mean_of_each(self, tmp_path: Path) -> None:
        groups = topics(["t0", "t1", "t2", "t3", "t4"])

        page = self.page(tmp_path, groups=groups)

        assert "algebra 0 (0 to 0.6576), n = 2 0.25, n = 1" in page.words
        assert page.table.rows["t1"]["topic"] == "geometry"

    def test_of_very_many_groups_the_first_are_shown(self, tmp_path: Path) -> None:
        groups = {f"t{number}": f"g{number}" for number in range(210)}

        assert "The first 200 of 210 groups." in self.page(tmp_path, groups=groups).words

    def test_tasks_that_changed_in_between_are_told(self, tmp_path: Path) -> None:
        first = MadeRun(tmp_path, "a")
        second = MadeRun(tmp_path, "b", {"task_hashes": {"t": "another"}})
        first.graded("t", 1)
        second.graded("t", 0)

        views = [first.save(), second.save()]
        page = Parsed(write_page_of_several(views, tmp_path / "both.html"))

        assert "b scores 1 less than a, task by task on the 1 task" in page.words
        assert "1 task had another content in one than in the other." in page.words

    def test_hostile_texts_are_text_there_too(self, tmp_path: Path) -> None:
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


def test_the_same_run_makes_the_same_page_but_for_the_time(tmp_path: Path) -> None:
    view = every_outcome(tmp_path).save()
    pages = [write_page(view, tmp_path / "x.html").splitlines() for _ in range(2)]

    different = [line for line, other in zip(*pages, strict=True) if line != other]

    assert all(b"Made " in line or b"UTC" in line for line in different)


def test_an_error_in_grading_has_its_question_and_answer(tmp_path: Path) -> None:
    run = MadeRun(tmp_path)
    run.failed("a", "KeyError: 'x'", Phase.EVALUATE)

    opened = page_of(run.save()).table.of("a")

    assert list(opened["texts"]) == ["Error", "Question", "Answer"]
    assert opened["facts"]["Failure"] == "author code; retrying will not help"
