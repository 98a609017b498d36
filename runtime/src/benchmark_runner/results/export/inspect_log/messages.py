"""The messages, the output and the events of a sample, from the trajectories of its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from pydantic import JsonValue

from benchmark_runner._redaction import Redactor
from benchmark_runner.results.export.inspect_log.agent_events import (
    MOST_STEPS,
    AgentEvents,
    name_of_file,
)
from benchmark_runner.results.export.inspect_log.conversation import (
    Conversation,
    Message,
    assistant_message,
    text_in,
)
from benchmark_runner.results.export.inspect_log.events import EventList
from benchmark_runner.results.export.inspect_log.texts import SampleTextLimit
from benchmark_runner.results.trajectories import TaskTrajectories

__all__ = ["SampleTexts"]

#: Files that are named because they could not be read.
_MOST_FILES = 100


class SampleTexts:
    """The messages, the output and the events of a sample.

    Args:
        trajectories: What its agent recorded, which may be nothing.
        question: The question of its task.
        answer: The answer; empty without one.
        model: The model of the run.
        redactor: Masks the secrets of texts that are cut.
        uuid: The id of the sample, with which those of its messages and events begin.
        usage: The tokens and the cost of the generation, as Inspect counts them.

    Attributes:
        messages: The conversation of the agent, or the question and the answer.
        output: The answer, as the output of the model.
    """

    messages: list[JsonValue]
    output: Message

    def __init__(
        self,
        trajectories: TaskTrajectories,
        question: str,
        answer: str,
        model: str,
        *,
        redactor: Redactor,
        uuid: str,
        usage: JsonValue = None,
    ) -> None:
        self._trajectories, self._answer, self._model = trajectories, answer, model
        self._uuid = uuid
        self._limit = SampleTextLimit(redactor)
        own = assistant_message(answer, model, uuid)
        last: Message | None = None
        self._first: Conversation | None = None
        if trajectories:
            first = trajectories.read[0][1]
            self._first = Conversation(first, model, self._limit, uuid, MOST_STEPS)
            self.messages = [*self._first.messages]
            last = self._first.last_message
        else:
            asked: Message = {"id": f"{uuid}-question", "role": "user", "content": question}
            self.messages = [asked | {"source": "input"}, *([own] if answer else [])]
        is_last = last is not None and text_in(last).strip() == answer.strip()
        self.output = _output(model, last if is_last else own if answer else None, usage)

    def events(self, sample: Mapping[str, JsonValue], created: str) -> dict[str, JsonValue]:
        """Return the keys of the sample that hold its events, and the texts that these refer to.

        Args:
            sample: What else the sample has: ``id``, ``input``, ``target``, ``started_at``,
                ``error``, ``error_retries``, ``limit``, ``scores``.
            created: The time of the events if the sample and its trajectories state none.
        """
        began = sample.get("started_at") or created
        events = EventList(self._uuid, str(began))
        with events.span("init", "init"):
            given = {name: sample.get(name) for name in ("id", "input", "target")}
            given["input"] = events.attached.attach_within(given["input"])
            events.add("sample_init", sample=given)
        with events.span("solvers", "solvers"):
            retries = sample.get("error_retries")
            for number, retry in enumerate(retries if isinstance(retries, list) else (), start=1):
                if isinstance(retry, dict):
                    about: Message = {"attempt": number, "error": retry.get("message")}
                    events.info("earlier attempt", about)
            self._add_trajectories(events, partial(_add_outcome, events, sample))
        _add_scores(events, sample)
        return {
            "events": events.all,
            "attachments": events.attached.texts,
            "events_data": {"messages": events.pool, "calls": []},
        }

    def _add_trajectories(self, events: EventList, add_outcome: Callable[[], None]) -> None:
        if unread := self._trajectories.unread:
            names: list[JsonValue] = [name_of_file(path) for path in unread[:_MOST_FILES]]
            events.info("trajectory", {"files": names, "note": "These are not shown."})
        read = self._trajectories.read
        if not read:
            about: Message = {"answer": self._answer} if self._answer else {}
            events.info("generation", about | {"note": "The agent recorded no trajectory."})
            add_outcome()
        agents = AgentEvents(events, self._limit, self._model, self._uuid)
        for number, (path, trajectory) in enumerate(read, start=1):
            first = self._first if number == 1 else None
            # Within the last agent, as Inspect shows what stands beside one before it.
            agents.add(trajectory, path, first, then=add_outcome if number == len(read) else None)
        if self._limit.has_cut:
            note = "Texts are cut here, as there are too many; the file has them whole."
            events.info("trajectory", {"note": note})


def _add_outcome(events: EventList, sample: Mapping[str, JsonValue]) -> None:
    """Add the limit or the error that ended the sample."""
    if ended := sample.get("completed_at"):
        events.at_text(str(ended))
    limit, error = sample.get("limit"), sample.get("error")
    if isinstance(limit, dict):
        reason = str(limit.get("reason") or "The agent ran into a limit.")
        events.add("sample_limit", type=limit["type"], limit=limit["limit"], message=reason)
    if isinstance(error, dict):
        events.add("error", error=error)


def _add_scores(events: EventList, sample: Mapping[str, JsonValue]) -> None:
    scores = sample.get("scores")
    if isinstance(scores, dict) and scores:
        with events.span("scorers", "scorers"):
            for name, score in scores.items():
                with events.span("scorer", name):
                    events.add("score", score=score, target=sample.get("target"), scorer=name)


def _output(model: str, message: Message | None, usage: JsonValue) -> Message:
    """Return the output with a message, or with none."""
    if message is None:
        return {"model": model, "choices": [], "completion": ""}
    choice: JsonValue = {"message": message, "stop_reason": "stop"}
    output: Message = {"model": model, "choices": [choice], "completion": text_in(message)}
    return output | ({"usage": usage} if usage else {})
