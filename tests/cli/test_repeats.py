"""``--repeats``: from the start of a run to its score, raised later, broken in between, redone."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.interruption import OUT_WITHIN
from tests.files import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject
    from tests.cli.interruption import Pipe
    from tests.scripted_service import ScriptedService

RUN = ["run", "--run-id", "r1", "--parallelism", "1"]
TASKS = ["t3", "t1", "t2"]
#: The agent notes the repeat that it is called for, and does as the question says in that alone.
NUMBERED = (
    ("from benchmark_runner import", "from benchmark_runner import current_generation,"),
    ('f"{task.id}\\n"', 'f"{task.id}/{current_generation().repeat}\\n"'),
    (
        '        if (ROOT / "healed").exists():\n',
        '        if (ROOT / "healed").exists() or current_generation().repeat != 2:\n',
    ),
    ("GenerationResult(answer=rest)", "GenerationResult(answer=rest, cost=1)"),
)


@pytest.fixture
def numbered(project: RunnerProject) -> RunnerProject:
    """A runner whose agent notes the repeat, and takes a dollar for each answer."""
    project.change_agent(*NUMBERED)
    return project


def all_of(*repeats: int) -> list[str]:
    """Return the calls for these repeats of all tasks."""
    return [f"{task_id}/{repeat}" for repeat in repeats for task_id in TASKS]


def folder_of(project: RunnerProject, task_id: str, repeat: int) -> Path:
    folder = project.results / "r1" / task_id
    return folder if repeat == 1 else folder / "repeats" / str(repeat)


def evaluated(scripted: ScriptedService) -> Counter[str]:
    """Count the evaluations by task."""
    return Counter(
        body["task_id"] for path, body in scripted.bodies if path == "/evaluate-response/"
    )


def score_requests(scripted: ScriptedService) -> list[dict[str, Any]]:
    return [body for path, body in scripted.bodies if path == "/final-score/"]


def succeeds(project: RunnerProject, *args: str) -> Ended:
    ended = project.run(*args)
    assert ended.code == 0, ended.err
    return ended


class TestFromStartToScore:
    def test_each_task_is_run_several_times(
        self, numbered: RunnerProject, scripted: ScriptedService
    ) -> None:
        """Each repeat of each task is generated, evaluated and scored by itself."""
        answer = {"tasks_evaluated": TASKS, "metadata": {"level": "high"}}
        scripted.answers["/final-score/"] = [
            (200, {**answer, "final_score": value}) for value in (1.0, 0.4, 0.4)
        ]
        ended = succeeds(numbered, *RUN, "--repeats", "3", "--service-url", scripted.url)
        assert "  tasks    3, 3 times each, from data/validation.json\n" in ended.out
        counts = "9 attempted, 9 scored, 0 timed out, 0 out of turns, 0 failed"
        assert f"Tasks    3 x 3 repeats: 9 generations\n         {counts}\n" in ended.out
        assert numbered.calls == all_of(1, 2, 3)
        assert evaluated(scripted) == dict.fromkeys(TASKS, 3)
        assert [[*body["evaluation_results"]] for body in score_requests(scripted)] == [TASKS] * 3
        score = numbered.read("r1", "final_score.json")
        assert score["final_score"] == pytest.approx(0.6)
        assert score["metadata"] == {"level": "high"}
        assert [(each["repeat"], each["final_score"]) for each in score["repeats"]] == [
            *((1, 1.0), (2, 0.4), (3, 0.4)),
        ]
        assert (score["complete"], score["counts"]["total"], score["counts"]["scored"]) == (
            *(True, 9, 9),
        )
        for task_id in TASKS:
            for repeat in (1, 2, 3):
                names = {path.name for path in folder_of(numbered, task_id, repeat).iterdir()}
                assert names - {"repeats"} == {"agent_logs", "generation.json", "eval.json"}

    def test_v1_service_gets_a_run_of_each(
        self, numbered: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A service with run ids gets each repeat as a run of its own."""
        numbered.set_in_class('EVALUATION_API = "v1"')
        succeeds(numbered, *RUN, "--repeats", "2", "--service-url", scripted.url)
        ids = Counter(
            body["run_id"]
            for path, body in scripted.bodies
            if path in ("/v1/evaluate", "/v1/score")
        )
        assert ids == {"r1": 4, "r1-repeat-2": 4}

    def test_finished_run_does_nothing_again(
        self, numbered: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A finished run is resumed without a call, with and without the number."""
        flags = ["--service-url", scripted.url]
        succeeds(numbered, *RUN, "--repeats", "3", *flags)
        before, asked = contents(numbered.results / "r1"), len(scripted.asked)
        for more in ([], ["--repeats", "3"]):
            ended = succeeds(numbered, *RUN, *flags, *more)
            assert "0 to generate, 0 to evaluate, 9 done before" in ended.out
        assert (len(numbered.calls), len(scripted.asked)) == (9, asked)
        assert contents(numbered.results / "r1") == before

    def test_lower_number_is_refused(self, numbered: RunnerProject) -> None:
        """A lower number is refused, and the run stays as it is."""
        succeeds(numbered, *RUN, "--repeats", "2")
        before = contents(numbered.results / "r1")
        ended = numbered.run(*RUN, "--repeats", "1")
        assert ended.code == 2
        assert "has 2 repeats of each task, not 1" in ended.err
        assert contents(numbered.results / "r1") == before

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (["--repeats", "0"], "--repeats"),
            (["--repeat", "2"], "--repeat needs --rerun"),
            (["--repeats", "99999999999"], "--repeats 99,999,999,999 is more than 10,000"),
            (["--rerun", "t1", "--repeat", "4", "--repeats", "3"], "there is no repeat 4"),
            (["--rerun", "t1", "--repeat", "0"], "--repeat"),
        ],
    )
    def test_bad_number_is_refused(
        self, numbered: RunnerProject, flags: list[str], said: str
    ) -> None:
        """A number that makes no sense is refused before anything runs."""
        ended = numbered.run(*RUN, *flags)
        assert ended.code == 2
        assert said in ended.err
        assert numbered.calls == []
        assert not (numbered.results / "r1").exists()

    def test_json_has_repeats_and_counts(self, numbered: RunnerProject) -> None:
        """With --json the number of repeats and the counts of generations are reported."""
        numbered.write_tasks(
            [
                {"id": "t1", "question": "say one", "answer": "one"},
                {"id": "t2", "question": "raise no luck", "answer": ""},
            ]
        )
        ended = numbered.run(*RUN, "--repeats", "3", "--json")
        assert ended.code == 1
        found = ended.json
        assert (found["repeats"], found["complete"], found["final_score"]) == (3, False, None)
        counts = found["counts"]
        assert (counts["total"], counts["attempted"]) == (6, 6)
        assert (counts["scored"], counts["error"]) == (5, 1)

    def test_json_names_tasks_and_repeats(self, numbered: RunnerProject) -> None:
        """With --json a list of task ids has the numbers of the repeats beside it."""
        numbered.write_tasks([{"id": "t1", "question": "raise no luck", "answer": ""}])
        plan = succeeds(numbered, *RUN, "--repeats", "2", "--dry-run", "--json").json["plan"]
        assert numbered.calls == []
        (group,) = plan["rerun"]
        assert (group["count"], group["task_ids"], group["repeats"]) == (2, ["t1", "t1"], [1, 2])
        (failed,) = numbered.run(*RUN, "--repeats", "2", "--json").json["failures"]
        assert (failed["task_ids"], failed["repeats"]) == (["t1"], [2])


class TestRaise:
    def test_raised_number_adds_repeats(
        self, numbered: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A higher number adds repeats, redoes nothing, and scores all of them."""
        flags = ["--service-url", scripted.url]
        succeeds(numbered, *RUN, "--repeats", "3", *flags)
        before = contents(numbered.results / "r1" / "t1")
        scripted.forget()
        ended = succeeds(numbered, *RUN, "--repeats", "5", *flags)
        assert "6 to generate, 0 to evaluate, 9 done before" in ended.out
        assert numbered.calls[9:] == all_of(4, 5)
        assert evaluated(scripted) == dict.fromkeys(TASKS, 2)
        assert len(score_requests(scripted)) == 5
        after = contents(numbered.results / "r1" / "t1")
        assert {path: after[path] for path in before} == before
        assert len(numbered.read("r1", "final_score.json")["repeats"]) == 5

    def test_score_goes_with_the_evaluations(self, numbered: RunnerProject) -> None:
        """A score of fewer repeats is removed before there are more."""
        succeeds(numbered, *RUN, "--repeats", "2")
        succeeds(numbered, *RUN, "--repeats", "3", "t1")
        assert numbered.calls[6:] == ["t1/3"]
        assert not (numbered.results / "r1" / "final_score.json").exists()
        assert succeeds(numbered, *RUN).code == 0
        assert numbered.calls[7:] == ["t3/3", "t2/3"]

    @pytest.mark.parametrize("name", ["generation.json", "eval.json"])
    @pytest.mark.parametrize("content", [None, "", '{"task_id": "t1", "sta'])
    def test_what_is_broken_in_between_is_owed(
        self, numbered: RunnerProject, scripted: ScriptedService, name: str, content: str | None
    ) -> None:
        """Of a run that is raised, what broke meanwhile is redone, and no more."""
        flags = ["--service-url", scripted.url]
        succeeds(numbered, *RUN, "--repeats", "3", *flags)
        scripted.forget()
        broken = folder_of(numbered, "t1", 2) / name
        broken.unlink()
        if content is not None:
            broken.write_text(content)
        succeeds(numbered, *RUN, "--repeats", "5", *flags)
        generated = ["t1/2"] if name == "generation.json" else []
        assert numbered.calls[9:] == [*generated, *all_of(4, 5)]
        assert evaluated(scripted) == {"t3": 2, "t1": 3, "t2": 2}
        assert len(score_requests(scripted)) == 5
        assert len(numbered.read("r1", "final_score.json")["repeats"]) == 5
        aside = [*broken.parent.glob("*.corrupt-*")]
        assert len(aside) == (content is not None)

    def test_lost_folder_of_a_repeat_is_owed(
        self, numbered: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A repeat whose folder is gone is generated and evaluated again."""
        flags = ["--service-url", scripted.url]
        succeeds(numbered, *RUN, "--repeats", "3", *flags)
        shutil.rmtree(folder_of(numbered, "t1", 2).parent)
        succeeds(numbered, *RUN, *flags)
        assert numbered.calls[9:] == ["t1/2", "t1/3"]
        assert evaluated(scripted) == {"t3": 3, "t1": 5, "t2": 3}


class TestPartsOfARun:
    def test_named_tasks_and_limit_count_tasks(self, numbered: RunnerProject) -> None:
        """--limit and named tasks choose tasks, with all their repeats."""
        succeeds(numbered, *RUN, "--limit", "2", "--repeats", "2", "t1")
        assert numbered.calls == ["t1/1", "t1/2"]
        succeeds(numbered, *RUN)
        assert numbered.calls[2:] == ["t3/1", "t3/2"]
        assert numbered.read("r1", "final_score.json")["counts"]["total"] == 4

    def test_one_repeat_is_redone(self, numbered: RunnerProject, scripted: ScriptedService) -> None:
        """--rerun with --repeat redoes one repeat, whose earlier attempt is kept."""
        flags = ["--service-url", scripted.url]
        succeeds(numbered, *RUN, "--repeats", "3", *flags)
        others = {n: contents(folder_of(numbered, "t1", n) / "agent_logs") for n in (1, 3)}
        scripted.forget()
        succeeds(numbered, *RUN, *flags, "--rerun", "t1", "--repeat", "2")
        assert numbered.calls[9:] == ["t1/2"]
        assert evaluated(scripted) == {"t1": 1}
        assert len(score_requests(scripted)) == 3
        assert (folder_of(numbered, "t1", 2) / "attempts" / "1" / "eval.json").exists()
        for repeat, before in others.items():
            assert not (folder_of(numbered, "t1", repeat) / "attempts").exists()
            assert contents(folder_of(numbered, "t1", repeat) / "agent_logs") == before

    def test_all_repeats_are_redone(self, numbered: RunnerProject) -> None:
        """--rerun alone redoes all repeats of the task."""
        succeeds(numbered, *RUN, "--repeats", "2")
        succeeds(numbered, *RUN, "--rerun", "t1")
        assert numbered.calls[6:] == ["t1/1", "t1/2"]

    def test_regrade_evaluates_all_repeats(
        self, numbered: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A regrade evaluates each repeat again, and the earlier results are kept."""
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        succeeds(numbered, *RUN, "--repeats", "2", "--service-url", scripted.url)
        scripted.forget()
        scripted.answers["/evaluate-response/"] = (200, {"pass_percentage": 0.0})
        scripted.answers["/final-score/"] = (200, {"tasks_evaluated": TASKS, "final_score": 0.0})
        succeeds(numbered, "evaluate", *flags, "--regrade")
        assert evaluated(scripted) == dict.fromkeys(TASKS, 2)
        assert len(numbered.calls) == 6
        for repeat in (1, 2):
            assert (folder_of(numbered, "t1", repeat) / "attempts/evals/1.json").exists()
        assert numbered.read("r1", "final_score.json")["mean"] == 0

    def test_timeouts_are_retried_by_repeat(self, numbered: RunnerProject) -> None:
        """--retry-timeouts redoes the repeats that ran out, and no others."""
        numbered.write_tasks([{"id": "t1", "question": "out-of-turns x", "answer": "x"}])
        succeeds(numbered, *RUN, "--repeats", "3")
        numbered.heal()
        succeeds(numbered, *RUN, "--retry-timeouts")
        assert numbered.calls[3:] == ["t1/2"]

    def test_forced_score_sends_missing_repeats(
        self, numbered: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A forced score has a request for each repeat, with null for what is missing."""
        flags = ["--service-url", scripted.url]
        succeeds(numbered, *RUN, "--repeats", "2", "--max-cost", "100", *flags, "t1")
        ended = numbered.run("score", "--run-id", "r1", *flags)
        assert ended.code == 1
        assert "4 not generated" in ended.out
        scripted.answers["/final-score/"] = (200, {"tasks_evaluated": TASKS, "final_score": 1 / 3})
        succeeds(numbered, "score", "--run-id", "r1", "--force", *flags)
        sent = [body["evaluation_results"] for body in score_requests(scripted)]
        assert [sorted(task for task in each if each[task]) for each in sent] == [["t1"]] * 2
        score = numbered.read("r1", "final_score.json")
        assert (score["complete"], len(score["repeats"])) == (False, 2)

    def test_problem_has_repeats(self, numbered: RunnerProject) -> None:
        """A --problem is generated as often as asked, in one run."""
        problem = numbered.root / "problem.txt"
        problem.write_text("say one")
        flags = ["--skip-eval", "--problem", str(problem)]
        succeeds(numbered, *RUN, "--repeats", "2", *flags, "p1")
        assert numbered.calls == ["p1/1", "p1/2"]
        succeeds(numbered, *RUN, *flags, "p2")
        assert numbered.calls[2:] == ["p2/1", "p2/2"]


class TestCaps:
    def test_cost_is_of_all_repeats(self, numbered: RunnerProject) -> None:
        """--max-cost counts each repeat, also those of earlier commands."""
        ended = numbered.run(*RUN, "--repeats", "3", "--max-cost", "4")
        assert ended.code == 1
        assert numbered.calls == all_of(1, 2, 3)[:4]
        assert "5 not generated" in ended.out
        assert numbered.run(*RUN, "--max-cost", "6").code == 1
        assert numbered.calls == all_of(1, 2)
        ended = succeeds(numbered, *RUN, "--max-cost", "20")
        assert numbered.calls == all_of(1, 2, 3)
        assert "Cost     $9.00" in ended.out

    def test_errors_are_of_generations(self, numbered: RunnerProject) -> None:
        """--max-errors counts the repeats that fail."""
        numbered.write_tasks(
            [{"id": task_id, "question": f"raise {task_id}", "answer": ""} for task_id in TASKS]
        )
        ended = numbered.run(*RUN, "--repeats", "3", "--max-errors", "2")
        assert ended.code == 1
        assert numbered.calls == all_of(1, 2)[:5]
        assert "paused after 2 generation errors" in ended.err
        numbered.heal()
        succeeds(numbered, *RUN)
        assert numbered.calls[5:] == [*all_of(2), *all_of(3)]


def test_interrupted_run_is_resumed(numbered: RunnerProject, pipe: Pipe) -> None:
    """A signal in the second repeat keeps what is finished, and the printed command continues."""
    numbered.write_tasks(
        [
            {"id": "t1", "question": "say one", "answer": "one"},
            {"id": "t2", "question": "wait for it", "answer": "for it"},
        ]
    )
    process = numbered.start(*RUN, "--repeats", "3", ready=pipe.write_end)
    pipe.wait_for("t2")
    process.send_signal(signal.SIGINT)
    ended = numbered.end(process, timeout=OUT_WITHIN)
    assert ended.code == 130
    assert numbered.calls == ["t1/1", "t2/1", "t1/2", "t2/2"]
    assert not (folder_of(numbered, "t2", 2) / "generation.json").exists()
    numbered.heal()
    resumed = numbered.shell(ended.resume_command)
    assert resumed.code == 0, resumed.err
    assert numbered.calls[4:] == ["t2/2", "t1/3", "t2/3"]
    assert json.loads((numbered.results / "r1" / "final_score.json").read_text())["complete"]
