"""The choice of the trajectory that ``show`` shows, and its words where there is none."""

from collections.abc import Iterator, Sequence

from benchmark_runner._text import some_ids
from benchmark_runner.cli.output.trajectory_digest import digest_lines
from benchmark_runner.cli.resume_command import NextCommands
from benchmark_runner.cli.shell import short_path
from benchmark_runner.errors import ArtifactError, UsageError
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.trajectories import (
    TaskTrajectories,
    attempts_with_trajectories,
    earlier_attempts,
    log_folder,
    read_task_trajectories,
)
from benchmark_runner.schemas import TaskRepeat

_HOW = "generate() can record one with benchmark_runner.trajectory"
_HOW_IMPORTED = "the file that is imported can name one for each answer"


def section_lines(
    view: RunView, key: TaskRepeat, found: TaskTrajectories, commands: NextCommands
) -> Iterator[str]:
    """Yield the digest of the trajectories of a task, or that there are none."""
    earlier = attempts_with_trajectories(view.artifacts, key)
    if found:
        yield "Trajectory"
        yield from digest_lines(found)
        yield f"  whole    {_command(view, key, commands)}"
        if earlier:
            yield f"  earlier  {_numbers(earlier)}: --attempt N"
        return
    if found.unread:
        yield f"Trajectory: can't be read: {short_path(found.unread[0])}"
    else:
        how = _HOW if view.config.imported is None else _HOW_IMPORTED
        yield f"Trajectory: none{'' if earlier else f'; {how}'}"
    if earlier:
        command = _command(view, key, commands, earlier[-1])
        yield f"  {_numbers(earlier)}: {command}"


def choose_trajectories(
    view: RunView, key: TaskRepeat, attempt: int | None, commands: NextCommands
) -> TaskTrajectories:
    """Return the trajectories of an attempt; ``None`` is the current one.

    Raises:
        UsageError: there is no such attempt, or it has no trajectory.
        ArtifactError: its trajectory can't be read.
    """
    before = earlier_attempts(view.artifacts, key)
    current = max(before, default=0) + 1
    if attempt is not None and attempt not in (*before, current):
        raise UsageError(
            f"{key} has no attempt {attempt}",
            hint=f"Its current attempt is {current}, which is shown without --attempt.",
        )
    if attempt == current:
        attempt = None  # by its number
    found = read_task_trajectories(view.artifacts, key, attempt)
    if found:
        return found
    if found.unread:
        raise ArtifactError(
            f"{short_path(found.unread[0])}: holds no trajectory that can be read",
            hint="It is to be a file of the format ATIF, v1.5 or newer.",
        )
    earlier = attempts_with_trajectories(view.artifacts, key)
    which = "" if attempt is None else f" of attempt {attempt}"
    how = f"{_HOW}, or its agent can write trajectory.json into log_dir."
    if view.config.imported is not None:
        how = f"{_HOW_IMPORTED}."
    raise UsageError(
        f"{key} has no trajectory{which} in {short_path(log_folder(view.artifacts, key, attempt))}",
        hint=f"There is that of {_numbers(earlier)}: {_command(view, key, commands, earlier[-1])}"
        if earlier
        else how,
    )


def _numbers(attempts: Sequence[int]) -> str:
    return f"attempt{'s' if len(attempts) > 1 else ''} {some_ids(attempts)}"


def _command(
    view: RunView, key: TaskRepeat, commands: NextCommands, attempt: int | None = None
) -> str:
    flags = ["--trajectory"]
    flags += ["--repeat", str(key.repeat)] if key.repeat > 1 else []
    flags += [] if attempt is None else ["--attempt", str(attempt)]
    return commands.inspect("show", view.run_id, key.task_id, flags=flags)
