"""The demands of the ATIF format, and trajectories that are made to meet them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    with_unfit,
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
_ALIASES = {
    "image/jpg": "image/jpeg",
    **dict.fromkeys(("audio/mp3", "audio/mpga", "audio/x-mpeg"), "audio/mpeg"),
    **dict.fromkeys(("audio/x-wav", "audio/wave", "audio/vnd.wave"), "audio/wav"),
    **dict.fromkeys(("audio/x-m4a", "audio/m4a"), "audio/mp4"),
    **{f"audio/x-{name}": f"audio/{name}" for name in ("aac", "flac", "aiff")},
}
_KEYS_OF_REF = frozenset({"trajectory_id", "trajectory_path", "session_id", "extra"})


def dump_trajectory(trajectory: Trajectory) -> str:
    """Return the JSON text of a trajectory, valid by ATIF v1.8.

    One that was read may be of an older version, cut short, joined of several files, or not valid:
    its steps are numbered from 1, and values that the format refuses are in ``extra``.
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
    new: dict[str, object] = {"step_id": number, "message": valid_content(step.message)}
    unfit: dict[str, JsonValue] = {}
    if step.source not in _SOURCES:
        new["source"], unfit["source"] = "system", step.source
    is_agent = step.source == "agent"
    if step.timestamp is not None and not time_of(step):
        new["timestamp"], unfit["timestamp"] = None, step.timestamp
    if not is_agent:
        new |= dict.fromkeys(_OF_AGENT)
        unfit |= step.model_dump(mode="json", include={*_OF_AGENT}, exclude_none=True)
    calls = step.llm_call_count
    thought = step.metrics is not None or step.reasoning_content is not None
    if calls is not None and (calls < 0 or (calls == 0 and is_agent and thought)):
        new["llm_call_count"], unfit["llm_call_count"] = None, calls
    if step.observation is not None:
        made = step.tool_calls if is_agent else None
        ids = None if made is None else {call.tool_call_id for call in made}
        results = [_valid_result(result, ids) for result in step.results]
        new["observation"] = step.observation.model_copy(update={"results": results})
    return step.model_copy(update={**new, "extra": with_unfit(step.extra, unfit)})


def _valid_result(result: ObservationResult, ids: set[str] | None) -> ObservationResult:
    given, unfit = result.subagent_trajectory_ref, dict[str, JsonValue]()
    refs = given if isinstance(given, list) else [given]
    valid = [*_valid_refs(refs)]
    if given is not None and valid != refs:
        unfit["subagent_trajectory_ref"] = given
    call = result.source_call_id
    if ids is not None and call not in ids:
        call, unfit["source_call_id"] = None, call
    new = {
        "content": valid_content(result.content),
        "subagent_trajectory_ref": valid or None,
        "source_call_id": call,
        "extra": with_unfit(result.extra, unfit),
    }
    return result.model_copy(update=new)


def _valid_refs(refs: Sequence[JsonValue]) -> Iterator[JsonValue]:
    for ref in refs:
        if not isinstance(ref, dict):
            continue
        known: dict[str, JsonValue] = {
            name: value
            for name, value in ref.items()
            if name in _KEYS_OF_REF and isinstance(value, dict if name == "extra" else str)
        }
        if known.keys() & {"trajectory_id", "trajectory_path"}:
            yield known
