"""What of the settings of a run may be written down: everything but secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from benchmark_runner._redaction import without_user_info
from benchmark_runner._run.runner_class import parse_options, secret_options, secrets_in
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel, JsonValue

    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.llm import LLMConfig


def public_sampling(config: LLMConfig) -> dict[str, JsonValue]:
    """The sampling settings that were given, without any key."""
    settings: dict[str, JsonValue] = config.model_dump(
        mode="json", exclude_unset=True, exclude={"custom_api_key"}
    )
    if config.custom_endpoint is not None:
        settings["custom_endpoint"] = without_user_info(config.custom_endpoint)
    return settings


def changed_options(
    runner: BenchmarkRunner, frozen: RunConfig, given: Mapping[str, str]
) -> dict[str, str]:
    """The given options that mean something else than the frozen ones; no secrets."""
    before = options_on_disk(runner, frozen)
    return {
        name: value
        for name, value in public_options(runner, given).items()
        if getattr(before, name, None) != getattr(runner.options, name)
        or name not in frozen.options
    }


def options_on_disk(runner: BenchmarkRunner, frozen: RunConfig) -> BaseModel:
    """The frozen options; secrets are not among them, though the model may demand one."""
    model = runner.OPTIONS_MODEL
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    try:
        return parse_options(model, dict.fromkeys(required, "") | frozen.options)
    except UsageError:
        return model.model_construct(set(frozen.options), **frozen.options)


def secrets_of(runner: BenchmarkRunner) -> list[str]:
    """The author's options that are secret."""
    options = cast("BaseModel", runner.options)
    return [text for _, value in options for text in secrets_in(value)]


def public_texts(
    config: RunConfig, task_hashes: Iterable[tuple[str, str]], artifacts: RunArtifacts
) -> Iterator[str]:
    """What is written down about a run on purpose, and so is no secret."""
    yield str(artifacts.run_dir)
    yield config.without_hashes(tasks=[]).model_dump_json()
    yield from config.tasks
    yield from (content_hash for _, content_hash in task_hashes)


def public_options(runner: BenchmarkRunner, options: Mapping[str, str]) -> dict[str, str]:
    """The author's options, without those that are secret."""
    secret = secret_options(runner.options)
    return {name: value for name, value in options.items() if name not in secret}
