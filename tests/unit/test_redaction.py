from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from pydantic import SecretStr

from benchmark_runner._project import Project
from benchmark_runner._redaction import Redactor, forms_of, without_user_info
from benchmark_runner._run.benchmark import Benchmark
from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner._secrets import (
    KEY_VARIABLES,
    looks_like_a_key,
    names_a_secret,
    secrets_of_arguments,
    secrets_of_environment,
    user_info,
)
from benchmark_runner.artifacts.run_folder import TRACEBACK_LOG, RunArtifacts
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.checkpoint import field_words
from benchmark_runner.cli.job import Job
from benchmark_runner.client.call import Service
from benchmark_runner.client.endpoint import Endpoint
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.llm import LLMConfig
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult, ScoreResult

if TYPE_CHECKING:
    from collections.abc import Callable

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


class TestUrls:
    def test_user_names_and_passwords_are_found_as_written_and_as_meant(self) -> None:
        found = user_info("https://some%40one:pass%2Fword@example.com/x")
        written = ["some%40one", "pass%2Fword", "some%40one:pass%2Fword"]
        assert found == [*written, "some@one", "pass/word", "some@one:pass/word"]

    def test_a_token_without_a_password_is_found(self) -> None:
        assert user_info("https://token@example.com") == ["token", "token"]

    def test_the_key_in_a_query_is_found(self) -> None:
        assert user_info("https://example.com/?v=1&api-key=a%2Bb#x") == ["a%2Bb", "a+b"]

    def test_they_are_found_in_a_url_that_is_malformed(self) -> None:
        assert user_info("http://me:word@[")[:2] == ["me", "word"]

    @pytest.mark.parametrize("url", ["https://example.com", "", "local", "http://[", "x:y@"])
    def test_a_url_without_them_has_none(self, url: str) -> None:
        assert user_info(url) == []

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://me:word@example.com:8/x?y=1", "https://example.com:8/x?y=1"),
            ("https://a@b@example.com", "https://example.com"),
            ("https://example.com/@x?y=@#z", "https://example.com/@x?y=@#z"),
            ("https://example.com/x?y=1&api_key=word&z=2", "https://example.com/x?y=1&z=2"),
            ("https://example.com/x?key=word", "https://example.com/x"),
            ("local", "local"),
            ("http://me:word@[", "["),
            ("http://me:wo/rd@example.com/v1", "example.com/v1"),
            ("me:word@example.com/v1", "example.com/v1"),
        ],
    )
    def test_they_are_not_shown(self, url: str, shown: str) -> None:
        assert without_user_info(url) == shown


class TestKeys:
    KEY = "sk-proj-0123456789abcdef"

    @pytest.mark.parametrize(
        "name",
        [
            "OPENAI_API_KEY",
            "HF_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "CLIENT_SECRET",
            "MY_SERVICE_PASSWORD",
            "ROOT_PASSWD",
            "MY_CREDENTIALS",
            "KEY",
            "token",
            "my_api_key",
        ],
    )
    def test_a_variable_that_is_named_like_a_secret_holds_one(self, name: str) -> None:
        assert names_a_secret(name)
        assert [*secrets_of_environment({name: self.KEY})] == [self.KEY]

    @pytest.mark.parametrize("name", ["KEYBOARD", "TOKENIZER", "MONKEY", "KEY_FILE", "SERVICE_URL"])
    def test_another_one_does_not(self, name: str) -> None:
        assert not names_a_secret(name)
        assert [*secrets_of_environment({name: self.KEY})] == []

    @pytest.mark.parametrize(
        "value",
        [
            "postgres",
            "a-rather-long-word-without-digit",
            "1234567890123456",
            "short-key-12345",
            "two words, 1 of them with a digit",
            "/home/me/keys/service-account-1.json",
            "~/keys/service-account-1.json",
            "./keys/service-account-1.json",
            "https://example.com/keys/0123456789",
        ],
    )
    def test_a_word_a_place_or_a_number_under_such_a_name_is_none(self, value: str) -> None:
        assert not looks_like_a_key(value)
        assert [*secrets_of_environment({"MY_PASSWORD": value})] == []

    def test_the_path_of_a_file_that_is_there_is_none(self, tmp_path: Path) -> None:
        file = tmp_path / "0123456789abcdef"
        assert not looks_like_a_key(f"{file}/0123456789abcdef.pem")
        file.touch()
        assert not looks_like_a_key(str(file))

    @pytest.mark.parametrize(
        "value", ["/K7MDENG/bPxRfiCYEXAMPLEKEY1+abcdefghij", "sk-0123456789abcdef" * 500]
    )
    def test_base64_that_begins_like_a_path_and_a_very_long_key_are_keys(self, value: str) -> None:
        assert looks_like_a_key(value)

    @pytest.mark.parametrize("name", KEY_VARIABLES)
    def test_the_frameworks_own_keys_are_secret_whatever_they_look_like(self, name: str) -> None:
        assert [*secrets_of_environment({name: "just a word"})] == ["just a word"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SERVICE_URL", "https://someone:password@example.com"),
            ("CUSTOM_ENDPOINT", "https://someone:password@example.com"),
            ("HTTPS_PROXY", "http://someone:password@proxy:3128"),
            ("https_proxy", "http://someone:password@proxy:3128"),
            ("ALL_PROXY", "someone:password@proxy:3128"),
        ],
    )
    def test_what_we_connect_to_has_secret_user_info(self, name: str, value: str) -> None:
        found = {*secrets_of_environment({name: value})}
        assert found == {"someone", "password", "someone:password"}

    def test_another_url_hides_its_pair_and_what_looks_like_a_key(self) -> None:
        url = "postgres://postgres:postgres@db/postgres"
        assert {*secrets_of_environment({"DATABASE_URL": url})} == {"postgres:postgres"}
        url = f"https://{self.KEY}@sentry.example.com/1"
        assert {*secrets_of_environment({"SENTRY_DSN": url})} == {self.KEY}

    @pytest.mark.parametrize(
        "arguments",
        [
            ["run", "--custom-api-key", "a-word"],
            ["run", "--custom-api-key=a-word"],
            ["serve", "--key", "a-word", "--port", "1"],
            ["run", "--option", "my_token=a-word"],
        ],
    )
    def test_flags_and_options_are_known_by_their_names(self, arguments: list[str]) -> None:
        assert [*secrets_of_arguments(arguments)] == ["a-word"]

    @pytest.mark.parametrize("flag", [["--service-url=%s"], ["--service-url", "%s"]])
    def test_the_urls_of_flags_hide_their_user_info(self, flag: list[str]) -> None:
        arguments = [part.replace("%s", "https://me:word@example.com") for part in flag]
        assert {*secrets_of_arguments(arguments)} == {"me", "word", "me:word"}

    @pytest.mark.parametrize("arguments", [[], ["run"], ["run", "--key"], ["score", "a=b"]])
    def test_other_arguments_hide_nothing(self, arguments: list[str]) -> None:
        assert {*secrets_of_arguments(arguments)} <= {""}


class TestRepr:
    """What ends up in a log or a debugger by way of ``repr()``."""

    URL = "https://someone:hidden-password@example.com"
    KEY = "hidden-key-0123456789"

    @pytest.fixture
    def holders(self) -> dict[str, object]:
        """One of each class that holds a key, or a URL with a password in it."""
        config = LLMConfig(custom_api_key=SecretStr(self.KEY), custom_endpoint=self.URL)
        settings = CliSettings(
            runner="runner.benchmark:MyRunner",
            grader=None,
            default_dataset_file=None,
            default_results_dir="results",
            default_parallelism=1,
            default_timeout=None,
            default_model=None,
            default_service_url=self.URL,
            data_dir="data",
        )
        service = ServiceSettings(url=self.URL)
        request = RunRequest(
            model="m",
            options=[f"token={self.KEY}"],
            custom_api_key=self.KEY,
            custom_endpoint=self.URL,
        )
        job = Job(
            benchmark=Benchmark(settings, Project(None, Path()), BenchmarkRunner),
            service=service,
            request=request,
            artifacts=RunArtifacts(Path(), "r1"),
        )
        headers = {"x-descope-api-key": self.KEY}
        endpoint = Endpoint.of(self.URL, headers, "VALS_AUTH_KEY", trusted=False)
        asked = Service(
            url=endpoint.url,
            local=False,
            auth_name=endpoint.auth_name,
            bearer=endpoint.bearer,
            redactor=Redactor(endpoint.secrets),
        )
        client = BenchmarkServiceClient(self.URL, headers=headers)
        redactor = Redactor([self.KEY])
        held = (config, settings, service, request, job, endpoint, asked, client, redactor)
        return {type(holder).__name__: holder for holder in held}

    @pytest.mark.parametrize(
        "name",
        [
            "LLMConfig",
            "CliSettings",
            "ServiceSettings",
            "RunRequest",
            "Job",
            "Endpoint",
            "Service",
            "BenchmarkServiceClient",
            "Redactor",
        ],
    )
    def test_nothing_that_holds_a_key_shows_it(self, holders: dict[str, object], name: str) -> None:
        shown = repr(holders[name])
        assert name in shown
        assert "hidden" not in shown

    def test_what_else_they_hold_is_still_shown(self, holders: dict[str, object]) -> None:
        assert "url='https://example.com'" in repr(holders["Endpoint"])
        assert "model='m'" in repr(holders["RunRequest"])


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
