"""The samples of a log: each outcome of a repeat where Inspect has it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.schemas import EvalStatus, Phase, TokenUsage
from tests.unit.results.export.inspect_log.logs import Log
from tests.unit.results.export.outcomes import every_outcome
from tests.unit.results.report.runs import MadeRun

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.results.export.inspect_log.logs import Fields


@pytest.fixture
def run(tmp_path: Path) -> MadeRun:
    return MadeRun(tmp_path / "results")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """The log of a run with every outcome."""
    return Log(every_outcome(tmp_path))


def score_of(sample: Fields) -> Fields:
    (score,) = sample["scores"].values()
    return score


class TestScores:
    def test_graded_answer_has_its_score(self, log: Log) -> None:
        """A graded answer has its score, with the reason, the result and who gave it."""
        sample = log.sample("wrong")

        assert sample["scores"].keys() == {"evaluation"}
        assert score_of(sample) == {
            "value": 0.0,
            "answer": "It is wrong.",
            "explanation": "no",
            "metadata": {
                "result": {"pass_percentage": 0.0, "reason": "no"},
                "service_url": "local",
                "evaluation_api": "legacy",
                "evaluator_version": "e1",
            },
        }
        assert sample.keys().isdisjoint({"error", "error_retries", "limit"})

    def test_each_repeat_is_an_epoch(self, log: Log) -> None:
        """Each repeat of a task is an epoch of the sample."""
        found = [(log.sample("right", n)["epoch"], n) for n in (1, 2)]

        assert found == [(1, 1), (2, 2)]
        assert [score_of(log.sample("right", n))["value"] for n in (1, 2)] == [1.0, 0.0]
        assert log.sample("right")["uuid"] != log.sample("right", 2)["uuid"]

    def test_failed_evaluation_does_not_count(self, log: Log) -> None:
        """A failed evaluation is a score that does not count, with the error."""
        score = score_of(log.sample("unfair"))

        assert math.isnan(score["value"])
        assert (score["reason"], score["explanation"]) == ("grader_failed", "KeyError: 'rubric'")

    def test_answer_without_a_grade_has_no_score(self, log: Log) -> None:
        """An answer that is not evaluated yet has no score, and no error."""
        assert log.sample("ungraded").keys().isdisjoint({"scores", "error", "limit"})

    def test_result_without_a_number_does_not_count(self, run: MadeRun) -> None:
        """A result without a numeric score is one that does not count."""
        run.graded("t1", {"verdict": "fine", "parts": {"style": 1.0, "form": 0.5}})

        score = score_of(Log(run.save()).sample("t1"))

        assert math.isnan(score["value"])
        assert score["reason"] == "scoring_failed"
        assert score["metadata"]["result"]["parts"] == {"style": 1.0, "form": 0.5}

    def test_grade_of_another_answer_is_none(self, run: MadeRun) -> None:
        """The evaluation of another generation is not the score of this one."""
        run.graded("t1", 1.0)
        run.generated("t1", answer="Another one.")
        run.tasks = ["t1"]

        assert "scores" not in Log(run.save()).sample("t1")

    def test_answer_judged_incomplete_counts_zero(self, run: MadeRun) -> None:
        """An answer of which the grader says that it did not complete counts 0."""
        run.graded("t1", None)
        evaluation = run.artifacts.load_eval("t1")
        assert evaluation is not None
        status = {"status": EvalStatus.DID_NOT_COMPLETE}
        run.artifacts.save_eval("t1", evaluation.model_copy(update=status))

        score = score_of(Log(run.save()).sample("t1"))

        assert (score["value"], score["explanation"]) == (0.0, "did not complete")


class TestOutcomes:
    def test_failed_generation_is_an_error(self, log: Log) -> None:
        """A failed generation is an error with its traceback, and has no score."""
        sample = log.sample("broken")

        assert "scores" not in sample
        assert sample["error"]["message"] == "ValueError: no luck again"
        assert "no luck again" in sample["error"]["traceback"]

    def test_earlier_attempts_are_retries(self, log: Log) -> None:
        """Earlier attempts are the errors that were retried, each with its own traceback."""
        (retry,) = log.sample("broken")["error_retries"]

        assert retry["message"] == retry["traceback"] == "ValueError: no luck"

    def test_attempt_that_is_torn_is_left_out(self, run: MadeRun) -> None:
        """An earlier attempt that can't be read is left out; the others keep their tracebacks."""
        for number, error in enumerate(("E: one", "E: two", "E: three"), start=1):
            run.failed("t1", error, attempts=number)
        run.tasks = ["t1"]
        (run.artifacts.task_dir("t1") / "attempts" / "1" / "generation.json").write_text("{")

        (retry,) = Log(run.save()).sample("t1")["error_retries"]
        assert retry["message"] == retry["traceback"] == "E: two"

    def test_task_out_of_time_ran_into_a_limit(self, run: MadeRun) -> None:
        """A task that ran out of time has the limit that it ran into, and counts 0."""
        run.ran_out("t1", error="no answer within 2.5 s; it waited in agent.py, line 3")
        run.ran_out("t2", duration=7.0)
        run.ran_out("t3", duration=7.0, error="no answer within ... s, says the agent")

        log = Log(run.save())

        limit = log.sample("t1")["limit"]
        assert (limit["type"], limit["limit"]) == ("time", 2.5)
        assert limit["reason"].startswith("no answer within 2.5 s")
        assert log.sample("t2")["limit"]["limit"] == log.sample("t3")["limit"]["limit"] == 7.0
        assert [score_of(sample)["value"] for sample in log.samples] == [0.0, 0.0, 0.0]
        assert not any("error" in sample for sample in log.samples)

    def test_task_out_of_turns_ran_into_a_limit(self, run: MadeRun) -> None:
        """A task that ran out of turns has their number as its limit."""
        run.ran_out("t1", "max_turns", total_turns=40)

        sample = Log(run.save()).sample("t1")

        assert sample["limit"] == {"type": "turn", "limit": 40.0, "reason": "ran out of turns"}
        assert sample["turn_count"] == 40

    def test_task_that_is_missing_has_no_sample(self, log: Log) -> None:
        """A task that is not generated yet has no sample."""
        assert {"missing", "killed"}.isdisjoint(sample["id"] for sample in log.samples)

    def test_coloured_text_has_no_codes_of_a_terminal(self, run: MadeRun) -> None:
        """The coloured form of a traceback does nothing to a terminal; the plain one is as is."""
        run.failed("t1", "ValueError: \x1b]0;title\x07\x1b[31mred")

        error = Log(run.save()).sample("t1")["error"]

        assert error["message"] == "ValueError: \x1b]0;title\x07\x1b[31mred"
        assert error["traceback_ansi"].strip() == "ValueError: red"

    def test_link_is_no_traceback(self, run: MadeRun, tmp_path: Path) -> None:
        """A link that an agent put in the place of the traceback is not followed."""
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "traceback.log").write_text("root:x")
        for task_id in ("t1", "t2"):
            run.failed(task_id, "ValueError: no")
        logs = [run.artifacts.agent_logs_dir(task_id) for task_id in run.tasks]
        for folder in logs:
            (folder / "traceback.log").unlink()
        (logs[0] / "traceback.log").symlink_to(elsewhere / "traceback.log")
        logs[1].rmdir()
        logs[1].symlink_to(elsewhere)

        errors = [sample["error"]["traceback"] for sample in Log(run.save()).samples]

        assert errors == ["ValueError: no"] * 2


class TestFigures:
    def test_tokens_are_counted_as_inspect_does(self, log: Log) -> None:
        """The output includes reasoning, and the input leaves out what a cache has."""
        sample = log.sample("right")

        assert sample["model_usage"] == {
            "none/m": {
                "input_tokens": 100,
                "output_tokens": 25,
                "total_tokens": 162,
                "input_tokens_cache_read": 30,
                "input_tokens_cache_write": 7,
                "reasoning_tokens": 5,
                "total_cost": 0.25,
            }
        }
        assert log.sample("wrong")["model_usage"] == {}

    def test_times_are_those_of_the_generation(self, log: Log) -> None:
        """The times are those of the generation."""
        sample = log.sample("wrong")

        assert sample["started_at"] == "2026-05-04T03:02:02+00:00"
        assert sample["completed_at"] == "2026-05-04T03:02:07+00:00"
        assert (sample["total_time"], sample["working_time"]) == (5.0, 5.0)

    def test_impossible_figures_are_left_out(self, run: MadeRun) -> None:
        """Figures that can't be are left out."""
        run.graded("t1", 1.0, usage=TokenUsage(input=-3), cost=-1.0, duration=-2.0, total_turns=-1)

        sample = Log(run.save()).sample("t1")

        assert sample["model_usage"] == {}
        assert sample.keys().isdisjoint({"total_time", "turn_count"})

    def test_artifact_is_the_answer(self, run: MadeRun) -> None:
        """A file that is the answer is named with its size, and recorded with its hash."""
        artifact = {"filename": "fix.patch", "size": 3, "sha256": "a" * 64}
        run.graded("t1", 1.0, answer="", artifact=artifact)

        sample = Log(run.save()).sample("t1")

        assert score_of(sample)["answer"] == "fix.patch, 3 bytes"
        assert sample["output"]["completion"] == "fix.patch, 3 bytes"
        assert sample["metadata"]["artifact"] == artifact
        assert sample["metadata"]["run_dir"] == str(run.artifacts.run_dir)

    def test_metadata_has_what_has_no_place_elsewhere(self, run: MadeRun) -> None:
        """The metadata has the state, the failure, and what the author keeps of a generation."""
        run.failed("t1", "KeyError: 1", Phase.EVALUATE, stop_reason="length", metadata={"a": [1]})

        assert Log(run.save()).sample("t1")["metadata"] == {
            "state": "failed in grading",
            "generation_status": "success",
            "eval_status": "error",
            "phase": "evaluate",
            "kind": "author_code",
            "attempts": 1,
            "stop_reason": "length",
            "generation": {"a": [1]},
        }

    def test_reference_is_never_there(self, log: Log) -> None:
        """The target of a sample stays empty."""
        assert {sample["target"] for sample in log.samples} == {""}
        assert {summary["target"] for summary in log["summaries"]} == {""}


class TestSummary:
    def test_it_has_what_a_list_shows(self, log: Log) -> None:
        """A summary has the score, the error, the limit and the retries of its sample."""
        by_id = {(each["id"], each["epoch"]): each for each in log["summaries"]}
        broken, slow, right = (by_id[name, 1] for name in ("broken", "slow", "right"))

        assert (broken["error"], broken["retries"]) == ("ValueError: no luck again", 1)
        assert (slow["limit"], slow["limit_reason"]) == ("time", "ran out of time")
        assert right["scores"]["evaluation"]["value"] == 1.0
        assert right["uuid"] == log.sample("right")["uuid"]
        assert right["message_count"] == len(log.sample("right")["messages"])
        assert all(each["completed"] for each in by_id.values())

    def test_long_texts_are_cut(self, run: MadeRun) -> None:
        """Long texts are cut in a summary, and large values left out; the sample has them."""
        result = {"score": 1.0, "log": "x" * 5000}
        run.graded("t1", result, question="q" * 5000, answer="a" * 5000)

        log = Log(run.save())
        (summary,) = log["summaries"]

        assert len(summary["input"]) < 1100
        assert len(summary["scores"]["evaluation"]["answer"]) < 1100
        assert "removed" in summary["scores"]["evaluation"]["metadata"]["result"]
        assert log.sample("t1")["input"] == "q" * 5000
        assert score_of(log.sample("t1"))["metadata"]["result"] == result
