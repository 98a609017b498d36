"""The author's options: parsed, and without the secrets among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast, get_args, get_origin

from pydantic import BaseModel, Secret, SecretBytes, SecretStr, ValidationError

from benchmark_runner._json import problems_of
from benchmark_runner._redaction import Redactor, without_user_info
from benchmark_runner._secrets import keys_in, looks_like_a_key
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.llm import LLMConfig

_SECRET_TYPES: tuple[type, ...] = (SecretStr, SecretBytes, Secret)


def split_options(given: Sequence[str]) -> dict[str, str]:
    """Split ``KEY=VALUE`` texts."""
    options: dict[str, str] = {}
    for number, item in enumerate(given, start=1):
        key, equals, value = item.partition("=")
        if not equals or not key:  # not repeated here, as it may be a secret without its name
            raise UsageError(
                f"--option number {number} is not KEY=VALUE", hint="Write it as --option KEY=VALUE."
            )
        if key in options:
            raise UsageError(f"--option {key}: given twice", hint="Give each option once.")
        options[key] = value
    return options


def parse_options(model: type[BaseModel], options: Mapping[str, str]) -> BaseModel:
    """Validate the author's options with the author's model.

    Raises:
        UsageError: one is unknown or missing, or the model refuses it.
    """
    known = ", ".join(model.model_fields)
    hint = (
        f"Known options: {known}." if known else "This runner has none: it sets no OPTIONS_MODEL."
    )
    if unknown := [name for name in options if name not in model.model_fields]:
        raise UsageError(f"--option {unknown[0]}: unknown option", hint=hint)
    try:
        return model.model_validate(options)
    except ValidationError as error:
        reasons = "; ".join(f"{field}: {message}" for field, message in problems_of(error))
        # The author's own validators may repeat the value.
        redactor = Redactor([options[name] for name in _secret_fields(model) & {*options}])
        raise UsageError(f"--option {redactor.clean_text(reasons)}", hint=hint) from None


def options_on_disk(runner: BenchmarkRunner, frozen: RunConfig) -> BaseModel:
    """Return the frozen options. Secrets are not among them, though the model may require one."""
    model = runner.OPTIONS_MODEL
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    try:
        return parse_options(model, dict.fromkeys(required, "") | frozen.options)
    except UsageError:
        return model.model_construct(set(frozen.options), **frozen.options)


def changed_options(
    runner: BenchmarkRunner, frozen: RunConfig, given: Mapping[str, str]
) -> dict[str, str]:
    """Return the given options whose value differs from the frozen one; no secrets."""
    before = options_on_disk(runner, frozen)
    return {
        name: value
        for name, value in public_options(runner, given).items()
        if getattr(before, name, None) != getattr(runner.options, name)
        or name not in frozen.options
    }


def public_options(runner: BenchmarkRunner, options: Mapping[str, str]) -> dict[str, str]:
    """Return the author's options without those that are, or hold, a secret."""
    parsed = cast("BaseModel", runner.options)
    secret = _secret_fields(type(parsed)) | {
        name for name, value in parsed if [*_secrets_in(value)]
    }
    return {name: value for name, value in options.items() if name not in secret}


def secrets_of(runner: BenchmarkRunner) -> list[tuple[str, str]]:
    """Return the names and the plain texts of the secrets among the author's options."""
    options = cast("BaseModel", runner.options)
    return [(name, text) for name, value in options for text in _secrets_in(value)]


def refuse_keys_in(options: Mapping[str, str], redactor: Redactor) -> None:
    """Refuse to write a key into ``run_config.json``.

    Raises:
        UsageError: a public option holds one.
    """
    for name, value in options.items():
        # A short word may be a key here and a name there.
        keys = filter(looks_like_a_key, keys_in(value))
        if any(redactor.clean_text(key) != key for key in keys):
            raise UsageError(
                f"--option {name} holds a key, and would be written into run_config.json",
                hint=f"Declare {name} as a SecretStr in OPTIONS_MODEL, or read the key from the "
                "environment in generate().",
            )


def public_sampling(config: LLMConfig) -> dict[str, JsonValue]:
    """Return the sampling settings that were given, without any key."""
    settings: dict[str, JsonValue] = config.model_dump(
        mode="json", exclude_unset=True, exclude={"custom_api_key"}
    )
    if config.custom_endpoint is not None:
        settings["custom_endpoint"] = without_user_info(config.custom_endpoint)
    return settings


def public_texts(
    config: RunConfig, task_hashes: Iterable[tuple[str, str]], artifacts: RunArtifacts
) -> Iterator[str]:
    """Yield the texts about a run that are written on purpose, and so must not be masked."""
    yield str(artifacts.run_dir)
    yield config.without_hashes(tasks=[]).model_dump_json()
    yield from config.tasks
    yield from (content_hash for _, content_hash in task_hashes)


def _secrets_in(value: object) -> Iterator[str]:
    if isinstance(value, SecretBytes):
        yield value.get_secret_value().decode("utf-8", "replace")
    elif isinstance(value, (SecretStr, Secret)):
        yield str(cast("SecretStr", value).get_secret_value())
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in cast("Iterable[object]", value):
            yield from _secrets_in(item)


def _secret_fields(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if _is_secret(field.annotation)}


def _is_secret(annotation: object) -> bool:
    kinds: tuple[object, ...] = (annotation, get_origin(annotation))
    if any(isinstance(kind, type) and issubclass(kind, _SECRET_TYPES) for kind in kinds):
        return True
    return any(_is_secret(part) for part in get_args(annotation))
