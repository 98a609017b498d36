"""The artifact of a generation: kept before the generation is saved."""

from pathlib import Path

from benchmark_runner._run.disk_retry import DiskWriter
from benchmark_runner._run.failure_kinds import classify
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import UnusableArtifactError, describe
from benchmark_runner.schemas import Artifact, GenerationResult, GenerationStatus, Phase


async def with_kept_artifact(
    runner: BenchmarkRunner,
    artifacts: RunArtifacts,
    disk: DiskWriter,
    task_id: str,
    result: GenerationResult,
) -> tuple[GenerationResult, bool]:
    """Keep the artifact of a result, and return the result with its record.

    A success without a usable artifact becomes an error. Returned, too: whether a key in the
    artifact was masked.

    Raises:
        ArtifactError: it can't be written.
    """
    given = result.artifact
    if given is None and (
        runner.PAYLOAD_TYPE != "artifact" or result.status is not GenerationStatus.SUCCESS
    ):
        return result, False
    try:
        source = _checked(runner, given)
        arguments = (task_id, source, result.filename, runner.ARTIFACT_MAX_BYTES)
        record, masked = await disk.write(artifacts.keep_submission, *arguments)
    except UnusableArtifactError as error:
        return _without_artifact(result, error), False
    return result.model_copy(update={"artifact": record}), masked


def _checked(
    runner: BenchmarkRunner, given: Artifact | Path | bytes | None
) -> Artifact | Path | bytes:
    if given is None:
        raise UnusableArtifactError(
            "generate() returned no artifact",
            hint='Return GenerationResult(artifact=PATH), or set PAYLOAD_TYPE = "text".',
        )
    if runner.PAYLOAD_TYPE != "artifact":
        raise UnusableArtifactError(
            f"generate() returned an artifact, but PAYLOAD_TYPE is {runner.PAYLOAD_TYPE!r}",
            hint='Set PAYLOAD_TYPE = "artifact", or return GenerationResult(answer=TEXT).',
        )
    return given


def _without_artifact(result: GenerationResult, error: UnusableArtifactError) -> GenerationResult:
    update: dict[str, object] = {"artifact": None, "error": result.error or describe(error)}
    if result.status is GenerationStatus.SUCCESS:
        update |= {
            "status": GenerationStatus.ERROR,
            "error": describe(error),
            "failure": classify(error, Phase.GENERATE),
        }
    return result.model_copy(update=update)
