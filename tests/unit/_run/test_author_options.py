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
        """Texts become the types of the author's model."""
        options = parse(Options, ["depth=5", "style=long"])

        assert options == Options(depth=5, style="long")

    def test_defaults_hold_for_what_is_not_given(self) -> None:
        """Options that are not given have their defaults."""
        assert parse(Options, []) == Options()

    def test_value_may_hold_an_equals_sign(self) -> None:
        """A value may hold an equals sign or be empty."""

        class Free(BaseModel):
            url: str = "x"
            note: str = "x"

        assert parse(Free, ["url=http://x?a=b", "note="]) == Free(url="http://x?a=b", note="")

    @pytest.mark.parametrize("item", ["depth", "=5", ""])
    def test_item_must_be_key_value(self, item: str) -> None:
        """An item that is not KEY=VALUE is refused."""
        with pytest.raises(UsageError, match="not KEY=VALUE"):
            parse(Options, [item])

    def test_unknown_option_lists_the_known(self) -> None:
        """An unknown option is refused with the list of known ones."""
        with pytest.raises(UsageError, match="--option dept: unknown") as caught:
            parse(Options, ["dept=5"])

        assert "depth, style" in str(caught.value.hint)

    def test_runner_without_options_says_so(self) -> None:
        """A runner without options names OPTIONS_MODEL in its hint."""
        with pytest.raises(UsageError, match="--option depth: unknown") as caught:
            parse(NoOptions, ["depth=5"])

        assert "OPTIONS_MODEL" in str(caught.value.hint)

    def test_repeated_option_is_refused(self) -> None:
        """An option that is given twice is refused."""
        with pytest.raises(UsageError, match="--option depth: given twice"):
            parse(Options, ["depth=5", "depth=6"])

    def test_invalid_value_names_the_option(self) -> None:
        """A value that does not fit is refused with the option's name."""
        with pytest.raises(UsageError, match=r"depth: .*integer"):
            parse(Options, ["depth=deep"])

    def test_missing_required_option_is_named(self) -> None:
        """A required option that is missing is named."""

        class Needy(BaseModel):
            level: int

        with pytest.raises(UsageError, match=r"level: .*required"):
            parse(Needy, [])

    def test_secret_option_is_not_shown(self) -> None:
        """A secret option is not shown when another one is wrong."""
        with pytest.raises(UsageError) as caught:
            parse(Options, ["token=sk-secret", "depth=deep"])

        assert "sk-secret" not in caught.value.message
