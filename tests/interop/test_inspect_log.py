"""The log of a run, read by Inspect itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.agent import HOSTILE, PLANTED_KEY, TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.interop.conftest import Runs
    from tests.interop.releases import Release

Sample = dict[str, Any]
#: Scores and their errors are equal to this.
CLOSE = 1e-9
TURNS = ("system", "user", "assistant", "tool", "tool", "assistant")


def first_of_each(found: Mapping[str, Any]) -> dict[str, Sample]:
    """Return the samples of the first epoch by their ids."""
    return {sample["id"]: sample for sample in found["samples"] if sample["epoch"] == 1}


@pytest.fixture(scope="session")
def logs(runs: Runs, inspect: Release) -> dict[str, Any]:
    """What a release reads from the logs, by the ids of their runs."""
    ids = ("outcomes", "complete", "unscored")
    return dict(zip(ids, inspect.read("log", *map(runs.log, ids)), strict=True))


@pytest.fixture(scope="session")
def outcomes(logs: dict[str, Any]) -> dict[str, Sample]:
    """The first repeat of each task of a run with every outcome."""
    return first_of_each(logs["outcomes"])


class TestTheSamples:
    def test_each_generation_is_a_sample(self, logs: dict[str, Any]) -> None:
        """Each generated repeat of a task is a sample, and an epoch of it."""
        found = logs["outcomes"]

        generated = [task["id"] for task in TASKS if task["id"] != "missing"]
        samples = {(sample["id"], sample["epoch"]) for sample in found["samples"]}
        assert samples == {(task_id, epoch) for task_id in generated for epoch in (1, 2)}
        assert {(task_id, epoch) for task_id, epoch, *_ in found["summaries"]} == samples

    def test_scores_are_ours(self, outcomes: dict[str, Sample]) -> None:
        """A task has the score that it has with us, and what ran out of time or turns has 0."""
        scored = {name: each for name, each in outcomes.items() if each["scores"]}
        scores = {name: each["scores"]["evaluation"]["value"] for name, each in scored.items()}

        assert math.isnan(scores.pop("unfair"))
        assert scores == {
            "right": 1, "wrong": 0, "half": 0.5, "flaky": 1, "silent": 1, "delegating": 1,
            "b c?#&%2f": 1, "leaking": 0, "slow": 0, "chatty": 0, "mended": 1,
        }  # fmt: skip

    def test_errors_and_limits(self, outcomes: dict[str, Sample]) -> None:
        """A generation that failed is an error, and what ran out of time or turns a limit."""
        errors = {name: each["error"] for name, each in outcomes.items() if each["error"]}
        limits = {name: each["limit"] for name, each in outcomes.items() if each["limit"]}

        assert errors == {"broken": "ValueError: no luck"}
        assert "raise ValueError(rest)" in outcomes["broken"]["traceback"]
        assert limits == {"slow": ["time", 0.3], "chatty": ["turn", 2]}

    def test_ungraded_is_unscored(self, outcomes: dict[str, Sample]) -> None:
        """An evaluation that failed is a score without a value, with the reason."""
        score = outcomes["unfair"]["scores"]["evaluation"]

        assert score["reason"] == "grader_failed"
        assert "no such rubric" in score["explanation"]
        assert outcomes["unfair"]["error"] is None

    def test_earlier_attempts_are_retries(self, outcomes: dict[str, Sample]) -> None:
        """An earlier attempt is an error that was retried."""
        retried = {name: each["retries"] for name, each in outcomes.items() if each["retries"]}

        assert retried == {"mended": ["RuntimeError: the first attempt fails"]}
        assert {"attempt": 1, "error": retried["mended"][0]} in outcomes["mended"]["notes"]

    def test_tokens_and_costs(self, outcomes: dict[str, Sample]) -> None:
        """Tokens are counted as Inspect does: the input without the cache, all of the output."""
        (usage,) = outcomes["right"]["usage"].values()

        known = ("input_tokens", "output_tokens", "total_tokens", "reasoning_tokens", "total_cost")
        assert [usage[name] for name in known] == [1000, 100, 1310, 60, 0.0123]
        cached = ("input_tokens_cache_read", "input_tokens_cache_write")
        assert [usage[name] for name in cached] == [200, 10]
        assert outcomes["right"]["turns"] == 2

    def test_no_reference_answer(self, outcomes: dict[str, Sample]) -> None:
        """The reference answer is in no sample."""
        assert {each["target"] for each in outcomes.values()} == {""}


class TestTheConversation:
    def test_messages(self, outcomes: dict[str, Sample]) -> None:
        """The steps of a trajectory are the messages, and an image is named."""
        sample = outcomes["right"]

        assert (*sample["roles"],) == TURNS
        assert sample["texts"][1] == "say yes\n[image: 1.png]"
        assert sample["texts"][3:] == ["Heron's formula", "ValueError: math domain error", "yes"]
        assert sample["errors"] == ["ValueError: math domain error"]
        assert sample["completion"] == "yes"

    def test_question_and_answer_without_one(self, outcomes: dict[str, Sample]) -> None:
        """Without a trajectory the question and the answer are the messages."""
        sample = outcomes["silent"]

        assert sample["roles"] == ["user", "assistant"]
        assert sample["texts"] == ["silent yes", "yes"]
        assert sample["notes"][0]["note"] == "The agent recorded no trajectory."

    def test_events(self, outcomes: dict[str, Sample]) -> None:
        """A turn is a call of the model, which has seen what came before, and has its tools."""
        sample = outcomes["right"]

        assert sample["inputs"] == [2, 5]
        assert sample["outputs"] == ["I look it up, and compute it.", "yes"]
        assert sample["calls"] == [
            ["search", "Heron's formula", None, None],
            ["run_python", *["ValueError: math domain error"] * 2, None],
        ]
        events = sample["events"]
        assert (events["sample_init"], events["model"], events["tool"], events["score"]) == (
            1, 2, 2, 1,
        )  # fmt: skip
        assert events["span_begin"] == events["span_end"]

    @pytest.mark.parametrize(("task", "event"), [("slow", "sample_limit"), ("broken", "error")])
    def test_end_is_an_event(self, outcomes: dict[str, Sample], task: str, event: str) -> None:
        """The limit or the error that ended a generation is an event of it."""
        assert outcomes[task]["events"][event] == 1

    def test_subagents_are_agents(self, outcomes: dict[str, Sample]) -> None:
        """Subagents are agents in the timeline, within the call that started them."""
        sample = outcomes["delegating"]

        assert sample["agents"] == ["deepest", "finder", "helper", "main"]
        assert sample["calls"] == [["delegate", "Both have answered.", None, "finder"]]


class TestTheResults:
    @pytest.mark.parametrize("run_id", ["complete", "outcomes"])
    def test_score_and_error_are_ours(self, runs: Runs, logs: dict[str, Any], run_id: str) -> None:
        """The mean and its standard error are those that ``status`` shows."""
        header, whole = logs[run_id]["results"]
        status = runs.status(run_id)

        assert header == whole
        (score,) = whole["scores"]
        metrics = {name: each["value"] for name, each in score["metrics"].items()}
        assert metrics["mean"] == pytest.approx(status["mean"], abs=CLOSE)
        assert metrics["stderr"] == pytest.approx(status["stderr"], abs=CLOSE)

    def test_states(self, logs: dict[str, Any]) -> None:
        """A run that is done is a success; one in which tasks failed is an error."""
        states = {name: logs[name]["status"] for name in ("complete", "outcomes")}

        assert states == {"complete": ["success"] * 2, "outcomes": ["error"] * 2}

    def test_no_mean_without_all_scores(self, runs: Runs, logs: dict[str, Any]) -> None:
        """A log has no mean where a result is no score, but the final score of the service."""
        found = logs["unscored"]

        assert runs.status("unscored")["mean"] is None
        assert found["results"][0]["scores"][0]["metrics"].keys() == {"final_score"}
        assert first_of_each(found)["odd"]["scores"]["evaluation"]["reason"] == "scoring_failed"

    def test_task_scores_are_reductions(self, logs: dict[str, Any]) -> None:
        """The score of a task is its reduction over the epochs."""
        (reduction,) = logs["complete"]["reductions"]

        scores = {each["sample_id"]: each["value"] for each in reduction["samples"]}
        assert (scores["flaky"], scores["half"], scores["slow"]) == (0.5, 0.5, 0)


class TestItsTools:
    def test_data_frames(self, runs: Runs, inspect: Release) -> None:
        """Its data frames have the run, each sample, each message and each event."""
        frames = inspect.read("frames", runs.log("complete"))

        (evaluation,) = frames["evals"]
        mean = evaluation["score_headline_value"]
        assert mean == pytest.approx(runs.status("complete")["mean"], abs=CLOSE)
        assert len(frames["samples"]) == 18
        assert {sample["score_evaluation"] for sample in frames["samples"]} == {0, 0.5, 1}
        assert len({message["message_id"] for message in frames["messages"]}) == len(
            frames["messages"]
        )
        assert len({event["event_id"] for event in frames["events"]}) == len(frames["events"])

    def test_scored_again(self, runs: Runs, inspect: Release, tmp_path: Path) -> None:
        """A scorer that ``inspect score`` adds leaves our score as it was."""
        file = tmp_path / "scored.eval"
        args = ("--scorer", "includes", "--action", "append", "--output-file", file)

        inspect.command("score", runs.log("complete"), *args, cwd=tmp_path)

        (scored,) = inspect.read("log", file)
        ours, added = scored["results"][1]["scores"]
        status = runs.status("complete")
        assert ours["metrics"]["mean"]["value"] == pytest.approx(status["mean"], abs=CLOSE)
        assert ours["metrics"]["stderr"]["value"] == pytest.approx(status["stderr"], abs=CLOSE)
        assert (added["name"], added["scored_samples"]) == ("includes", 9)


class TestTexts:
    def test_no_key_in_a_log(self, outcomes: dict[str, Sample]) -> None:
        """A key that an agent said is masked."""
        assert outcomes["leaking"]["completion"] == "***"
        assert PLANTED_KEY not in str(outcomes)

    def test_hostile_texts_stay_texts(self, outcomes: dict[str, Sample]) -> None:
        """A text is what it was, whatever it looks like."""
        sample = outcomes["b c?#&%2f"]

        assert sample["completion"] == sample["texts"][-1] == sample["outputs"][-1] == HOSTILE
