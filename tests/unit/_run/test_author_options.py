"""The author's options."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, SecretStr

from benchmark_runner._run.author_options import parse_options, split_options
from benchmark_runner.base import NoOptions
from benchmark_runner.errors import UsageError


class Options(BaseModel):
    depth: int = 3
    style: Literal["short", "long"] = "short"
    token: SecretStr | None = None


def parse(model: type[BaseModel], given: list[str]) -> BaseModel:
    return parse_options(model, split_options(given))


class TestOptions:
    def test_texts_become_the_types_of_the_model(self) -> None:
        options = parse(Options, ["depth=5", "style=long"])

        assert options == Options(depth=5, style="long")

    def test_defaults_hold_for_what_is_not_given(self) -> None:
        assert parse(Options, []) == Options()

    def test_a_value_may_hold_an_equals_sign_or_nothing(self) -> None:
        class Free(BaseModel):
            url: str = "x"
            note: str = "x"

        assert parse(Free, ["url=http://x?a=b", "note="]) == Free(url="http://x?a=b", note="")

    @pytest.mark.parametrize("item", ["depth", "=5", ""])
    def test_what_is_not_key_value_is_refused(self, item: str) -> None:
        with pytest.raises(UsageError, match="not KEY=VALUE"):
            parse(Options, [item])

    def test_an_unknown_option_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(UsageError, match="--option dept: unknown") as caught:
            parse(Options, ["dept=5"])

        assert "depth, style" in str(caught.value.hint)

    def test_a_runner_without_options_says_so(self) -> None:
        with pytest.raises(UsageError, match="--option depth: unknown") as caught:
            parse(NoOptions, ["depth=5"])

        assert "OPTIONS_MODEL" in str(caught.value.hint)

    def test_an_option_given_twice_is_refused(self) -> None:
        with pytest.raises(UsageError, match="--option depth: given twice"):
            parse(Options, ["depth=5", "depth=6"])

    def test_a_value_that_does_not_fit_is_refused_with_the_options_name(self) -> None:
        with pytest.raises(UsageError, match=r"depth: .*integer"):
            parse(Options, ["depth=deep"])

    def test_a_required_option_that_is_missing_is_named(self) -> None:
        class Needy(BaseModel):
            level: int

        with pytest.raises(UsageError, match=r"level: .*required"):
            parse(Needy, [])

    def test_a_secret_option_is_not_shown_when_another_one_is_wrong(self) -> None:
        with pytest.raises(UsageError) as caught:
            parse(Options, ["token=sk-secret", "depth=deep"])

        assert "sk-secret" not in caught.value.message
