"""What a run is: the content of ``run_config.json``.

Each field has a part in whether a resume is the same run (:class:`Part`). What is identity is
compared on a resume and changes only where that is allowed expressly (see
:mod:`benchmark_runner._run.identity`); what else changes is noted in the history.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import to_json

from benchmark_runner._json import INDENTED, filled, json_file_of
from benchmark_runner._part import Part
from benchmark_runner.errors import ArtifactError, RunIdentityError
from benchmark_runner.schemas import EvalResult, GenerationResult, ScoreResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from benchmark_runner.artifacts.run_folder import RunArtifacts

TaskSourceKind = Literal["file", "service", "problem"]


_NOTED = (Part.CODE, Part.GRADER, Part.PROVENANCE, Part.OPERATIONAL)


class Invocation(BaseModel):
    """One command that worked on the run."""

    at: datetime
    command: str
    changed: dict[str, tuple[JsonValue, JsonValue]] = Field(
        default_factory=dict[str, tuple[JsonValue, JsonValue]]
    )
    """What differed from the invocation before: each setting with both values."""
    accepted: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])
    """The tasks that were ``changed``, ``added`` or ``removed``, where that was accepted."""


class RunConfig(BaseModel):
    """The content of ``run_config.json``."""

    # A later version's fields are kept when this one writes the file again.
    model_config = ConfigDict(extra="allow")

    run_id: Annotated[str, Part.RECORD]
    model: Annotated[str, Part.IDENTITY]
    tasks: Annotated[list[str], Part.IDENTITY]
    """The frozen task ids, in the dataset's order; what a score is computed over."""
    task_hashes: Annotated[dict[str, str], Part.IDENTITY] = Field(default_factory=dict[str, str])
    """SHA-256 of each task as ``generate()`` receives it, its time limit left out; as read from
    disk. Of many tasks they are large: who keeps a config keeps it ``without_hashes()``."""
    task_source: Annotated[TaskSourceKind, Part.IDENTITY] = "file"
    dataset_name: Annotated[str | None, Part.IDENTITY] = None
    dataset_file: Annotated[str | None, Part.RECORD] = None
    """Where a resume reads the tasks again; what they say is compared, not where they are."""
    limit: Annotated[int | None, Part.IDENTITY] = None
    """``--limit``: the run is the first so many tasks of its dataset."""
    dataset_size: Annotated[int | None, Part.RECORD] = None
    """How many tasks the whole dataset had when the run started."""
    sampling: Annotated[dict[str, JsonValue], Part.IDENTITY] = Field(
        default_factory=dict[str, JsonValue]
    )
    """Model settings that were given, without any key."""
    options: Annotated[dict[str, str], Part.IDENTITY] = Field(default_factory=dict[str, str])
    """The author's options that were given, without any secret."""
    payload_schema: Annotated[str | None, Part.IDENTITY] = None
    payload_type: Annotated[str | None, Part.IDENTITY] = None
    service_url: Annotated[str | None, Part.GRADER] = None
    evaluation_api: Annotated[str | None, Part.GRADER] = None
    service_version: Annotated[str | None, Part.GRADER] = None
    """What the service said of itself when it was last asked."""
    local: Annotated[bool | None, Part.GRADER] = None
    """Whether the embedded service grades this run."""
    generation_version: Annotated[str | None, Part.CODE] = None
    runner_commit: Annotated[str | None, Part.CODE] = None
    """The git commit of the runner's project."""
    runner_dirty: Annotated[bool | None, Part.PROVENANCE] = None
    """Whether files of that commit had been edited."""
    runner_version: Annotated[str | None, Part.PROVENANCE] = None
    runtime_version: Annotated[str | None, Part.PROVENANCE] = None
    python_version: Annotated[str | None, Part.PROVENANCE] = None
    operational: Annotated[dict[str, JsonValue], Part.OPERATIONAL] = Field(
        default_factory=dict[str, JsonValue]
    )
    """How the last invocation that had such a setting worked: limits, time-outs, retries."""
    created_at: Annotated[datetime | None, Part.RECORD] = None
    history: Annotated[list[Invocation], Part.RECORD] = Field(default_factory=list[Invocation])
    """The invocations that had something to do, the first one first."""

    def invoked(
        self,
        command: str,
        facts: Mapping[str, JsonValue],
        *,
        accepted: Mapping[str, list[str]] | None = None,
    ) -> RunConfig:
        """The same run after one more invocation.

        Args:
            command: Which command.
            facts: What holds in it of the fields that are noted; ``None`` is not known.
            accepted: The tasks that were ``changed``, ``added`` or ``removed``.
        """
        before = self.noted()
        now = {name: value for name, value in facts.items() if value is not None}
        changed = _differences(before, now) if self.history else {}
        entry = Invocation(
            at=datetime.now(UTC), command=command, changed=changed, accepted={**(accepted or {})}
        )
        # A command that lacks a setting says nothing of it.
        kept = {name: _over(before.get(name), value) for name, value in now.items()}
        return self.model_copy(update={**kept, "history": [*self.history, entry]})

    def without_hashes(self, **changes: object) -> RunConfig:
        """The same run, without the hashes of its tasks and with other ``changes``."""
        return self.model_copy(update={**changes, "task_hashes": {}})

    def noted(self) -> dict[str, JsonValue]:
        """The fields whose changes the history notes."""
        return self.model_dump(mode="json", include=set(fields_with(*_NOTED)))


def part_of(field: str) -> Part:
    """The part of a field of :class:`RunConfig`."""
    metadata: list[Any] = RunConfig.model_fields[field].metadata
    (part,) = (found for found in metadata if isinstance(found, Part))
    return part


def fields_with(*parts: Part) -> list[str]:
    """The fields of :class:`RunConfig` that have one of these parts."""
    return [name for name in RunConfig.model_fields if part_of(name) in parts]


@lru_cache
def field_words() -> frozenset[str]:
    """Return the names of all fields that are written, and their named values, such as a status.

    A key that happens to be one of these is not masked: it would spoil the files of a run.
    """
    written = (GenerationResult, EvalResult, ScoreResult, RunConfig)
    return frozenset(
        word for model in written for word in _words(model.model_json_schema(mode="serialization"))
    )


def _words(schema: JsonValue) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _words(item)
    elif isinstance(schema, dict):
        properties, values = schema.get("properties"), schema.get("enum")
        if isinstance(properties, dict):
            yield from properties
        if isinstance(values, list):
            yield from (value for value in values if isinstance(value, str))
        for item in schema.values():
            yield from _words(item)


def _differences(
    before: Mapping[str, JsonValue], now: Mapping[str, JsonValue]
) -> dict[str, tuple[JsonValue, JsonValue]]:
    found: dict[str, tuple[JsonValue, JsonValue]] = {}
    for name, value in now.items():
        earlier = before.get(name)
        if isinstance(value, dict) and isinstance(earlier, dict):
            found |= _differences(earlier, value)
        elif value != earlier:
            found[name] = (earlier, value)
    return found


def _over(before: JsonValue, now: JsonValue) -> JsonValue:
    return before | now if isinstance(before, dict) and isinstance(now, dict) else now


def load_run_config(artifacts: RunArtifacts) -> RunConfig | None:
    """Read what a run is; ``None`` for a run that is not there.

    A damaged file of a run that has generated nothing is set aside.

    Raises:
        ArtifactError: the file can't be read. It is left as it is: without it, nobody can say
            whether a resume is the same run.
        RunIdentityError: it is that of a run whose id differs in case only.
    """
    path = artifacts.run_config_path
    content = artifacts.config_content()
    if content is None:
        return None
    try:
        config = RunConfig.model_validate_json(content)
    except ValidationError as error:
        if not artifacts.has_generations():
            artifacts.set_file_aside(path)
            return None
        first = error.errors(include_url=False, include_input=False)[0]
        raise ArtifactError(
            f"{path}: can't be read: its content is damaged ({first['msg']})",
            hint="Restore the file, or use another --run-id for a new run.",
        ) from None
    if (
        config.run_id != artifacts.run_id
        and config.run_id.casefold() == artifacts.run_id.casefold()
    ):
        raise RunIdentityError(
            f"{artifacts.run_dir} is the folder of run {config.run_id!r} on this disk",
            hint="Use an id that differs in more than case.",
        )
    return config


def save_run_config(
    artifacts: RunArtifacts, config: RunConfig, task_hashes: Iterable[tuple[str, str]]
) -> None:
    """Write what a run is, the hashes of its tasks as they are made.

    Args:
        artifacts: The files of the run.
        config: What it is; hashes in it do not count.
        task_hashes: Each task with its hash, in the run's order.

    Raises:
        ArtifactError: the disk refuses.
    """
    pieces = filled(
        json_file_of(config.without_hashes(tasks=[])),
        (b'"tasks": [', map(to_json, config.tasks)),
        (b'"task_hashes": {', (b"%b: %b" % tuple(map(to_json, pair)) for pair in task_hashes)),
        around=INDENTED,
    )
    artifacts.save_pieces(artifacts.run_config_path, pieces)
