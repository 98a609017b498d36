"""The texts of a sample whose agent left trajectories, and what they say once put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark_runner._redaction import Redactor
from benchmark_runner.results.export.inspect_log.messages import SampleTexts
from benchmark_runner.results.trajectories import TaskTrajectories
from benchmark_runner.trajectory import find_trajectories, read_trajectories
from tests.unit.results.report.agents import put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Fields = dict[str, Any]

SECRET = "secret-of-the-test-12345"
CREATED = "2026-05-04T03:00:00+00:00"


class Texts:
    """The texts of a sample.

    Args:
        folder: A folder for the files of the trajectories.
        trajectories: The trajectories, as JSON.
        answer: The answer.
        sample: What else the sample has.
    """

    def __init__(
        self, folder: Path, *trajectories: Fields, answer: str = "6", **sample: Any
    ) -> None:
        logs = folder / "agent_logs"
        logs.mkdir(exist_ok=True)
        for number, content in enumerate(trajectories, start=1):
            put(logs, content, "trajectory.json" if number == 1 else f"{number}/trajectory.json")
        read = [*read_trajectories(logs)]
        paths = {path for _, each in read for path in each.files}
        unread = [path for path in find_trajectories(logs) if path not in paths]
        found = TaskTrajectories(read, unread)
        redactor = Redactor([SECRET])
        self.texts = SampleTexts(
            found, "What is the area?", answer, "m", redactor=redactor, uuid="u"
        )
        given = {"id": "t1", "input": "What is the area?", "target": "", **sample}
        made: Any = self.texts.events(given, CREATED)
        self.events: list[Fields] = made["events"]
        self.attachments: dict[str, str] = made["attachments"]
        self.pool: list[Fields] = made["events_data"]["messages"]

    @property
    def messages(self) -> list[Any]:
        return self.texts.messages

    @property
    def output(self) -> Any:
        return self.texts.output

    def of(self, kind: str) -> list[Fields]:
        """Return the events of a kind, with their long texts."""
        return [self.whole(event) for event in self.events if event["event"] == kind]

    def notes(self) -> list[Any]:
        return [event["data"] for event in self.of("info")]

    def input_of(self, event: Fields) -> list[Fields]:
        """Return the messages that a call of the model had as its input."""
        return [
            self.whole(self.pool[place])
            for start, end in event["input_refs"]
            for place in range(start, end)
        ]

    def whole(self, value: Any) -> Any:
        """Return a value with its long texts in the places of the references to them."""
        if isinstance(value, dict):
            return {name: self.whole(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.whole(each) for each in value]
        if isinstance(value, str):
            return self.attachments.get(value.removeprefix("attachment://"), value)
        return value

    def tree(self) -> list[str]:
        """Return the events in their order, each below the spans that it lies in."""
        return [*self._lines()]

    def _lines(self) -> Iterator[str]:
        depth = 0
        for event in self.events:
            if event["event"] == "span_end":
                depth -= 1
                continue
            name = event.get("name") or event.get("function") or ""
            yield f"{'  ' * depth}{event.get('type') or event['event']} {name}".rstrip()
            depth += event["event"] == "span_begin"
