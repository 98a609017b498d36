"""The recorder of a trajectory, for an author's agent.

The file is valid JSON after each call. What is written stays as it is, but for the brackets that
end the file, and the totals before them: a kill in the middle of a write can't spoil more.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from uuid import uuid4

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from benchmark_runner._json import valid_text
from benchmark_runner._redaction import Redactor
from benchmark_runner.base.current_generation import current_generation
from benchmark_runner.errors import describe
from benchmark_runner.trajectory.atif import (
    Agent,
    Content,
    FinalMetrics,
    Metrics,
    ObservationResult,
    Step,
    ToolCall,
    Trajectory,
    add_to_totals,
)
from benchmark_runner.trajectory.growing_file import GrowingFile, new_trajectory_file
from benchmark_runner.trajectory.valid import valid_content

__all__ = ["Recorder", "record"]

_CONTENT: TypeAdapter[Content | None] = TypeAdapter(Content | None)
_TOOLS = TypeAdapter(list[dict[str, JsonValue]])
_ENDS_STEP, _ENDS_RESULTS = b"}", b"]}}"


@contextmanager
def record(
    log_dir: Path | None,
    *,
    name: str = "agent",
    version: str = "unknown",
    model: str | None = None,
    tools: Sequence[Mapping[str, object]] = (),
) -> Generator[Recorder]:
    """Record what an agent does in ``trajectory.json``, which grows with each call.

    An exception that leaves the block is recorded, and raised on. A folder may hold one
    trajectory: a second one goes into a folder ``2`` of its own below it, and so on.

    Args:
        log_dir: The folder that ``generate()`` got; with ``None`` nothing is recorded.
        name: The name of the agent.
        version: Its version.
        model: The name of its model.
        tools: The definitions of its tools, in the form that they are given to the model.
    """
    agent = Agent(name=name, version=version, model_name=model)
    agent.tool_definitions = _TOOLS.validate_python([*tools]) or None
    recorder = Recorder(log_dir, agent)
    try:
        yield recorder
    except BaseException as error:
        recorder.system(f"Error: {describe(error)}", extra={"error_type": type(error).__name__})
        raise
    finally:
        recorder.close()


class Recorder:
    """A trajectory that is written as it grows; made by :func:`record`.

    Its methods may be called from any thread, and raise nothing if the disk refuses: ``problem``
    is then the reason, and the rest is not recorded.
    """

    def __init__(self, log_dir: Path | None, agent: Agent) -> None:
        self.problem: OSError | None = None
        self._folder = log_dir
        self._agent = agent
        self._file: GrowingFile | None = None
        self._lock = RLock()
        self._ends = b""
        self._calls: frozenset[str] = frozenset()
        self._totals = FinalMetrics(total_steps=0)
        current = current_generation()
        self._redactor = current.redactor or Redactor()
        self._durable = current.durable
        self._about: dict[str, JsonValue] = {
            "task_id": current.task_id,
            "repeat": current.repeat,
            "attempt": current.attempt,
        }

    def system(self, message: Content, *, extra: Mapping[str, JsonValue] | None = None) -> None:
        """Record a message of the system, such as its prompt."""
        self._step(Step(source="system", message=_content(message) or "", extra=_copy(extra)))

    def user(self, message: Content, *, extra: Mapping[str, JsonValue] | None = None) -> None:
        """Record a message to the agent, such as the question."""
        self._step(Step(source="user", message=_content(message) or "", extra=_copy(extra)))

    def agent(
        self,
        message: Content | None = "",
        *,
        reasoning: str | None = None,
        tool_calls: Sequence[ToolCall] = (),
        metrics: Metrics | None = None,
        model: str | None = None,
        extra: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Record a turn of the agent: one answer of its model.

        Args:
            message: The text of the answer.
            reasoning: What the model thought before it.
            tool_calls: The calls that it asks for; each result is an :meth:`observation`.
            metrics: The tokens and the cost of the turn.
            model: The name of the model, if it is another than the agent's.
            extra: Anything else about the turn.
        """
        step = Step(
            source="agent",
            message=_content(message) or "",
            reasoning_content=reasoning or None,
            tool_calls=[*tool_calls] or None,
            metrics=metrics,
            model_name=model,
            extra=_copy(extra),
        )
        with self._lock:
            if metrics is not None:
                add_to_totals(self._totals, metrics)
            self._step(step)
            self._calls = frozenset(call.tool_call_id for call in tool_calls)
            self._ends = _ENDS_STEP

    def observation(
        self,
        content: Content | None,
        *,
        call_id: str | None = None,
        failed: bool = False,
        extra: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Record the result of a call, or what the agent saw.

        Args:
            content: The text, or the parts, of the result.
            call_id: The id of its call, which the last turn of the agent made.
            failed: Whether the call failed.
            extra: Anything else about the result.
        """
        about = {"is_error": True, **(extra or {})} if failed else _copy(extra)
        shown = valid_content(_content(content))
        result = ObservationResult(source_call_id=call_id, content=shown, extra=about)
        with self._lock:
            if not self._ends or (call_id is not None and call_id not in self._calls):
                # The format ties a result to a call of the same step.
                self._step(Step(source="system"))
                self._ends = _ENDS_STEP
            before = b',"observation":{"results":[' if self._ends == _ENDS_STEP else b","
            self._append(before + self._json(result), _ENDS_RESULTS)

    def close(self) -> None:
        """End the recording."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file, self._folder = None, None

    def _step(self, step: Step) -> None:
        with self._lock:
            if self._folder is None or self.problem is not None:
                return
            self._totals.total_steps = step.step_id = (self._totals.total_steps or 0) + 1
            step.message = valid_content(step.message) or ""
            step.timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
            data = self._json(step)
            before = self._head() if self._file is None else (self._ends or _ENDS_STEP) + b","
            self._append(before + data.removesuffix(b"}"), _ENDS_STEP)
            self._calls, self._ends = frozenset(), b""

    def _head(self) -> bytes:
        about = Trajectory(
            session_id=uuid4().hex,
            agent=self._agent,
            extra=self._about if self._about["task_id"] else None,
        )
        return self._json(about, leave_out={"steps"}).removesuffix(b"}") + b',"steps":['

    def _append(self, data: bytes, ends: bytes) -> None:
        if self._folder is None or self.problem is not None:
            return
        tail = ends + b'],"final_metrics":' + self._json(self._totals) + b"}\n"
        try:
            if self._file is None:
                self._file = new_trajectory_file(self._folder, durable=self._durable)
            self._file.append(data, tail)
        except OSError as error:
            self.problem = error
        self._ends = ends

    def _json(self, model: BaseModel, leave_out: set[str] | None = None) -> bytes:
        try:
            data = to_json(model, exclude_none=True, exclude=leave_out, inf_nan_mode="null")
        except PydanticSerializationError:  # half a surrogate pair, which can't be UTF-8
            content = model.model_dump(exclude_none=True, exclude=leave_out)
            data = valid_text(json.dumps(content, ensure_ascii=False, default=str)).encode()
        return self._redactor.clean_json(data).rstrip(b"\n")


def _content(content: Content | None) -> Content | None:
    """Return a message or a result; what is neither a text nor parts becomes its text."""
    try:
        return _CONTENT.validate_python(content)
    except ValidationError:  # a log is no reason to lose an answer
        return str(content)


def _copy(extra: Mapping[str, JsonValue] | None) -> dict[str, JsonValue] | None:
    return None if extra is None else dict(extra)
