"""What a run is: the content of ``run_config.json``, frozen when the run starts.

The settings that make a run *that* run are compared on a resume and never overwritten (see
:mod:`benchmark_runner.identity`); everything else may change between invocations.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from benchmark_runner.errors import ArtifactError, describe

if TYPE_CHECKING:
    from benchmark_runner.artifacts import RunArtifacts

TaskSourceKind = Literal["file", "service", "problem"]


class RunConfig(BaseModel):
    """The content of ``run_config.json``."""

    # A later version's fields are kept when this one writes the file again.
    model_config = ConfigDict(extra="allow")

    run_id: str
    model: str
    tasks: list[str]
    """The frozen task ids, in the dataset's order; what a score is computed over."""
    task_hashes: dict[str, str] = Field(default_factory=dict[str, str])
    """SHA-256 of each task as ``generate()`` receives it, its time limit left out."""
    task_source: TaskSourceKind = "file"
    dataset_name: str | None = None
    dataset_file: str | None = None
    limit: int | None = None
    """``--limit``: the run is the first so many tasks of its dataset."""
    dataset_size: int | None = None
    """How many tasks the whole dataset had when the run started."""
    sampling: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Model settings that were given, without any key."""
    options: dict[str, str] = Field(default_factory=dict[str, str])
    """The author's options that were given, without any secret."""
    payload_schema: str | None = None
    payload_type: str | None = None
    service_url: str | None = None
    evaluation_api: str | None = None
    local: bool | None = None
    """Whether the embedded service grades this run."""
    runner_version: str | None = None
    generation_version: str | None = None
    runtime_version: str | None = None
    python_version: str | None = None
    created_at: datetime | None = None


def load_run_config(artifacts: RunArtifacts) -> RunConfig | None:
    """Read what a run is; ``None`` for a run that is not there.

    Raises:
        ArtifactError: the file can't be read. It is left as it is: without it, nobody can say
            whether a resume is the same run.
    """
    path = artifacts.run_config_path
    try:
        return RunConfig.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError) as error:
        reason = "its content is damaged" if isinstance(error, ValidationError) else describe(error)
        raise ArtifactError(
            f"{path}: can't be read: {reason}",
            hint="Restore the file, or use another --run-id for a new run.",
        ) from None
