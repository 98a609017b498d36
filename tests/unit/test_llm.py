from __future__ import annotations

import json
import pickle
import sys
from types import ModuleType

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from benchmark_runner.errors import UsageError
from benchmark_runner.llm import LLMConfig, build_llm_config

KEY = "sk-very-secret"


class LibraryConfig(BaseModel):
    """The fields that the two classes share, as Vals' model library names them."""

    max_tokens: int | None = 2048
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    reasoning: bool = False
    reasoning_effort: str | bool | None = None
    compute_effort: str | int | None = None
    supports_images: bool = False
    native: bool = True
    provider_config: dict[str, object] | BaseModel | None = None
    registry_key: str | None = None
    custom_api_key: SecretStr | None = None
    custom_endpoint: str | None = None


class OlderConfig(BaseModel):
    max_tokens: int | None = None


class OpenAIConfig(BaseModel):
    use_completions: bool = False
    stream_completions: bool = True


class OtherConfig(BaseModel):
    cache: bool = False


class OpenAIModel:
    provider_config = OpenAIConfig()


class OtherModel:
    provider_config = OtherConfig()


@pytest.fixture
def model_library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    package, base = ModuleType("model_library"), ModuleType("model_library.base")
    package.__path__ = []
    base.LLMConfig = LibraryConfig  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "model_library", package)
    monkeypatch.setitem(sys.modules, "model_library.base", base)
    return base


@pytest.fixture
def providers(model_library: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    openai, registry = ModuleType("openai"), ModuleType("register_models")
    vars(openai).update(OpenAIConfig=OpenAIConfig, OpenAIModel=OpenAIModel)
    known = {"openai": OpenAIModel, "other": OtherModel}
    vars(registry)["get_provider_registry"] = lambda: known
    monkeypatch.setitem(sys.modules, "model_library.providers", ModuleType("providers"))
    monkeypatch.setitem(sys.modules, "model_library.providers.openai", openai)
    monkeypatch.setitem(sys.modules, "model_library.register_models", registry)
    return model_library


def test_fields_are_those_of_model_library() -> None:
    """The fields are named as in the model library."""
    assert set(LLMConfig.model_fields) <= set(LibraryConfig.model_fields)
    assert {
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "reasoning_effort",
        "custom_endpoint",
        "custom_api_key",
    } <= set(LLMConfig.model_fields)


def test_omitted_setting_is_left_to_the_provider() -> None:
    """A setting that was left out is not set, so the provider decides."""
    config = build_llm_config()

    assert config == LLMConfig()
    assert config.model_fields_set == set()
    assert config.temperature is None


def test_every_flag_reaches_its_setting() -> None:
    """Each flag sets its own field."""
    config = build_llm_config(
        max_tokens=100,
        temperature=0.0,
        top_p=0.9,
        top_k=40,
        reasoning_effort="high",
        custom_endpoint="http://localhost:8000/v1",
        custom_api_key=KEY,
        chat_completions=True,
        disable_streaming=True,
    )

    assert config.model_dump(exclude_unset=True, exclude={"custom_api_key"}) == {
        "max_tokens": 100,
        "temperature": 0.0,
        "top_p": 0.9,
        "top_k": 40,
        "reasoning_effort": "high",
        "custom_endpoint": "http://localhost:8000/v1",
        "native": False,
        "provider_config": {"stream_completions": False},
    }
    assert config.custom_api_key is not None
    assert config.custom_api_key.get_secret_value() == KEY


def test_empty_endpoint_or_key_is_omitted() -> None:
    """An empty endpoint or key counts as left out."""
    config = build_llm_config(custom_endpoint="", custom_api_key="")

    assert config.model_fields_set == set()


def test_unknown_setting_is_refused() -> None:
    """A name that is no setting is refused."""
    with pytest.raises(ValidationError, match="temprature"):
        LLMConfig.model_validate({"temprature": 0.5})


class TestTheKeyIsNeverShown:
    config = LLMConfig(custom_api_key=SecretStr(KEY))

    @pytest.mark.parametrize(
        "show",
        [
            repr,
            str,
            format,
            lambda config: repr(config.model_dump()),
            lambda config: str(config.model_dump(mode="json")),
            LLMConfig.model_dump_json,
            lambda config: json.dumps(config.model_dump(), default=str),
            lambda config: repr(config.custom_api_key),
            lambda config: repr([*config]),
        ],
    )
    def test_key_is_hidden_in_texts_and_dumps(self, show: object) -> None:
        """The key is in no text and in no dump of the config."""
        assert callable(show)
        assert KEY not in show(self.config)

    @pytest.mark.parametrize(
        "settings",
        [
            {"custom_api_key": KEY, "max_tokens": "many"},
            {"custom_api_key": KEY, "unknown": 1},
            {"custom_api_key": [KEY]},
            {"custom_api_key": {"key": KEY}},
            {"api_key": KEY},
        ],
    )
    def test_key_is_hidden_in_validation_errors(self, settings: dict[str, object]) -> None:
        """The error about a wrong setting does not hold the key."""
        with pytest.raises(ValidationError) as caught:
            LLMConfig.model_validate(settings)

        assert KEY not in str(caught.value)

    def test_key_survives_pickling(self) -> None:
        """The key is kept when the config is sent to another process."""
        config = pickle.loads(pickle.dumps(self.config))

        assert config == self.config
        assert config.custom_api_key.get_secret_value() == KEY


class TestTheModelLibrary:
    def test_settings_reach_the_model_library(self, model_library: ModuleType) -> None:
        """The model library gets what was set, under the same names."""
        config = build_llm_config(
            max_tokens=5,
            temperature=0.0,
            custom_endpoint="http://localhost/v1",
            custom_api_key=KEY,
            chat_completions=True,
            disable_streaming=True,
        )

        converted = config.to_model_library()

        assert isinstance(converted, LibraryConfig)
        assert (converted.max_tokens, converted.temperature) == (5, 0.0)
        assert converted.native is False
        assert converted.provider_config == {"stream_completions": False}
        assert converted.custom_endpoint == "http://localhost/v1"
        assert converted.custom_api_key is not None
        assert converted.custom_api_key.get_secret_value() == KEY

    def test_model_library_keeps_its_defaults(self, model_library: ModuleType) -> None:
        """Settings that were left out keep the model library's defaults."""
        converted = build_llm_config(temperature=0.5).to_model_library()

        assert converted.model_fields_set == {"temperature"}
        assert converted.max_tokens == 2048

    @pytest.mark.parametrize("model", ["openai/gpt", "of-an-endpoint", "unknown/model"])
    def test_openai_gets_settings_of_its_kind(self, providers: ModuleType, model: str) -> None:
        """OpenAI, and what no provider is known of, gets its own kind of settings."""
        config = build_llm_config(chat_completions=True, disable_streaming=True)
        converted = config.to_model_library(model)
        assert converted.native is True
        assert converted.provider_config == OpenAIConfig(
            use_completions=True, stream_completions=False
        )
        assert build_llm_config().to_model_library(model).model_fields_set == set()

    def test_other_provider_gets_settings_of_its_kind(self, providers: ModuleType) -> None:
        """Another provider gets its own settings, or those of its OpenAI-compatible API."""
        chat = build_llm_config(chat_completions=True, disable_streaming=True)
        converted = chat.to_model_library("other/model")
        assert converted.native is False
        assert converted.provider_config == OpenAIConfig(stream_completions=False)
        own = LLMConfig(provider_config={"cache": True}).to_model_library("other/model")
        assert own.provider_config == OtherConfig(cache=True)

    def test_setting_of_no_provider_is_refused(self, providers: ModuleType) -> None:
        """A setting that the provider does not have is refused by its name."""
        config = LLMConfig(provider_config={"speed": 9})
        with pytest.raises(UsageError, match="has no setting speed") as caught:
            config.to_model_library("other/model")
        assert "model-library>=" in str(caught.value.hint)

    def test_setting_of_a_later_library_is_refused(
        self, model_library: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A setting that an older model library would drop is refused."""
        monkeypatch.setattr(model_library, "LLMConfig", OlderConfig)
        assert build_llm_config(max_tokens=5).to_model_library().max_tokens == 5
        with pytest.raises(UsageError, match="has no setting custom_endpoint"):
            build_llm_config(custom_endpoint="http://localhost/v1").to_model_library()

    def test_missing_model_library_is_a_usage_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the model library the error says where to add it."""
        monkeypatch.setitem(sys.modules, "model_library", None)
        monkeypatch.delitem(sys.modules, "model_library.base", raising=False)

        with pytest.raises(UsageError, match="model-library is not installed") as caught:
            LLMConfig().to_model_library()

        assert "pyproject.toml" in str(caught.value.hint)

    def test_missing_dependency_is_not_hidden(
        self,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        """A module that the model library lacks is reported under its own name."""
        folder = tmp_path_factory.mktemp("site") / "model_library"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "base.py").write_text("import a_module_that_is_nowhere\n")
        for name in [name for name in sys.modules if name.partition(".")[0] == "model_library"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(str(folder.parent))

        with pytest.raises(ModuleNotFoundError, match="a_module_that_is_nowhere"):
            LLMConfig().to_model_library()

        sys.modules.pop("model_library", None)
