"""Whether a resume is the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.identity import (
    check_same_code,
    check_same_dataset,
    check_same_limit,
    check_same_settings,
    check_same_source,
)
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.errors import RunIdentityError
from tests.unit.frozen_tasks import SCHEMA, frozen

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner.checkpoint import TaskSourceKind


def check_settings(
    config: RunConfig,
    *,
    model: str | None = None,
    sampling: dict[str, JsonValue] | None = None,
    options: dict[str, str] | None = None,
    payload_schema: str = SCHEMA,
) -> None:
    check_same_settings(config, model, sampling or {}, options or {}, payload_schema)


class TestSettings:
    def test_omitted_settings_are_not_compared(self) -> None:
        """Settings that are left out are not compared."""
        check_settings(
            frozen(sampling={"temperature": 0.5, "max_tokens": 9}, options={"depth": "3"})
        )

    def test_the_same_values_again_are_the_same_run(self) -> None:
        """The same values again are the same run."""
        check_settings(
            frozen(sampling={"temperature": 0.5}, options={"depth": "3"}),
            model="model-a",
            sampling={"temperature": 0.5},
            options={"depth": "3"},
        )

    def test_other_model_is_refused(self) -> None:
        """Another model is refused with both values and a hint."""
        with pytest.raises(RunIdentityError) as caught:
            check_settings(frozen(), model="model-b")

        assert "run 'run-1'" in caught.value.message
        assert "model was 'model-a', now 'model-b'" in caught.value.message
        assert "Leave out --model" in str(caught.value.hint)
        assert "--run-id" in str(caught.value.hint)

    @pytest.mark.parametrize(
        ("name", "before", "now", "flag"),
        [
            ("temperature", 0.5, 0.7, "--temperature"),
            ("temperature", 0.5, 0.0, "--temperature"),
            ("max_tokens", 100, 200, "--max-tokens"),
            ("top_p", 0.5, 0.9, "--top-p"),
            ("top_k", 1, 2, "--top-k"),
            ("reasoning_effort", "low", "high", "--reasoning-effort"),
            ("custom_endpoint", "http://a", "http://b", "--custom-endpoint"),
        ],
    )
    def test_other_sampling_setting_is_refused(
        self, name: str, before: JsonValue, now: JsonValue, flag: str
    ) -> None:
        """Another sampling setting is refused with both values and its flag."""
        with pytest.raises(RunIdentityError) as caught:
            check_settings(frozen(sampling={name: before}), sampling={name: now})

        assert f"{name} was {before!r}, now {now!r}" in caught.value.message
        assert flag in str(caught.value.hint)

    @pytest.mark.parametrize(
        ("name", "value", "flag", "said"),
        [
            ("temperature", 0.0, "--temperature", "temperature was not set, now 0.0"),
            ("native", False, "--chat-completions", "chat-completions was not set, now True"),
            (
                "provider_config",
                {"stream_completions": False},
                "--disable-streaming",
                "disable-streaming was not set, now True",
            ),
        ],
    )
    def test_newly_set_setting_is_refused(
        self, name: str, value: JsonValue, flag: str, said: str
    ) -> None:
        """A setting that was not set before is refused."""
        with pytest.raises(RunIdentityError, match=said) as caught:
            check_settings(frozen(), sampling={name: value})

        assert flag in str(caught.value.hint)

    @pytest.mark.parametrize("before", [{}, {"depth": "3"}])
    def test_other_option_is_refused(self, before: dict[str, str]) -> None:
        """Another value of an author's option is refused."""
        with pytest.raises(RunIdentityError, match=r"depth was .*, now '5'") as caught:
            check_settings(frozen(options=before), options={"depth": "5"})

        assert "--option depth" in str(caught.value.hint)

    def test_another_payload_schema_is_refused(self) -> None:
        """Another payload schema is refused."""
        with pytest.raises(RunIdentityError) as caught:
            check_settings(frozen(), payload_schema="my-bench.text.v2")

        assert SCHEMA in caught.value.message
        assert "my-bench.text.v2" in caught.value.message
        assert "--run-id" in str(caught.value.hint)

    def test_all_differences_are_listed(self) -> None:
        """All differences are listed in one error."""
        with pytest.raises(RunIdentityError) as caught:
            check_settings(
                frozen(sampling={"top_p": 0.5}),
                model="model-b",
                sampling={"top_p": 0.9},
                options={"depth": "5"},
            )

        for name in ("model", "top_p", "depth"):
            assert f"{name} was " in caught.value.message


class TestLimit:
    @pytest.mark.parametrize(("before", "now"), [(5, None), (5, 5), (None, None)])
    def test_same_or_no_limit_resumes(self, before: int | None, now: int | None) -> None:
        """The same limit, or none, resumes the run."""
        check_same_limit(frozen(limit=before), now)

    @pytest.mark.parametrize(
        ("before", "now", "text"), [(5, 6, "--limit 5"), (None, 6, "all tasks")]
    )
    def test_other_limit_is_refused(self, before: int | None, now: int, text: str) -> None:
        """Another limit is refused with both values."""
        with pytest.raises(RunIdentityError, match=f"{text}, not with --limit {now}"):
            check_same_limit(frozen(limit=before), now)


class TestSource:
    @pytest.mark.parametrize(
        ("source", "kind", "name"),
        [
            ("file", "file", None),
            ("problem", "problem", None),
            ("service", "service", "validation"),
        ],
    )
    def test_same_source_resumes(
        self, source: TaskSourceKind, kind: TaskSourceKind, name: str | None
    ) -> None:
        """The same source of tasks resumes the run."""
        check_same_source(frozen(task_source=source, dataset_name=name), kind, name)

    @pytest.mark.parametrize(
        ("source", "kind", "name", "texts"),
        [
            ("file", "service", "validation", ["a file", "dataset 'validation'"]),
            ("file", "problem", None, ["a file", "--problem"]),
            ("problem", "file", None, ["--problem", "a file"]),
            ("service", "file", None, ["dataset 'public'", "a file"]),
            ("service", "service", "validation", ["dataset 'public'", "dataset 'validation'"]),
        ],
    )
    def test_other_source_is_refused(
        self, source: TaskSourceKind, kind: TaskSourceKind, name: str | None, texts: list[str]
    ) -> None:
        """Another source of tasks is refused with both named."""
        with pytest.raises(RunIdentityError) as caught:
            check_same_source(frozen(task_source=source, dataset_name="public"), kind, name)

        assert all(text in caught.value.message for text in texts)
        assert "--run-id" in str(caught.value.hint)


class TestDataset:
    @pytest.mark.parametrize(
        ("before", "now"), [("validation", "validation"), (None, None), (None, "validation")]
    )
    def test_same_or_unknown_dataset_resumes(self, before: str | None, now: str | None) -> None:
        """The same dataset name, or none known before, resumes the run."""
        check_same_dataset(frozen(dataset_name=before), now)

    @pytest.mark.parametrize(
        ("now", "said"), [("test", "'test'"), (None, "one without a name"), ("", "without a name")]
    )
    def test_other_dataset_name_is_refused(self, now: str | None, said: str) -> None:
        """Another dataset name is refused with both."""
        with pytest.raises(RunIdentityError, match=r"from dataset 'validation', not") as caught:
            check_same_dataset(frozen(dataset_name="validation"), now)

        assert said in caught.value.message
        assert "--run-id" in str(caught.value.hint)


class TestCode:
    KNOWN = ("v1", "commit-1")

    def check(self, version: str | None, commit: str | None, *now: str | None) -> None:
        config = frozen(generation_version=version, runner_commit=commit)
        check_same_code(config, now[0] or "", now[1])

    @pytest.mark.parametrize(
        ("before", "now"),
        [
            (KNOWN, KNOWN),
            ((None, None), KNOWN),
            (("v1", None), KNOWN),
            (KNOWN, ("v1", None)),
        ],
    )
    def test_same_or_unknown_code_resumes(
        self, before: tuple[str | None, str | None], now: tuple[str, str | None]
    ) -> None:
        """The same code, or code that is not known, resumes the run."""
        self.check(*before, *now)

    @pytest.mark.parametrize(
        ("now", "said", "unsaid"),
        [
            (("v2", "commit-1"), ["generation version was 'v1', now 'v2'"], "commit"),
            (("v1", "commit-2"), ["runner commit was 'commit-1', now 'commit-2'"], "version"),
            (("v2", "commit-2"), ["generation version was", "; runner commit was"], None),
        ],
    )
    def test_other_code_is_refused(
        self, now: tuple[str, str], said: list[str], unsaid: str | None
    ) -> None:
        """Other code is refused with both versions and the flag to accept it."""
        with pytest.raises(RunIdentityError) as caught:
            self.check(*self.KNOWN, *now)

        assert all(text in caught.value.message for text in said)
        assert unsaid is None or unsaid not in caught.value.message
        assert "--accept-code-change" in str(caught.value.hint)
