"""The settings and tasks of a run: ``run_config.json``.

Each field has a part in the run's identity (:class:`Part`). A resume compares the identity, which
changes only by an explicit flag (see :mod:`benchmark_runner._run.identity`); other changes are
noted in the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import to_json

from benchmark_runner._json import INDENTED, fill, json_file, parse_model, problems_of
from benchmark_runner._part import Part
from benchmark_runner.artifacts.eval_rules import EvalRules
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.checkpoint.import_record import ImportedFile
from benchmark_runner.checkpoint.until import Until
from benchmark_runner.errors import ArtifactError, RunIdentityError
from benchmark_runner.schemas import (
    DATASET_VERSION_ID,
    EvalResult,
    GenerationResult,
    ScoreResult,
    TaskRepeat,
)

__all__ = [
    "MOST_REPEATS", "Invocation", "RunConfig", "TaskSourceKind", "field_words", "fields_with",
    "load_run_config", "part_of", "save_run_config",
]  # fmt: skip

TaskSourceKind = Literal["file", "service", "problem"]

#: More is a slip of the keyboard, which would take minutes to plan.
MOST_REPEATS = 10_000

_NOTED = (Part.CODE, Part.GRADER, Part.PROVENANCE, Part.OPERATIONAL)


class Invocation(BaseModel):
    """A command that changed the run."""

    at: datetime
    command: str
    changed: dict[str, tuple[JsonValue, JsonValue]] = Field(
        default_factory=dict[str, tuple[JsonValue, JsonValue]]
    )
    """The settings that differ from the invocation before, each with both values."""
    accepted: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])
    """The tasks that were ``changed``, ``added`` or ``removed``, if that was accepted."""


class RunConfig(BaseModel):
    """The content of ``run_config.json``."""

    # Fields of a later version are kept.
    model_config = ConfigDict(extra="allow")

    run_id: Annotated[str, Part.RECORD]
    model: Annotated[str, Part.IDENTITY]
    tasks: Annotated[list[str], Part.IDENTITY]
    """The ids of all tasks of the run, in the dataset's order."""
    task_hashes: Annotated[dict[str, str], Part.IDENTITY] = Field(default_factory=dict[str, str])
    """SHA-256 of each task as ``generate()`` receives it, without its time limit. They are large
    for many tasks: keep a config ``without_hashes()``."""
    task_source: Annotated[TaskSourceKind, Part.IDENTITY] = "file"
    dataset_name: Annotated[str | None, Part.IDENTITY] = None
    dataset_file: Annotated[str | None, Part.RECORD] = None
    """The file from which a resume reads the tasks; only their content is compared."""
    limit: Annotated[int | None, Part.IDENTITY] = None
    """``--limit``: the run has only the first tasks of its dataset."""
    dataset_size: Annotated[int | None, Part.RECORD] = None
    """The number of tasks in the whole dataset when the run started."""
    repeats: Annotated[int, Part.RECORD, Field(ge=1, le=MOST_REPEATS)] = 1
    """The number of times that each task is generated on purpose."""
    until: Annotated[Until | None, Part.RECORD] = None
    """The question that the run stops at once it is settled."""
    sampling: Annotated[dict[str, JsonValue], Part.IDENTITY] = Field(
        default_factory=dict[str, JsonValue]
    )
    """The model settings that were given, without any key."""
    options: Annotated[dict[str, str], Part.IDENTITY] = Field(default_factory=dict[str, str])
    """The author's options that were given, without any secret."""
    payload_schema: Annotated[str | None, Part.IDENTITY] = None
    payload_type: Annotated[str | None, Part.IDENTITY] = None
    service_url: Annotated[str | None, Part.GRADER] = None
    evaluation_api: Annotated[str | None, Part.GRADER] = None
    service_version: Annotated[str | None, Part.GRADER] = None
    """The service's version in its last answer."""
    dataset_version: Annotated[str | None, Part.GRADER] = None
    """The version of the dataset at the service, in its last answer or that the run is of."""
    dataset_version_id: Annotated[str | None, Part.IDENTITY, Field(pattern=DATASET_VERSION_ID)] = (
        None
    )
    """The service's id of the version that the run is of; without one it is of none in particular,
    whatever the service says."""
    dataset_version_selector: Annotated[str | None, Part.IDENTITY] = None
    """``--dataset-version``, from which the service made that version."""
    local: Annotated[bool | None, Part.GRADER] = None
    """True if the embedded service evaluates this run."""
    generation_version: Annotated[str | None, Part.CODE] = None
    runner_commit: Annotated[str | None, Part.CODE] = None
    """The git commit of the runner's project."""
    runner_dirty: Annotated[bool | None, Part.PROVENANCE] = None
    """True if files of that commit were edited."""
    runner_version: Annotated[str | None, Part.PROVENANCE] = None
    runtime_version: Annotated[str | None, Part.PROVENANCE] = None
    python_version: Annotated[str | None, Part.PROVENANCE] = None
    imported: Annotated[ImportedFile | None, Part.PROVENANCE] = None
    """The file with the answers, if they were made elsewhere; of several files, the last one."""
    operational: Annotated[dict[str, JsonValue], Part.OPERATIONAL] = Field(
        default_factory=dict[str, JsonValue]
    )
    """The limits, time-outs and retries of the last invocation that had them."""
    regrade: Annotated[list[str], Part.RECORD] = Field(default_factory=list[str])
    """The tasks whose evaluations a regrade has still to put away; until then they don't count."""
    created_at: Annotated[datetime | None, Part.RECORD] = None
    history: Annotated[list[Invocation], Part.RECORD] = Field(default_factory=list[Invocation])
    """The invocations that had something to do, in order."""

    @model_validator(mode="after")
    def _check_baseline(self) -> Self:
        baseline = None if self.until is None else self.until.baseline
        if baseline is not None and len(baseline) != len(self.tasks):
            raise ValueError("until.baseline has not one score for each task")
        return self

    def task_repeats(self) -> Iterator[TaskRepeat]:
        """Yield all that is to be generated, all repeats of a task one after the other."""
        for task_id in self.tasks:
            for repeat in range(1, self.repeats + 1):
                yield TaskRepeat(task_id, repeat)

    def invoked(
        self,
        command: str,
        facts: Mapping[str, JsonValue],
        *,
        accepted: Mapping[str, list[str]] | None = None,
    ) -> RunConfig:
        """Return the config after another command.

        ``facts`` are its values of the fields that are noted; ``None`` means unknown.
        ``accepted`` are the tasks that were ``changed``, ``added`` or ``removed``.
        """
        before = self.noted()
        now = {name: value for name, value in facts.items() if value is not None}
        changed = _differences(before, now) if self.history else {}
        entry = Invocation(
            at=datetime.now(UTC), command=command, changed=changed, accepted={**(accepted or {})}
        )
        # A command without a setting leaves its value as it was.
        kept = {name: _over(before.get(name), value) for name, value in now.items()}
        return self.model_validate({**dict(self), **kept, "history": [*self.history, entry]})

    def without_hashes(self, **changes: object) -> RunConfig:
        """Return a copy without the hashes of tasks, and with other ``changes``."""
        return self.model_copy(update={**changes, "task_hashes": {}})

    def noted(self) -> dict[str, JsonValue]:
        """Return the fields whose changes the history notes."""
        return self.model_dump(mode="json", include=set(fields_with(*_NOTED)))


def part_of(field: str) -> Part:
    """Return the part of a field of :class:`RunConfig`."""
    metadata: list[Any] = RunConfig.model_fields[field].metadata
    (part,) = (found for found in metadata if isinstance(found, Part))
    return part


def fields_with(*parts: Part) -> list[str]:
    """Return the names of the fields of :class:`RunConfig` with one of these parts."""
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
    """Read the config of a run; ``None`` if there is no such run.

    A damaged file of a run without generations is set aside.

    Raises:
        ArtifactError: the file can't be read. It stays as it is, as it holds the run's identity.
        RunIdentityError: the config is that of a run whose id differs only in case.
    """
    path = artifacts.run_config_path
    content = artifacts.config_content()
    if content is None:
        return None
    try:
        config = parse_model(RunConfig, content)
    except ValidationError as error:
        if not artifacts.has_generations():
            artifacts.set_file_aside(path)
            return None
        _, problem = next(problems_of(error))
        raise ArtifactError(
            f"{path}: can't be read: its content is damaged ({problem})",
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
    artifacts.eval_rules = _rules_of(config)
    return config


def save_run_config(
    artifacts: RunArtifacts, config: RunConfig, task_hashes: Iterable[tuple[str, str]]
) -> None:
    """Write the config of a run, with the hashes of its tasks in the run's order.

    They are never in memory as a whole; those in ``config`` are ignored.

    Raises:
        ArtifactError: the disk refuses.
    """
    pieces = fill(
        json_file(config.without_hashes(tasks=[])),
        (b'"tasks": [', map(to_json, config.tasks)),
        (b'"task_hashes": {', (b"%b: %b" % tuple(map(to_json, pair)) for pair in task_hashes)),
        around=INDENTED,
    )
    artifacts.save_pieces(artifacts.run_config_path, pieces)
    artifacts.eval_rules = _rules_of(config)


def _rules_of(config: RunConfig) -> EvalRules:
    # The earlier framework did not record when a run was created.
    return EvalRules(frozenset(config.regrade), need_hash=config.created_at is not None)
