"""The demands of the ATIF format, and trajectories that are made to meet them."""

from __future__ import annotations

from collections.abc import Iterator
from mimetypes import guess_type

from pydantic import JsonValue
from pydantic_core import to_json

from benchmark_runner.trajectory.atif import (
    ATIF_VERSION,
    Content,
    ContentPart,
    ObservationResult,
    Step,
    Trajectory,
    text_of,
)
from benchmark_runner.trajectory.digests import time_of

__all__ = ["dump_trajectory"]

_SOURCES = frozenset({"system", "user", "agent"})
#: The keys that only a step of the agent has.
_OF_AGENT = ("model_name", "reasoning_effort", "reasoning_content", "tool_calls", "metrics")
_MEDIA_TYPES = {
    "image": frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
    "audio": frozenset(
        f"audio/{name}" for name in ("wav", "mpeg", "mp4", "aac", "ogg", "flac", "webm", "aiff")
    ),
}
#: Other names, which the format takes, too.
_ALIASES = {"audio/mp3": "audio/mpeg", "audio/x-wav": "audio/wav", "image/jpg": "image/jpeg"}
_KEYS_OF_REF = frozenset({"trajectory_id", "trajectory_path", "session_id", "extra"})


def dump_trajectory(trajectory: Trajectory) -> str:
    """Return the JSON text of a trajectory, valid by ATIF v1.8.

    One that was read may be of an older version, cut short, joined of several files, or not valid:
    its steps are numbered from 1, and keys with values that the format refuses are left out.
    """
    return to_json(_valid(trajectory), exclude_none=True, inf_nan_mode="null").decode()


def valid_content(content: Content | None) -> Content | None:
    """Return a message or a result as the format has it: other parts become texts."""
    if content is None or isinstance(content, str):
        return content
    return [_valid_part(part) for part in content]


def _valid_part(part: ContentPart) -> ContentPart:
    source = part.source
    if part.type in _MEDIA_TYPES and source is not None:
        given = source.media_type.strip().lower() or guess_type(source.path)[0] or ""
        media_type = _ALIASES.get(given, given)
        if media_type in _MEDIA_TYPES[part.type]:
            seconds = source.duration_sec if part.type == "audio" else None
            seconds = None if seconds is None or not seconds >= 0 else seconds
            more = {"media_type": media_type, "duration_sec": seconds}
            return ContentPart(type=part.type, source=source.model_copy(update=more))
    return ContentPart(text=text_of([part]))


def _valid(trajectory: Trajectory) -> Trajectory:
    below = list(_numbered(trajectory.subagent_trajectories or ()))
    steps = [_valid_step(step, number) for number, step in enumerate(trajectory.steps, start=1)]
    return trajectory.model_copy(
        update={
            "schema_version": ATIF_VERSION,
            "steps": steps,
            "subagent_trajectories": below or None,
        }
    )


def _numbered(trajectories: list[Trajectory] | tuple[()]) -> Iterator[Trajectory]:
    seen: set[str] = set()
    for number, trajectory in enumerate(trajectories, start=1):
        name = trajectory.trajectory_id or str(number)
        while name in seen:
            name += "'"
        seen.add(name)
        yield _valid(trajectory).model_copy(update={"trajectory_id": name})


def _valid_step(step: Step, number: int) -> Step:
    source = step.source if step.source in _SOURCES else "system"
    new: dict[str, object] = {
        "step_id": number,
        "source": source,
        "message": valid_content(step.message),
        "timestamp": step.timestamp if time_of(step) else None,
    }
    if source != "agent":
        new |= dict.fromkeys(_OF_AGENT)
    if (step.llm_call_count or 0) <= 0:
        # Refused below 0, and a 0 beside tokens or reasoning.
        new["llm_call_count"] = None
    if step.observation is not None:
        calls = step.tool_calls if source == "agent" else None
        ids = None if calls is None else {call.tool_call_id for call in calls}
        results = [_valid_result(result, ids) for result in step.results]
        new["observation"] = step.observation.model_copy(update={"results": results})
    return step.model_copy(update=new)


def _valid_result(result: ObservationResult, ids: set[str] | None) -> ObservationResult:
    new: dict[str, object] = {
        "content": valid_content(result.content),
        "subagent_trajectory_ref": list(_valid_refs(result.subagent_trajectory_ref)) or None,
    }
    if ids is not None and result.source_call_id not in ids:
        new["source_call_id"] = None
    return result.model_copy(update=new)


def _valid_refs(refs: JsonValue) -> Iterator[JsonValue]:
    for ref in refs if isinstance(refs, list) else [refs]:
        if not isinstance(ref, dict):
            continue
        known: dict[str, JsonValue] = {
            name: value
            for name, value in ref.items()
            if name in _KEYS_OF_REF and isinstance(value, dict if name == "extra" else str)
        }
        if known.keys() & {"trajectory_id", "trajectory_path"}:
            yield known
