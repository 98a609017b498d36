"""The trajectories in a folder of logs, where an agent may have put anything."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from json import JSONDecoder
from pathlib import Path, PurePath
from typing import TypeVar, cast

from pydantic import BaseModel, JsonValue, ValidationError

from benchmark_runner._json import read_cut_json
from benchmark_runner.artifacts.file_reader import READ_ONLY
from benchmark_runner.trajectory.atif import FinalMetrics, Step, Trajectory, with_unfit

__all__ = [
    "MOST_BYTES", "TRAJECTORY_FILE", "find_trajectories", "read_files", "read_trajectories",
    "read_trajectory",
]  # fmt: skip

TRAJECTORY_FILE = "trajectory.json"
_NAMES = (TRAJECTORY_FILE, "trajectory_atif.json")
#: Bytes of a file that are read.
MOST_BYTES = 64 * 1024**2
#: Bytes at the end of a larger one, and what stands before the totals there.
_END = 64 * 1024
_TOTALS = re.compile(rb'"final_metrics"\s*:\s*')
#: Names in a folder of logs that are looked at: it may hold all that an agent has downloaded.
_MOST_NAMES = 20_000
_MOST_CONTINUATIONS = 100
#: Characters of a path that are looked at; no system opens a longer one.
_LONGEST_PATH = 4096

ModelT = TypeVar("ModelT", bound=BaseModel)
#: An object or a list.
_Container = dict[int | str, JsonValue]


def find_trajectories(log_dir: Path) -> list[Path]:
    """Return the files that may hold a trajectory, those nearest to ``log_dir`` first.

    They are named ``trajectory.json`` or ``trajectory_atif.json``. Links are not followed.
    """
    found: list[Path] = []
    folders, looked_at = deque([os.fspath(log_dir)]), 0
    while folders and looked_at < _MOST_NAMES:
        below: list[str] = []
        here: list[str] = []
        with suppress(OSError), os.scandir(folders.popleft()) as entries:
            for entry in entries:
                looked_at += 1
                if entry.name in _NAMES and entry.is_file(follow_symlinks=False):
                    here.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
        found += map(Path, sorted(here))
        folders += sorted(below)
    return found


def read_trajectories(log_dir: Path) -> Iterator[tuple[Path, Trajectory]]:
    """Yield the trajectories in a folder with their files, one at a time.

    A file that continues one that came before is left out; that of a subagent which one names is
    made part of that one. Of two in one folder, which are the same in two versions, the first one
    is read.
    """
    return read_files(find_trajectories(log_dir))


def read_files(found: Iterable[Path]) -> Iterator[tuple[Path, Trajectory]]:
    """Do as :func:`read_trajectories`, of the files that were found in its folder."""
    seen: set[Path] = set()
    folders: set[Path] = set()
    known = dict.fromkeys(found)
    for path in known:
        if path in seen or path.parent in folders:
            continue
        if (trajectory := _read_joined(path, seen)) is not None:
            _add_subagents(trajectory, known, seen)
            folders |= {file.parent for file in trajectory.files if file.name in _NAMES}
            yield path, trajectory


def _add_subagents(trajectory: Trajectory, known: Container[Path], seen: set[Path]) -> None:
    """Make the subagents whose files it names, and theirs, a part of a trajectory."""
    waiting, size = deque([trajectory]), 0
    while waiting:
        above = waiting.popleft()
        paths = {above.files[0].parent / ref for ref in _files_of_subagents(above)}
        named = sorted(path for path in paths if path in known and path not in seen)
        seen.update(named)
        for path in named:
            size += _size_of(path)
            below = _read_joined(path, seen) if size <= MOST_BYTES else None
            if below is None:
                trajectory.is_cut = True
                continue
            above.subagent_trajectories = [*(above.subagent_trajectories or ()), below]
            trajectory.files += below.files
            trajectory.is_cut |= below.is_cut
            waiting.append(below)


def _size_of(path: Path) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def read_trajectory(path: Path) -> Trajectory | None:
    """Read a trajectory, with the files that continue it; ``None`` if the file holds none.

    At most :data:`MOST_BYTES` of a file are read. One that ends early, as after a kill, is read as
    far as it goes. ``is_cut`` tells of both.
    """
    return _read_joined(path, set())


def _read_joined(path: Path, seen: set[Path]) -> Trajectory | None:
    """Read a trajectory and what continues it, but for the files in ``seen``; add them there."""
    first = _read(path)
    if first is None:
        return None
    last = first
    seen.add(path)
    for _ in range(_MOST_CONTINUATIONS):
        ref = last.continued_trajectory_ref
        if ref and len(ref) > _LONGEST_PATH:
            first.is_cut = True
            break
        if not ref or _leads_out(path.parent, PurePath(ref)) or path.parent / ref in seen:
            break
        path = path.parent / ref
        seen.add(path)
        following = _read(path)
        if following is None:
            first.is_cut = True
            break
        _join(first, following)
        last = following
    return first


def _leads_out(folder: Path, ref: PurePath) -> bool:
    """Return True if a reference may leave the folder: upwards, or through a link."""
    return (
        ref.is_absolute()
        or ".." in ref.parts
        or any(os.path.islink(folder / part) for part in ref.parents)  # noqa: PTH114 (of any text)
    )


def _join(first: Trajectory, following: Trajectory) -> None:
    first.files += following.files
    first.steps += following.own_steps
    first.is_cut |= following.is_cut
    below = [*(first.subagent_trajectories or ()), *(following.subagent_trajectories or ())]
    first.subagent_trajectories = below or None
    one, other = first.final_metrics, following.final_metrics
    # Without the totals of each, those of the whole are the sums of its steps.
    first.final_metrics = None if one is None or other is None else _added(one, other)


def _added(one: FinalMetrics, other: FinalMetrics) -> FinalMetrics | None:
    counted = ("total_prompt_tokens", "total_completion_tokens", "total_cached_tokens")
    sums: dict[str, float] = {}
    for name in (*counted, "total_cost_usd"):
        a, b = getattr(one, name), getattr(other, name)
        if a is not None and b is not None:
            sums[name] = a + b
    return FinalMetrics.model_validate(sums)


def _files_of_subagents(trajectory: Trajectory) -> Iterator[str]:
    for step in trajectory.steps:
        for result in step.results:
            refs = result.subagent_trajectory_ref
            for ref in refs if isinstance(refs, list) else [refs]:
                if isinstance(ref, dict) and isinstance(path := ref.get("trajectory_path"), str):
                    yield path


def _read(path: Path) -> Trajectory | None:
    content, end = _content(path)
    if content is None:
        return None
    try:
        raw, is_cut = read_cut_json(content)
    except ValueError:
        return None
    if not isinstance(raw, dict) or not str(raw.get("schema_version")).startswith("ATIF-"):
        return None
    raw_steps = raw.pop("steps", None)
    trajectory = _lenient(Trajectory, raw)
    trajectory.files = [path]
    trajectory.is_cut = is_cut or bool(end)
    if end:
        trajectory.final_metrics = _totals_in(end) or trajectory.final_metrics
    for step in raw_steps if isinstance(raw_steps, list) else ():
        if isinstance(step, dict):
            trajectory.steps.append(_lenient(Step, step))
        else:
            trajectory.is_cut = True
    return trajectory


def _lenient(model: type[ModelT], raw: dict[str, JsonValue]) -> ModelT:
    """Return the model in ``raw``; the values that have no place in it are kept in ``extra``."""
    try:
        return model.model_validate(raw, extra="forbid")
    except ValidationError as error:
        places = {_place(raw, problem["loc"]) for problem in error.errors(include_url=False)}
    in_order = sorted(places - {()}, reverse=True)  # of a list, the last items first
    unfit = {".".join(map(str, place)): _take(raw, place) for place in in_order}
    raw["extra"] = with_unfit(raw.get("extra"), unfit)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        names = {str(problem["loc"][0]) for problem in error.errors(include_url=False)}
    unfit = {name: raw.pop(name) for name in sorted(names & raw.keys())}
    raw["extra"] = with_unfit(raw.get("extra"), unfit)
    return model.model_validate(raw)


def _place(within: JsonValue, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the place of a value in JSON; the location of a problem names types, too.

    It is empty for a problem with a type that the value is not meant to have.
    """
    place: list[int | str] = []
    for part in location:
        if isinstance(within, list) and isinstance(part, str):
            if not part.startswith("list["):
                return ()
        elif _has(within, part):
            within = cast("_Container", within)[part]
            place.append(part)
        else:
            break
    return tuple(place)


def _has(within: JsonValue, part: int | str) -> bool:
    if isinstance(within, dict):
        return part in within
    return isinstance(within, list) and isinstance(part, int) and part < len(within)


def _take(within: JsonValue, place: tuple[int | str, ...]) -> JsonValue:
    """Remove the value at a place, and return it."""
    *above, last = place
    for part in above:
        within = cast("_Container", within)[part]
    container = cast("_Container", within)
    value = container[last]
    del container[last]
    return value


def _totals_in(end: bytes) -> FinalMetrics | None:
    """Return the totals that stand at the end of a file, which is too large to be read whole."""
    _, *found = _TOTALS.split(end)
    try:
        totals: JsonValue = JSONDecoder().raw_decode(found[-1].decode(errors="replace"))[0]
    except (IndexError, ValueError, RecursionError):
        return None
    return _lenient(FinalMetrics, totals) if isinstance(totals, dict) else None


def _content(path: Path) -> tuple[bytes | None, bytes]:
    """Return the beginning of a file, and the end of one that is too large."""
    try:
        descriptor = os.open(path, READ_ONLY)
    except (OSError, ValueError):  # an agent may name what no file can be named
        return None, b""
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return None, b""
        size = found.st_size
        end = os.pread(descriptor, _END, size - _END) if size > MOST_BYTES else b""
        with open(descriptor, "rb", closefd=False) as file:
            # As much room is made as is asked for.
            return file.read(min(size, MOST_BYTES)), end
    except OSError:
        return None, b""
    finally:
        os.close(descriptor)
