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
    provider_config: dict[str, object] | None = None
    registry_key: str | None = None
    custom_api_key: SecretStr | None = None
    custom_endpoint: str | None = None


@pytest.fixture
def model_library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    package, base = ModuleType("model_library"), ModuleType("model_library.base")
    package.__path__ = []
    base.LLMConfig = LibraryConfig  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "model_library", package)
    monkeypatch.setitem(sys.modules, "model_library.base", base)
    return base


def test_the_field_names_are_those_of_the_model_library() -> None:
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


def test_a_setting_that_was_left_out_is_left_to_the_provider() -> None:
    config = build_llm_config()

    assert config == LLMConfig()
    assert config.model_fields_set == set()
    assert config.temperature is None


def test_every_flag_reaches_its_setting() -> None:
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


def test_an_empty_endpoint_or_key_counts_as_left_out() -> None:
    config = build_llm_config(custom_endpoint="", custom_api_key="")

    assert config.model_fields_set == set()


def test_a_name_that_is_no_setting_is_refused() -> None:
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
    def test_in_a_text_or_a_dump(self, show: object) -> None:
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
    def test_in_the_error_about_a_wrong_setting(self, settings: dict[str, object]) -> None:
        with pytest.raises(ValidationError) as caught:
            LLMConfig.model_validate(settings)

        assert KEY not in str(caught.value)

    def test_and_yet_it_survives_the_way_to_another_process(self) -> None:
        config = pickle.loads(pickle.dumps(self.config))

        assert config == self.config
        assert config.custom_api_key.get_secret_value() == KEY


class TestTheModelLibrary:
    def test_it_gets_what_was_set_under_the_same_names(self, model_library: ModuleType) -> None:
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

    def test_its_own_defaults_hold_for_the_rest(self, model_library: ModuleType) -> None:
        converted = build_llm_config(temperature=0.5).to_model_library()

        assert converted.model_fields_set == {"temperature"}
        assert converted.max_tokens == 2048

    def test_its_absence_is_told_with_the_way_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "model_library", None)
        monkeypatch.delitem(sys.modules, "model_library.base", raising=False)

        with pytest.raises(UsageError, match="model-library is not installed") as caught:
            LLMConfig().to_model_library()

        assert "pyproject.toml" in str(caught.value.hint)

    def test_what_is_missing_inside_it_is_not_mistaken_for_its_absence(
        self,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
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
