"""Sampling and endpoint settings of the model, from the flags to ``generate()``."""

from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, SecretStr

from benchmark_runner.errors import UsageError

__all__ = ["LLMConfig", "ProviderConfig", "build_llm_config"]

#: The first version of ``model-library`` with all of these settings.
_OLDEST_LIBRARY = "0.1.36"


class ProviderConfig(dict[str, JsonValue]):
    """The settings of one provider, which are also attributes: ``.stream_completions``."""

    def __getattr__(self, name: str) -> JsonValue:
        """Return a setting; one that was not given is an ``AttributeError``."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class LLMConfig(BaseModel):
    """The settings of a model, with the field names of Vals' model library.

    ``None`` means the provider's default. Neither ``repr()`` nor a dump shows the key.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    reasoning: bool = False
    reasoning_effort: str | bool | None = None
    compute_effort: str | int | None = None
    native: bool = True
    """``False`` asks for the OpenAI-compatible chat completions API."""
    provider_config: Annotated[dict[str, JsonValue], AfterValidator(ProviderConfig)] | None = None
    """Settings of one provider; ``{"stream_completions": False}`` turns streaming off."""
    custom_api_key: SecretStr | None = None
    custom_endpoint: Annotated[str | None, Field(repr=False)] = None
    """The base URL; not in the ``repr()``, as it may hold a password."""

    def to_model_library(self, model: str | None = None) -> Any:
        """Return the same settings as ``model_library.base.LLMConfig``.

        The return type is open because that library is optional. Only explicitly set fields
        are passed on; the library's defaults apply to the rest.

        Args:
            model: The model that they are for, as in the library's registry:
                ``provider/model``. The library ignores ``provider_config``, and rejects
                ``native=False`` for OpenAI, unless they are of the kind that its provider has.

        Raises:
            UsageError: ``model-library`` is not installed, or it lacks a setting, or the model's
                provider does.
        """
        base = _import_library("base")
        settings = {name: getattr(self, name) for name in self.model_fields_set}
        if unknown := settings.keys() - base.LLMConfig.model_fields.keys():
            raise _too_old(unknown)
        if model is not None:
            settings |= self._of_provider(model)
        return base.LLMConfig(**settings)

    def _of_provider(self, model: str) -> dict[str, object]:
        """Return ``native`` and ``provider_config`` as the provider's class wants them."""
        openai = _import_library("providers.openai")
        classes = _import_library("register_models").get_provider_registry()
        provider: Any = classes.get(model.partition("/")[0], openai.OpenAIModel)
        given, settings = dict(self.provider_config or {}), dict[str, object]()
        if not self.native and issubclass(provider, openai.OpenAIModel):
            given["use_completions"] = settings["native"] = True
        kinds: list[Any] = [type(getattr(provider, "provider_config", None)), openai.OpenAIConfig]
        for kind in kinds:
            if given.keys() <= getattr(kind, "model_fields", {}).keys():
                return settings | ({"provider_config": kind(**given)} if given else {})
        raise _too_old(given)


def _too_old(names: Iterable[str]) -> UsageError:
    return UsageError(
        f"the installed model-library has no setting {', '.join(sorted(names))}",
        hint=f'Depend on "model-library>={_OLDEST_LIBRARY}" in pyproject.toml.',
    )


def _import_library(module: str) -> Any:
    """Import a module of ``model-library``, whose types are not known without it."""
    try:
        return import_module(f"model_library.{module}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "model_library":
            raise
        raise UsageError(
            "model-library is not installed",
            hint='Add "model-library" to the dependencies in pyproject.toml.',
        ) from None


def build_llm_config(
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    reasoning_effort: str | None = None,
    custom_endpoint: str | None = None,
    custom_api_key: str | None = None,
    chat_completions: bool = False,
    disable_streaming: bool = False,
) -> LLMConfig:
    """Return the settings for values of the command line's flags.

    ``None`` (and ``False``) leaves a setting at the model's default.
    """
    given: dict[str, object] = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "reasoning_effort": reasoning_effort,
        "custom_endpoint": custom_endpoint or None,
        "custom_api_key": SecretStr(custom_api_key) if custom_api_key else None,
        "native": False if chat_completions else None,
        "provider_config": {"stream_completions": False} if disable_streaming else None,
    }
    return LLMConfig.model_validate(
        {key: value for key, value in given.items() if value is not None}
    )
