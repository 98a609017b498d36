"""The transcripts of a task as data of a page: safe, cut to a size, and packed.

The page's script shows them. They are lists of sections: a section is the trajectory of an agent,
of one of its subagents, or of an earlier attempt.
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from posixpath import normpath, relpath
from typing import NamedTuple

from pydantic import JsonValue

from benchmark_runner._spend import known_amount
from benchmark_runner._text import dollars, duration
from benchmark_runner.results import phrases
from benchmark_runner.results.report.safe_text import SafeText
from benchmark_runner.trajectory import (
    ObservationResult,
    Step,
    ToolCall,
    Trajectory,
    failed,
    text_of,
    time_of,
)

__all__ = ["PackedTranscript", "Transcript"]

#: Characters that all texts may have; of one, at most, and at least if there are more.
_ALL_TEXTS, _LONGEST, _SHORTEST = 3_000_000, 20_000, 500
_NAME = 120
#: Characters of JSON that stand in one line.
_LINE = 80
#: A hostile file may hold any number of them.
_MOST_STEPS, _MOST_SECTIONS, _MOST_PARTS = 20_000, 200, 1000
#: Characters of a hash that tell one transcript from another.
_KEY = 16


class PackedTranscript(NamedTuple):
    """The transcripts of a task in base64, with a ``key`` that no other content has."""

    key: str
    data: str


class Transcript:
    """The transcripts of one repeat of a task, added trajectory by trajectory."""

    def __init__(self, texts: SafeText) -> None:
        self._texts = texts
        self._sections: list[JsonValue] = []
        self._shown = 0
        self._steps = 0
        #: The tools of the calls so far, by their ids: a result may come in a later step.
        self._names: dict[str, str] = {}

    def add(self, trajectory: Trajectory, title: str, path: str, whole: str) -> None:
        """Add a trajectory, followed by those of its subagents.

        Args:
            trajectory: The trajectory.
            title: Words before the agent's name, such as ``Attempt 1``; empty for the agent.
            path: The file, as other trajectories refer to it.
            whole: The file, as people find it.
        """
        waiting = [(trajectory, title, path, whole)]
        while waiting and len(self._sections) < _MOST_SECTIONS:
            each, of, name, file = waiting.pop(0)
            self._sections.append(self._section(each, of, name, file))
            for sub in each.subagent_trajectories or ():
                own = _file_of(sub, each)
                place = normpath(f"{file}/../{own}") if own else file
                waiting.append((sub, f"{title} Subagent".strip(), own, place))

    def pack(self) -> PackedTranscript:
        """Return all of it."""
        content = json.dumps(self._sections, ensure_ascii=False, separators=(",", ":")).encode()
        # Without a time, so that the same trajectories make the same file.
        packed = b64encode(gzip.compress(content, 6, mtime=0)).decode()
        return PackedTranscript(sha256(content).hexdigest()[:_KEY], packed)

    def _section(self, trajectory: Trajectory, title: str, path: str, whole: str) -> JsonValue:
        line, agent = self._texts.line, trajectory.agent
        name = " ".join(filter(None, [agent.name, agent.version])) or "agent"
        names = (trajectory.trajectory_id, trajectory.session_id, path)
        notes = ["Not all of it can be read."] if trajectory.is_cut else []
        facts = {
            "Model": agent.model_name,
            "Format": trajectory.schema_version,
            "Began": phrases.moment_text(began) if (began := _began(trajectory)) else None,
            "Notes": trajectory.notes,
        }
        return {
            "title": line(f"{title}: {name}" if title else name, _NAME),
            "names": [line(each, _NAME) for each in names if each],
            "facts": [[key, line(fact, _SHORTEST)] for key, fact in facts.items() if fact],
            "notes": [*notes],
            "whole": self._texts.shown(whole),
            "steps": [*self._steps_of(trajectory)],
        }

    def _steps_of(self, trajectory: Trajectory) -> Iterator[JsonValue]:
        steps = trajectory.steps
        began = _began(trajectory)
        self._names = {}
        most = max(_MOST_STEPS - self._steps, 2)
        self._steps += len(steps)
        left_out = len(steps) - most
        head = len(steps) if left_out <= 0 else most // 2
        for place, step in enumerate(steps[:head], 1):
            yield self._step(step, place, began)
        if left_out > 0:
            yield {"gap": left_out}
            for place, step in enumerate(steps[head + left_out :], head + left_out + 1):
                yield self._step(step, place, began)

    def _step(self, step: Step, place: int, began: datetime | None) -> JsonValue:
        parts: list[JsonValue] = []
        if message := text_of(step.message):
            parts.append({"kind": "message", "text": self._cut(message)})
        if step.reasoning_content:
            parts.append({"kind": "reasoning", "text": self._cut(step.reasoning_content)})
        results = [*step.results[:_MOST_PARTS]]
        for call in (step.tool_calls or ())[:_MOST_PARTS]:
            own = [each for each in results if _is_of(each, call)]
            results = [each for each in results if not _is_of(each, call)]
            parts.append(self._call(call, own))
            self._names[call.tool_call_id] = self._name_of(call)
        parts += [
            {"kind": "result", "name": self._names.get(of.source_call_id or ""), **self._result(of)}
            for of in results
        ]
        return {
            "number": f"{step.step_id or place:,}",
            "source": self._texts.line(step.source, _NAME),
            "facts": [*self._facts(step, began)],
            "parts": parts,
        }

    def _facts(self, step: Step, began: datetime | None) -> Iterator[str]:
        """Yield the words of a step's heading: its time since the first one, its model, its use."""
        if step.is_copied_context:
            yield "copied from an earlier trajectory"
        time = time_of(step)
        if time is not None and began is not None:
            seconds = (time - began).total_seconds()
            yield f"{'-' if seconds < 0 else '+'}{duration(abs(seconds))}"
        if step.model_name:
            yield self._texts.line(step.model_name, _NAME)
        if step.metrics is not None:
            yield from filter(None, [phrases.token_text(step.metrics.usage())])
            if (cost := known_amount(step.metrics.cost_usd)) is not None:
                yield dollars(cost)

    def _call(self, call: ToolCall, results: Sequence[ObservationResult]) -> JsonValue:
        arguments = [*call.arguments.items()][:_MOST_PARTS]
        return {
            "kind": "call",
            "name": self._name_of(call),
            "failed": any(map(failed, results)),
            "arguments": [
                [self._texts.line(name, _NAME), self._cut(_argument_text(value))]
                for name, value in arguments
            ],
            "results": [self._result(each) for each in results],
        }

    def _name_of(self, call: ToolCall) -> str:
        return self._texts.line(call.function_name, _NAME) or "(no name)"

    def _result(self, result: ObservationResult) -> dict[str, JsonValue]:
        return {
            "failed": failed(result),
            "text": self._cut(text_of(result.content)),
            "subagents": [self._texts.line(name, _NAME) for name in _subagents_of(result)],
        }

    def _cut(self, text: str) -> JsonValue:
        cut = self._texts.cut(text, _LONGEST if self._shown < _ALL_TEXTS else _SHORTEST)
        self._shown += len(cut.head) + len(cut.tail)
        return [*cut] if cut.left_out else [cut.head]


def _file_of(below: Trajectory, above: Trajectory) -> str:
    """Return the file of a subagent as the other one refers to it; empty if it is in the same."""
    if not below.files or not above.files:
        return ""
    return relpath(below.files[0], above.files[0].parent)


def _began(trajectory: Trajectory) -> datetime | None:
    times = (time_of(step) for step in trajectory.steps)
    return next((time for time in times if time is not None), None)


def _is_of(result: ObservationResult, call: ToolCall) -> bool:
    return bool(call.tool_call_id) and result.source_call_id == call.tool_call_id


def _argument_text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    line = json.dumps(value, ensure_ascii=False)
    return line if len(line) <= _LINE else json.dumps(value, indent=2, ensure_ascii=False)


def _subagents_of(result: ObservationResult) -> Iterator[str]:
    """Yield the names by which a result refers to trajectories of subagents."""
    found = result.subagent_trajectory_ref
    for each in (found if isinstance(found, list) else [found])[:_MOST_PARTS]:
        if isinstance(each, dict):
            names = (each.get(key) for key in ("trajectory_id", "session_id", "trajectory_path"))
            yield next((name for name in names if isinstance(name, str) and name), "")
        elif isinstance(each, str):
            yield each
