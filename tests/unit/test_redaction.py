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
PLAIN_KEY = "sk-0123456789abcdef"
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
        """A secret is masked as it is, in JSON and in a URL, in text and in bytes."""
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
    def test_every_encoding_is_masked(self, encode: Callable[[str], str]) -> None:
        """A secret is masked in each encoding in which a service may repeat it."""
        assert Redactor([ODD]).clean_text(f"it said <{encode(ODD)}>") == "it said <***>"

    @pytest.mark.parametrize("before", ["", "me:", "user:", "someone:"])
    @pytest.mark.parametrize("after", ["", ":", ":x"])
    def test_base64_around_a_secret_is_masked(self, before: str, after: str) -> None:
        """A secret is masked in the base64 of a longer text that holds it."""
        key = "sk-0123456789abcdef"
        header = b64encode(f"{before}{key}{after}".encode()).decode()
        cleaned = Redactor([key]).clean_text(f"Basic {header}")
        assert "***" in cleaned
        shown = cleaned.removeprefix("Basic ").split("***")
        # What is left holds no more of it than the characters that both share.
        assert len("".join(shown)) <= len(b64encode((before + after).encode())) + 4

    def test_bearer_header_keeps_its_first_word(self) -> None:
        """In a bearer header only the secret is masked."""
        cleaned = Redactor(["sk-0123456789abcdef"]).clean_text("Bearer sk-0123456789abcdef")
        assert cleaned == "Bearer ***"

    def test_short_secret_has_no_base64_form(self) -> None:
        """A short secret has no base64 form that would match other text."""
        assert forms_of(["me"]) == ("me",)

    def test_no_form_is_empty(self) -> None:
        """No form of a secret is empty."""
        assert "" not in forms_of(["", SECRET])

    def test_secret_that_is_not_unicode_is_masked(self) -> None:
        """A secret that is not valid Unicode is masked."""
        broken = "\udcff-as-the-environment-holds-it"
        assert Redactor([broken]).clean_text(f"<{broken}>") == "<***>"


class TestMasking:
    def test_longer_secret_leaves_no_rest(self) -> None:
        """A secret inside a longer one leaves no rest of the longer one."""
        redactor = Redactor(["long-key", "long-key-and-more"])
        assert redactor.clean_text("long-key-and-more, long-key") == "***, ***"

    @pytest.mark.parametrize("short", [None, "", "x", "test", "7-chars", " 7-chars "])
    def test_a_short_text_is_left_alone(self, short: str | None) -> None:
        """A text of fewer than eight characters is not masked."""
        redactor = Redactor([short])
        assert redactor.clean_text("x test  7-chars ") == "x test  7-chars "

    def test_eight_characters_are_a_secret(self) -> None:
        """A text of eight characters is masked."""
        assert Redactor(["a1b2c3d4"]).clean_text("a1b2c3d4") == "***"

    def test_white_space_around_a_key_is_ignored(self) -> None:
        """White space around a key is not part of it."""
        assert Redactor(["first-key\n"]).clean_text("<first-key>") == "<***>"

    @pytest.mark.parametrize(
        "given",
        [
            "first-key;other-key",
            "first-key, other-key",
            "first-key other-key\n",
            "first-key|other-key",
            "first-key\r\nother-key\r\n",
            "first-key\\nother-key",
            '["first-key", "other-key"]',
            "token=first-key;password=other-key",
            '{"token": "first-key", "password": "other-key"}',
        ],
    )
    def test_each_key_of_a_list_is_masked(self, given: str) -> None:
        """Each key of a list is masked by itself."""
        assert Redactor([given]).clean_text("<first-key> <other-key>") == "<***> <***>"

    @pytest.mark.parametrize(
        "given",
        [
            " first-key ",
            "first-key\r\n",
            '"first-key"',
            "'first-key'",
            "\u201cfirst-key\u201d",
            '"first-key',
            "\ufefffirst-key\u200b",
            "Bearer first-key",
            'bearer "first-key"',
            "'Bearer first-key'\r",
            "Token: first-key",
        ],
    )
    def test_a_copied_key_is_masked(self, given: str) -> None:
        """A key is masked without what was copied with it."""
        assert Redactor([given]).clean_text("<first-key>") == "<***>"

    def test_secrets_can_be_added_later(self) -> None:
        """A secret that is added later is masked, too."""
        redactor = Redactor(["first-key"])
        redactor.hide(["second-key", None])
        assert redactor.clean_text("first-key second-key") == "*** ***"

    def test_text_that_is_not_unicode_is_cleaned(self) -> None:
        """Text that is not valid Unicode is cleaned without an error."""
        assert Redactor([SECRET]).clean_text(f"\ud800 {SECRET}") == "\ud800 ***"

    @pytest.mark.parametrize(
        ("text", "cleaned"),
        [
            ("key 4012888888881881.", "key ***."),
            ("user:4012888888881881@host", "user:***@host"),
            ("[0.4012888888881881, 4012888888881881.5, 14012888888881881]", None),
        ],
    )
    def test_digits_inside_a_number_are_kept(self, text: str, cleaned: str | None) -> None:
        """A secret of digits is masked except inside a longer number."""
        assert Redactor(["4012888888881881"]).clean_text(text) == (cleaned or text)


class TestWhatIsNoSecret:
    def test_spared_words_are_not_masked(self) -> None:
        """A text that is part of a spared name is not masked; others are."""
        redactor = Redactor(["big-server", "other-key"])
        redactor.spare(["big-server/qwen", "r1"])
        assert redactor.clean_text("big-server/qwen other-key") == "big-server/qwen ***"

    def test_spared_words_stay_spared(self) -> None:
        """A spared text stays so when it is added as a secret again."""
        redactor = Redactor(["big-server"])
        redactor.spare(["big-server/qwen"])
        redactor.hide(["big-server", "other-key"])
        assert redactor.clean_text("big-server other-key") == "big-server ***"

    def test_field_words_cover_the_written_files(self) -> None:
        """The reserved words are the names and values in the files that we write."""
        written = [
            GenerationResult(answer="x"),
            EvalResult(task_id="t1", status=EvalStatus.EVALUATED),
            ScoreResult(tasks_evaluated=[], final_score=1.0),
        ]
        assert {name for model in written for name in model.model_dump()} <= field_words()
        assert {"max_turns", "generation_error", "cache_write", "task_hashes"} <= field_words()

    @pytest.mark.parametrize("word", sorted(word for word in field_words() if len(word) >= 8))
    def test_key_like_a_field_word_spoils_no_file(self, tmp_path: Path, word: str) -> None:
        """A key that is one of our words is not masked in the run's files."""
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


class TestJson:
    @pytest.mark.parametrize(
        "content",
        [{"text": "\nabc12345"}, {"number": 4012888888881881}, {"text": "\ud800", "k": "x"}],
        ids=["escape", "number", "surrogate"],
    )
    def test_what_only_looks_like_a_secret_stays(self, content: dict[str, object]) -> None:
        """The end of an escape and the digits of a number are no secret in JSON."""
        redactor = Redactor(["nabc12345", "4012888888881881"])
        data = json.dumps(content, indent=2).encode() + b"\n"
        assert json.loads(redactor.clean_json(data, indent=2)) == content

    def test_masked_json_keeps_its_shape(self) -> None:
        """Names and values are masked, and the rest stays, with its layout."""
        redactor = Redactor([SECRET])
        content = {SECRET: [1, SECRET, None], "other": {"a": 1.5}}
        masked = {"***": [1, "***", None], "other": {"a": 1.5}}
        for indent in (None, 2):
            separators = (",", ":") if indent is None else None
            data = json.dumps(content, indent=indent, separators=separators).encode()
            expected = json.dumps(masked, indent=indent, separators=separators).encode()
            assert redactor.clean_json(data, indent=indent) == expected + b"\n"

    def test_each_line_is_masked_by_itself(self) -> None:
        """Lines of JSON are masked line by line."""
        lines = f'{{"a":"{PLAIN_KEY}"}}\n{{"b":"x"}}\n'.encode()
        assert Redactor([PLAIN_KEY]).clean_lines(lines) == b'{"a":"***"}\n{"b":"x"}\n'


class TestFiles:
    @pytest.mark.parametrize("echo", ECHOES, ids=["plain", "JSON", "URL"])
    def test_no_file_of_a_run_holds_a_secret(self, tmp_path: Path, echo: str) -> None:
        """No file of a run holds a secret, and the masked files can be read."""
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
