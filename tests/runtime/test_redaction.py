from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from benchmark_runner.artifacts import TRACEBACK_LOG, RunArtifacts
from benchmark_runner.redaction import Redactor, forms_of, user_info, without_user_info
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult

if TYPE_CHECKING:
    from pathlib import Path

SECRET = 'se/cret "key" 1'
ECHOES = [SECRET, json.dumps(SECRET)[1:-1], quote(SECRET, safe="")]


class TestMasking:
    @pytest.mark.parametrize("echo", ECHOES, ids=["plain", "JSON", "URL"])
    def test_every_form_of_a_secret_is_masked(self, echo: str) -> None:
        redactor = Redactor([SECRET])
        assert redactor.clean_text(f"refused: {echo}!") == "refused: ***!"
        assert redactor.clean(f"<{echo}>".encode()) == b"<***>"

    def test_a_secret_inside_another_leaves_no_rest_of_the_longer_one(self) -> None:
        redactor = Redactor(["long-key", "long-key-and-more"])
        assert redactor.clean_text("long-key-and-more, long-key") == "***, ***"

    @pytest.mark.parametrize("short", [None, "", "x", "test", "7-chars"])
    def test_a_short_text_is_left_alone(self, short: str | None) -> None:
        redactor = Redactor([short])
        assert redactor.clean_text("x test 7-chars") == "x test 7-chars"

    def test_eight_characters_are_a_secret(self) -> None:
        assert Redactor(["12345678"]).clean_text("12345678") == "***"

    def test_more_may_be_hidden_later(self) -> None:
        redactor = Redactor(["first-key"])
        redactor.hide(["second-key", None])
        assert redactor.clean_text("first-key second-key") == "*** ***"

    def test_what_stands_in_a_name_is_spared_and_the_rest_is_not(self) -> None:
        redactor = Redactor(["lm-studio", "other-key"])
        redactor.spare(["lm-studio/qwen", "r1"])
        assert redactor.clean_text("lm-studio/qwen other-key") == "lm-studio/qwen ***"

    def test_text_that_is_not_valid_unicode_goes_through(self) -> None:
        assert Redactor([SECRET]).clean_text(f"\ud800 {SECRET}") == "\ud800 ***"

    def test_no_form_is_empty(self) -> None:
        assert "" not in forms_of(["", SECRET])


class TestUrls:
    def test_user_names_and_passwords_are_found_as_written_and_as_meant(self) -> None:
        found = user_info("https://some%40one:pass%2Fword@example.com/x")
        assert found == ["some%40one", "pass%2Fword", "some@one", "pass/word"]

    @pytest.mark.parametrize("url", ["https://example.com", "", "local", "http://[", "x:y@"])
    def test_a_url_without_them_has_none(self, url: str) -> None:
        assert user_info(url) == []

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://me:word@example.com:8/x?y=1", "https://example.com:8/x?y=1"),
            ("https://a@b@example.com", "https://example.com"),
            ("local", "local"),
            ("http://me:word@[", "["),
        ],
    )
    def test_they_are_not_shown(self, url: str, shown: str) -> None:
        assert without_user_info(url) == shown


class TestFiles:
    @pytest.mark.parametrize("echo", ECHOES, ids=["plain", "JSON", "URL"])
    def test_no_file_of_a_run_holds_a_secret(self, tmp_path: Path, echo: str) -> None:
        artifacts = RunArtifacts(tmp_path, "r1", Redactor([SECRET]))
        artifacts.save_generation(
            "t1",
            GenerationResult(answer=f"a {echo}", error=echo, metadata={"said": [echo], echo: 1}),
        )
        artifacts.save_eval(
            "t1",
            EvalResult(task_id="t1", status=EvalStatus.ERROR, error=echo, result={"said": echo}),
        )
        artifacts.write_log("t1", TRACEBACK_LOG, f"ValueError: {echo}\n")
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(files) == 3
        for path in files:
            assert "cret" not in path.read_text(), path.name
            assert "***" in path.read_text(), path.name
        # Masking leaves files that can be read again.
        assert artifacts.load_generation("t1") is not None
        assert artifacts.load_eval("t1") is not None
        assert artifacts.set_aside == []
