from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from benchmark_runner._redaction import Redactor, forms_of
from benchmark_runner.artifacts.run_folder import TRACEBACK_LOG, RunArtifacts
from benchmark_runner.checkpoint import field_words
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult, ScoreResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = 'se/cret "key" 1'
ECHOES = [SECRET, json.dumps(SECRET)[1:-1], quote(SECRET, safe="")]
#: Holds what each encoding changes.
ODD = "a/b+c=d e\"f'g\\h&i<j>é"


def in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def in_javascript_url(text: str) -> str:
    return quote(text, safe="!'()*")


def in_lower_case_url(text: str) -> str:
    return "".join(
        f"%{byte:02x}" if not chr(byte).isalnum() or byte > 127 else chr(byte)
        for byte in text.encode()
    )


class TestForms:
    @pytest.mark.parametrize("echo", ECHOES, ids=["plain", "JSON", "URL"])
    def test_every_form_of_a_secret_is_masked(self, echo: str) -> None:
        redactor = Redactor([SECRET])
        assert redactor.clean_text(f"refused: {echo}!") == "refused: ***!"
        assert redactor.clean(f"<{echo}>".encode()) == b"<***>"

    @pytest.mark.parametrize(
        "encode",
        [
            str,
            lambda text: repr(text)[1:-1],
            in_json,
            lambda text: in_json(in_json(text)),
            lambda text: in_json(in_json(in_json(text))),
            lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
            lambda text: in_json(text).replace("/", "\\/"),
            lambda text: in_json(repr(text)[1:-1]),
            lambda text: quote(text, safe=""),
            quote,
            quote_plus,
            in_javascript_url,
            in_lower_case_url,
            html.escape,
            lambda text: b64encode(text.encode()).decode(),
            lambda text: b64encode(text.encode()).decode().rstrip("="),
            lambda text: urlsafe_b64encode(text.encode()).decode(),
            lambda text: in_json(b64encode(text.encode()).decode()).replace("/", "\\/"),
        ],
    )
    def test_no_encoding_on_the_way_back_gets_it_through(
        self, encode: Callable[[str], str]
    ) -> None:
        assert Redactor([ODD]).clean_text(f"it said <{encode(ODD)}>") == "it said <***>"

    @pytest.mark.parametrize("before", ["", "me:", "user:", "someone:"])
    @pytest.mark.parametrize("after", ["", ":", ":x"])
    def test_neither_does_base64_of_a_text_that_it_is_a_part_of(
        self, before: str, after: str
    ) -> None:
        key = "sk-0123456789abcdef"
        header = b64encode(f"{before}{key}{after}".encode()).decode()
        cleaned = Redactor([key]).clean_text(f"Basic {header}")
        assert "***" in cleaned
        shown = cleaned.removeprefix("Basic ").split("***")
        # What is left holds no more of it than the characters that both share.
        assert len("".join(shown)) <= len(b64encode((before + after).encode())) + 4

    def test_a_bearer_header_keeps_its_first_word(self) -> None:
        cleaned = Redactor(["sk-0123456789abcdef"]).clean_text("Bearer sk-0123456789abcdef")
        assert cleaned == "Bearer ***"

    def test_a_short_secret_has_no_base64_that_stands_in_every_text(self) -> None:
        assert forms_of(["me"]) == ("me",)

    def test_no_form_is_empty(self) -> None:
        assert "" not in forms_of(["", SECRET])

    def test_a_secret_that_is_not_valid_unicode_is_masked(self) -> None:
        broken = "\udcff-as-the-environment-holds-it"
        assert Redactor([broken]).clean_text(f"<{broken}>") == "<***>"


class TestMasking:
    def test_a_secret_inside_another_leaves_no_rest_of_the_longer_one(self) -> None:
        redactor = Redactor(["long-key", "long-key-and-more"])
        assert redactor.clean_text("long-key-and-more, long-key") == "***, ***"

    @pytest.mark.parametrize("short", [None, "", "x", "test", "7-chars", " 7-chars "])
    def test_a_short_text_is_left_alone(self, short: str | None) -> None:
        redactor = Redactor([short])
        assert redactor.clean_text("x test  7-chars ") == "x test  7-chars "

    def test_eight_characters_are_a_secret(self) -> None:
        assert Redactor(["12345678"]).clean_text("12345678") == "***"

    def test_white_space_around_a_key_is_no_part_of_it(self) -> None:
        assert Redactor(["first-key\n"]).clean_text("<first-key>") == "<***>"

    def test_more_may_be_hidden_later(self) -> None:
        redactor = Redactor(["first-key"])
        redactor.hide(["second-key", None])
        assert redactor.clean_text("first-key second-key") == "*** ***"

    def test_text_that_is_not_valid_unicode_goes_through(self) -> None:
        assert Redactor([SECRET]).clean_text(f"\ud800 {SECRET}") == "\ud800 ***"

    @pytest.mark.parametrize(
        ("text", "cleaned"),
        [
            ("key 33333333.", "key ***."),
            ("user:33333333@host", "user:***@host"),
            ("[0.3333333333333333, 33333333.5, 133333333, 0.33333333]", None),
        ],
    )
    def test_digits_are_masked_where_they_are_no_part_of_a_number(
        self, text: str, cleaned: str | None
    ) -> None:
        assert Redactor(["33333333"]).clean_text(text) == (cleaned or text)


class TestWhatIsNoSecret:
    def test_what_stands_in_a_name_is_spared_and_the_rest_is_not(self) -> None:
        redactor = Redactor(["lm-studio", "other-key"])
        redactor.spare(["lm-studio/qwen", "r1"])
        assert redactor.clean_text("lm-studio/qwen other-key") == "lm-studio/qwen ***"

    def test_what_is_spared_stays_so_when_it_is_hidden_again(self) -> None:
        redactor = Redactor(["lm-studio"])
        redactor.spare(["lm-studio/qwen"])
        redactor.hide(["lm-studio", "other-key"])
        assert redactor.clean_text("lm-studio other-key") == "lm-studio ***"

    def test_our_field_words_are_those_of_the_files_that_we_write(self) -> None:
        written = [
            GenerationResult(answer="x"),
            EvalResult(task_id="t1", status=EvalStatus.EVALUATED),
            ScoreResult(tasks_evaluated=[], final_score=1.0),
        ]
        assert {name for model in written for name in model.model_dump()} <= field_words()
        assert {"max_turns", "generation_error", "cache_write", "task_hashes"} <= field_words()

    @pytest.mark.parametrize("word", sorted(word for word in field_words() if len(word) >= 8))
    def test_a_key_that_is_a_word_of_ours_spoils_no_file(self, tmp_path: Path, word: str) -> None:
        artifacts = RunArtifacts(
            tmp_path, "r1", Redactor([word, "other-key"], reserved=field_words)
        )
        generation = GenerationResult(
            task_id="t1", status="max_turns", answer="an answer", error="other-key"
        )
        result = EvalResult(task_id="t1", status=EvalStatus.GENERATION_ERROR, error="other-key")
        artifacts.save_generation("t1", generation)
        artifacts.save_eval("t1", result)
        masked = {"error": "***"}
        assert artifacts.load_generation("t1") == generation.model_copy(update=masked)
        assert artifacts.load_eval("t1") == result.model_copy(update=masked)


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
