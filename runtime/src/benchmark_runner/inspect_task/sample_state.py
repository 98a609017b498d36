"""The content of a sample of Inspect that is from a generation, and the end of the sample."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NoReturn, cast

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._json import without_nulls
from benchmark_runner._spend import known_cost, known_tokens
from benchmark_runner.inspect_task.transcript import add_event, add_events
from benchmark_runner.results.export.inspect_log.failures import sample_limit, traceback_of
from benchmark_runner.results.export.inspect_log.messages import SampleTexts
from benchmark_runner.results.export.inspect_log.usage import model_usage
from benchmark_runner.results.trajectories import read_task_trajectories
from benchmark_runner.schemas import Artifact, GenerationStatus, TokenUsage

if TYPE_CHECKING:
    from inspect_ai.model import ModelUsage
    from inspect_ai.solver import TaskState
    from pydantic import JsonValue

    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.schemas import GenerationResult, TaskRepeat

__all__ = ["AgentError", "end_sample", "fill_state"]


class AgentError(Exception):
    """The error of a generation, which becomes that of the sample.

    Inspect takes its ``message``, and not the name of this class.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


async def fill_state(
    state: TaskState, generation: GenerationResult, artifacts: RunArtifacts, key: TaskRepeat
) -> None:
    """Put a generation into the state and the transcript of its sample, with the keys masked."""
    from inspect_ai.model import ChatMessage, ModelOutput
    from pydantic import TypeAdapter

    usage, facts = _usage_of(generation), _facts(generation, artifacts)
    texts = await run_in_thread(_texts_of, generation, artifacts, key, state.uuid)
    messages = TypeAdapter[list[ChatMessage]](list[ChatMessage])
    state.messages = messages.validate_python(texts["messages"])
    state.output = ModelOutput.model_validate(texts["output"])
    state.output.usage, state.output.time = usage, generation.duration
    state.metadata |= cast("dict[str, object]", artifacts.redactor.clean_value(facts))
    add_events(texts)
    if usage is not None:
        _record(generation.model or "", usage)


def _texts_of(
    generation: GenerationResult, artifacts: RunArtifacts, key: TaskRepeat, uuid: str
) -> dict[str, JsonValue]:
    """Return the messages, the output and the events, from the files of the generation."""
    redactor, artifact = artifacts.redactor, generation.artifact
    named = artifact.filename if isinstance(artifact, Artifact) else ""
    texts = SampleTexts(
        read_task_trajectories(artifacts, key),
        generation.question or "",
        generation.data or named,
        generation.model or "",
        redactor=redactor,
        uuid=uuid,
    )
    began = (generation.started_at or datetime.now(UTC)).isoformat()
    found = texts.events({"started_at": began}, began)
    whole = found | {"messages": texts.messages, "output": texts.output}
    return cast("dict[str, JsonValue]", redactor.clean_value(whole))


def _facts(generation: GenerationResult, artifacts: RunArtifacts) -> dict[str, JsonValue]:
    """Return the metadata of the sample, with the names that an export has for it."""
    artifact = generation.artifact
    facts: dict[str, JsonValue] = {
        "generation_status": generation.status.value,
        "attempts": generation.attempts,
        "stop_reason": generation.stop_reason,
        "total_turns": generation.total_turns,
        "artifact": artifact.model_dump() if isinstance(artifact, Artifact) else None,
        "generation": generation.metadata or None,
        "run_dir": str(artifacts.run_dir),
    }
    return without_nulls(facts)


def end_sample(generation: GenerationResult, artifacts: RunArtifacts, key: TaskRepeat) -> None:
    """End the sample of a generation that is no success.

    Raises:
        AgentError: the generation failed.
        LimitExceededError: it ran out of time or turns.
    """
    clean = artifacts.redactor.clean_text
    if generation.status is GenerationStatus.ERROR:
        _note_traceback(artifacts, key)
        raise AgentError(clean(generation.error or "no reason given"))
    limit = sample_limit(generation)
    if limit is not None:
        kind: Literal["time", "turn"] = "time" if limit["type"] == "time" else "turn"
        _exceed(kind, float(str(limit["limit"])), clean(str(limit["reason"])))


def _exceed(kind: Literal["time", "turn"], limit: float, message: str) -> NoReturn:
    from inspect_ai.event import SampleLimitEvent
    from inspect_ai.util import LimitExceededError

    add_event(SampleLimitEvent(type=kind, message=message, limit=limit))
    raise LimitExceededError(kind, value=limit, limit=limit, message=message)


def _note_traceback(artifacts: RunArtifacts, key: TaskRepeat) -> None:
    from inspect_ai.log import transcript

    if text := traceback_of(artifacts, key):
        transcript().info({"traceback": text}, source="generate()")


def _usage_of(generation: GenerationResult) -> ModelUsage | None:
    from inspect_ai.model import ModelUsage

    tokens = TokenUsage.model_validate(known_tokens(generation))
    usage = model_usage(tokens, known_cost(generation))
    return None if usage is None else ModelUsage.model_validate(usage)


def _record(model: str, usage: ModelUsage) -> None:
    """Add the usage to that of the sample and of the evaluation.

    Inspect has no public function for models that it does not call itself.
    """
    from inspect_ai.model import ModelUsage

    try:
        from inspect_ai.model._model import model_usage as usage_of_all
        from inspect_ai.model._model import sample_model_usage
    except ImportError:
        return
    for total in (sample_model_usage(), usage_of_all()):
        total[model] = total.get(model, ModelUsage()) + usage
