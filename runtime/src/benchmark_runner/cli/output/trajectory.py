"""The output of ``show --trajectory``: what an agent did, step by step, as text and as JSON.

Lines of ours begin at the left or after two spaces, texts of others after four, so that no text
looks like a step. Their lines are left as they are: they can be searched, and copied whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from textwrap import indent
from typing import Self

from pydantic import JsonValue

from benchmark_runner._spend import known_amount
from benchmark_runner._text import dollars, duration, in_one_line, json_text
from benchmark_runner.cli.output.trajectory_digest import (
    agent_text,
    digest_as_json,
    digest_lines,
    safe,
    short_name,
)
from benchmark_runner.cli.shell import short_path
from benchmark_runner.results.phrases import token_text
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.trajectories import TaskTrajectories
from benchmark_runner.schemas import TaskRepeat
from benchmark_runner.trajectory import (
    ObservationResult,
    Step,
    Trajectory,
    failed,
    text_of,
    time_of,
)

_TEXT = "    "
#: Characters of a tool's name: as many as providers allow, so that it can be searched.
_TOOL_NAME = 128
#: Trajectories within trajectories are shown down to here; a hostile file may hold more.
_DEPTH = 20
_REFERENCES = ("trajectory_path", "trajectory_id", "session_id")
_EXIT_CODES = ("exit_code", "returncode", "return_code")


def trajectory_lines(
    view: RunView, key: TaskRepeat, attempt: int | None, found: TaskTrajectories
) -> Iterator[str]:
    """Yield the trajectories of an attempt; each text of others is one item of many lines."""
    repeat = f", repeat {key.repeat}" if view.config.repeats > 1 else ""
    which = "" if attempt is None else f", attempt {attempt}"
    yield f"Trajectory of task {key.task_id} of run {view.run_id}{repeat}{which}"
    yield from digest_lines(found)
    for path, trajectory in found.read:
        if len(found.read) > 1:
            yield ""
            yield f"File {in_one_line(short_path(path))}: {agent_text(trajectory.agent)}"
        yield from _whole(trajectory)


def trajectory_as_json(
    view: RunView, key: TaskRepeat, attempt: int | None, found: TaskTrajectories
) -> dict[str, object]:
    """Return the trajectories of an attempt, with their digest, for ``--json``."""
    return {
        "run_id": view.run_id,
        "results_dir": str(view.artifacts.results_dir),
        "task_id": key.task_id,
        "repeat": key.repeat,
        "attempt": attempt,
        "trajectory": digest_as_json(found),
        "trajectories": [
            {
                "file": str(path),
                "is_cut": trajectory.is_cut,
                **trajectory.model_dump(mode="json", exclude_none=True),
            }
            for path, trajectory in found.read
        ],
    }


def _whole(trajectory: Trajectory) -> Iterator[str]:
    if trajectory.notes:
        yield ""
        yield "Notes"
        yield _text(trajectory.notes)
    start = next((time for step in trajectory.steps if (time := time_of(step))), None)
    yield from _Steps(start).of(trajectory)
    if trajectory.is_cut:
        yield ""
        yield "The file is cut short: what came after was not written, or can't be read."


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of a trajectory and of its subagents, with their times since ``start``."""

    start: datetime | None

    def of(self, trajectory: Trajectory, prefix: str = "", depth: int = _DEPTH) -> Iterator[str]:
        """Yield the steps, those of a subagent after the step that refers to it."""
        left, calls = [*(trajectory.subagent_trajectories or ())], _Calls.of(trajectory)
        folder = trajectory.files[0].parent if trajectory.files else Path()
        for place, step in enumerate(trajectory.steps, start=1):
            number = f"{prefix}{step.step_id or place}"
            called, elsewhere = _subagents(step, left, folder)
            left = [each for each in left if not any(each is other for other in called)]
            yield ""
            yield from self._step(number, step)
            yield from calls.lines(step)
            yield from (f"  subagent in a file of its own: {name}" for name in elsewhere)
            for count, below in enumerate(called, start=1):
                yield from self._below(below, f"{number}/{count}.", f" of step {number}", depth)
        for count, below in enumerate(left, start=1):
            yield from self._below(below, f"{prefix}/{count}.", "", depth)

    def _below(self, below: Trajectory, prefix: str, of: str, depth: int) -> Iterator[str]:
        yield ""
        yield f"Subagent{of}: {agent_text(below.agent)}"
        yield from (f"  file {in_one_line(short_path(path))}" for path in below.files[:1])
        if depth:
            yield from self.of(below, prefix, depth - 1)
        else:
            yield "  not shown: too many subagents within subagents"

    def _step(self, number: str, step: Step) -> Iterator[str]:
        copied = "copied from an earlier trajectory" if step.is_copied_context else ""
        names = short_name(step.source), self._since_start(step), short_name(step.model_name or "")
        yield "  ".join(filter(None, (f"Step {number}", *names, copied)))
        if spent := _spent(step):
            yield f"  {spent}"
        yield from _labelled("reasoning", step.reasoning_content or "")
        yield from _labelled("message", text_of(step.message))

    def _since_start(self, step: Step) -> str:
        time = time_of(step)
        if time is None or self.start is None:
            return ""
        seconds = (time - self.start).total_seconds()
        return f"{'-' if seconds < 0 else '+'}{duration(abs(seconds))}"


@dataclass(frozen=True, slots=True)
class _Calls:
    """The calls of a trajectory, whose results may stand in a later step."""

    answered: frozenset[str | None]
    names: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, trajectory: Trajectory) -> Self:
        """Return the calls of these steps."""
        results = (result for step in trajectory.steps for result in step.results)
        return cls(frozenset(result.source_call_id for result in results))

    def lines(self, step: Step) -> Iterator[str]:
        """Yield the calls of a step, each before its results, then its other results."""
        results: dict[str | None, list[ObservationResult]] = {}
        for result in step.results:
            results.setdefault(result.source_call_id, []).append(result)
        for call in step.tool_calls or ():
            name = short_name(call.function_name, _TOOL_NAME) or "without a name"
            self.names[call.tool_call_id] = name
            yield f"  call {name}"
            if call.arguments:
                yield _text("\n".join(_named_lines(call.arguments)))
            for result in results.pop(call.tool_call_id, ()):
                yield from _result(f"result of {name}", result)
            if call.tool_call_id not in self.answered:
                yield f"  no result of {name}"
        for call_id, others in results.items():
            name = self.names.get(call_id or "")
            for result in others:
                yield from _result(f"result of {name}" if name else "observation", result)


def _result(label: str, result: ObservationResult) -> Iterator[str]:
    text = text_of(result.content)
    state = f"FAILED{_exit_code(result)}" if failed(result) else ""
    states = ", ".join(filter(None, [state, "" if text else "empty"]))
    yield f"  {label}{f': {states}' if states else ''}"
    if text:
        yield _text(text)


def _exit_code(result: ObservationResult) -> str:
    """Return the exit code of a command that failed, where it is known."""
    codes = ((result.extra or {}).get(name) for name in _EXIT_CODES)
    return next((f" (exit code {code})" for code in codes if isinstance(code, int)), "")


def _named_lines(items: Mapping[str, JsonValue]) -> Iterator[str]:
    for name, value in items.items():
        yield from _item_lines(f"{in_one_line(safe(name))}:", value)


def _item_lines(label: str, value: JsonValue) -> Iterator[str]:
    """Yield a value beside its label; below it, if it has several lines or items."""
    lines: list[str] = []
    match value:
        case str() if value:
            lines = safe(value).split("\n")  # before they are moved in
            if len(lines) == 1:
                yield f"{label} {lines[0]}"
                return
        case dict() if value:
            lines += _named_lines(value)
        case list() if value:
            lines += (line for item in value for line in _item_lines("-", item))
        case _:
            yield f"{label} {json_text(value)}"
            return
    yield label
    yield from (f"  {line}" if line else "" for line in lines)


def _subagents(
    step: Step, known: list[Trajectory], folder: Path
) -> tuple[list[Trajectory], list[str]]:
    """Return the subagents that a step refers to, and the names of those that are not known.

    Their files are named from ``folder``.
    """
    found: list[Trajectory] = []
    elsewhere: list[str] = []
    for result in step.results:
        refs = result.subagent_trajectory_ref
        for ref in refs if isinstance(refs, list) else [refs]:
            if not isinstance(ref, dict):
                continue
            ids = [ref[name] for name in _REFERENCES if isinstance(ref.get(name), str)]
            own = [each for each in known if _is_named(each, ids, folder)]
            found += (each for each in own if not any(each is other for other in found))
            if not own:
                elsewhere.append(in_one_line(safe(str(ids[0] if ids else "not named"))))
    return found, elsewhere


def _is_named(subagent: Trajectory, names: Sequence[JsonValue], folder: Path) -> bool:
    return (
        subagent.trajectory_id in names
        or subagent.session_id in names
        or any(path == folder / str(name) for path in subagent.files[:1] for name in names)
    )


def _spent(step: Step) -> str:
    if step.metrics is None:
        return ""
    tokens, cost = token_text(step.metrics.usage()), known_amount(step.metrics.cost_usd)
    parts = [f"tokens {tokens}" if tokens else "", "" if cost is None else dollars(cost)]
    return "; ".join(filter(None, parts))


def _labelled(label: str, text: str) -> Iterator[str]:
    if text:
        yield f"  {label}"
        yield _text(text)


def _text(text: str) -> str:
    """Return a text of others with its lines moved in."""
    return indent(safe(text), _TEXT)
