"""The log of a run in Inspect's viewer, in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chromium import MISSING, find_chromium, open_chromium
from tests.interop.viewer import Viewer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interop.conftest import Runs
    from tests.interop.releases import Release


pytestmark = pytest.mark.skipif(find_chromium() is None, reason=MISSING)


@pytest.fixture(scope="session")
def every_viewer(runs: Runs, newest: Release, pytestconfig: pytest.Config) -> Iterator[Viewer]:
    logs = [runs.log(name) for name in ("outcomes", "complete")]
    with serve(newest, logs[0].parent) as url, open_chromium() as browser:
        yield Viewer(url, browser, pytestconfig.getoption("--shots"))


@pytest.fixture
def viewer(every_viewer: Viewer) -> Iterator[Viewer]:
    """The viewer; at the end of a test no page has failed, or asked for what is elsewhere."""
    every_viewer.wrong.clear()
    yield every_viewer
    assert every_viewer.wrong == []


class TestTheLists:
    def test_list_of_runs(self, viewer: Viewer) -> None:
        """The list has each run, with its score, its samples, their limits and their tokens."""
        text = viewer.text(awaited="23,580", name="list")

        assert text.count("sample_runner/sample") >= 2
        assert {"0.556", "18", "time, turn"} <= {*text.split("\n")}

    def test_list_of_samples(self, viewer: Viewer) -> None:
        """The list of a run has each sample with its answer, score, error, limit and retries."""
        text = viewer.text("outcomes", awaited="26 / 28 samples", name="samples")

        lines = [line for line in text.splitlines() if line.strip()]
        assert "valueerror: no luck" in lines
        assert {"right", "delegating", "time", "turn", "0.5", "task failed"} <= {*lines}
        assert "2 of 26 samples (8%) had errors and were not scored." in text
        assert "4 of 26 samples (15%) completed due to exceeding a limit." in text

    def test_error_of_the_run(self, viewer: Viewer) -> None:
        """The error of a run says how many tasks failed, and of what."""
        text = viewer.text("outcomes", "/error", awaited="generation failed", name="error")

        assert "generation failed 2 times for 1 task: valueerror: no luck" in text
        assert "evaluation failed 2 times for 1 task: serviceunavailableerror" in text

    def test_facts_and_spending(self, viewer: Viewer) -> None:
        """The dataset, the settings, the tokens and the cost of a run are shown."""
        facts = viewer.text("complete", "/info", awaited="dataset", name="info")
        models = viewer.text("complete", "/models", awaited="cache read", name="models")

        assert "validation" not in facts
        assert "sample-model" in facts
        assert "$0." in models


class TestATranscript:
    def test_turns_and_calls(self, viewer: Viewer) -> None:
        """A transcript has the turns, with reasoning, calls of tools, results and failures."""
        text = viewer.sample("right", awaited="turn 2/2")

        for shown in (
            "model call: sample-model (1,310 tokens)", "you answer questions about triangles.",
            "[image: 1.png]", "reasoning", "so it has a right angle.", "tool: search",
            "heron's formula", "tool: run_python", "valueerror: math domain error", "as told",
        ):  # fmt: skip
            assert shown in text, shown

    def test_subagents(self, viewer: Viewer) -> None:
        """Subagents are shown at the call that started them."""
        text = viewer.sample("delegating", awaited="sub-agent: finder")

        assert "sub-agent: helper" in text
        assert "tool: delegate" in text

    def test_limit(self, viewer: Viewer) -> None:
        """The limit that ended a generation is shown after its last turn."""
        text = viewer.sample("slow", awaited="time limit exceeded")

        assert text.index("turn 1/1") < text.rindex("time limit exceeded")
        assert "no answer within 0.3 s" in text
        assert "limit: time" in text

    def test_error(self, viewer: Viewer) -> None:
        """The error that ended a generation is shown with its traceback."""
        transcript = viewer.sample("broken", awaited="model call")
        error = viewer.sample("broken", "error", awaited="sample error")

        assert "error: valueerror: no luck" in transcript
        assert "raise valueerror(rest)" in error

    def test_earlier_attempts(self, viewer: Viewer) -> None:
        """An earlier attempt is shown before the transcript, and with its traceback."""
        transcript = viewer.sample("mended", awaited="info: earlier attempt")
        retries = viewer.sample("mended", "retries", awaited="attempt 1")

        assert "runtimeerror: the first attempt fails" in transcript
        assert 'raise runtimeerror("the first attempt fails")' in retries

    def test_without_a_trajectory(self, viewer: Viewer) -> None:
        """A transcript is not empty where the agent recorded nothing."""
        text = viewer.sample("silent", awaited="info: generation")

        assert "the agent recorded no trajectory." in text


class TestASample:
    def test_messages(self, viewer: Viewer) -> None:
        """The messages are the conversation, each call with its result."""
        text = viewer.sample("right", "messages", awaited="heron's formula")

        found = [text.index(shown) for shown in ("system", "heron's formula", "math domain error")]
        assert found == sorted(found)

    def test_ungraded(self, viewer: Viewer) -> None:
        """An evaluation that failed has no score, but the reason."""
        text = viewer.sample("unfair", "scoring", awaited="grader_failed")

        assert "no such rubric" in text
        assert "nan" in text.split()

    def test_hostile_text(self, viewer: Viewer) -> None:
        """A hostile text is shown as a text."""
        text = viewer.sample("b c?#&%2f", awaited="turn 2/2")

        assert text.count("</script><img src=x onerror=alert(1)>") >= 3
