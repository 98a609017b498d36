"""A trajectory with those of its subagents as one document, whose references lead to no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os.path import normpath
from pathlib import Path

from pydantic import JsonValue

from benchmark_runner.trajectory.atif import ObservationResult, Trajectory, with_unfit

__all__ = ["join_parts"]


def join_parts(trajectory: Trajectory) -> None:
    """Make references to files of subagents, which are part of the trajectory, such to parts."""
    if trajectory.continued_trajectory_ref is not None:
        ref: JsonValue = trajectory.continued_trajectory_ref
        trajectory.extra = with_unfit(trajectory.extra, {"continued_trajectory_ref": ref})
        trajectory.continued_trajectory_ref = None
    below = trajectory.subagent_trajectories or []
    taken: set[str] = set()
    for number, each in enumerate(below, start=1):
        name = each.trajectory_id or f"subagent-{number}"
        while name in taken:
            name += f"-{number}"
        taken.add(name)
        each.trajectory_id = name
        join_parts(each)
    ids = {normpath(each.files[0]): each.trajectory_id for each in below if each.files}
    if ids and trajectory.files:
        folders = [path.parent for path in trajectory.files]
        for step in trajectory.steps:
            for result in step.results:
                _point_to_parts(result, ids, folders)


def _point_to_parts(
    result: ObservationResult, ids: Mapping[str, str | None], folders: Sequence[Path]
) -> None:
    given = result.subagent_trajectory_ref
    refs = given if isinstance(given, list) else [given]
    for ref in refs:
        path = ref.get("trajectory_path") if isinstance(ref, dict) else None
        if not isinstance(ref, dict) or not isinstance(path, str):
            continue
        named = (ids.get(normpath(folder / path)) for folder in folders)
        if (name := next(filter(None, named), None)) is not None:
            extra = ref.get("extra")
            kept = extra if isinstance(extra, dict) else {}
            ref["extra"] = {**kept, "trajectory_path": ref.pop("trajectory_path")}
            ref["trajectory_id"] = name
