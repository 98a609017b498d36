from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from benchmark_runner._redaction import Redactor, without_user_info, without_user_info_in
from benchmark_runner._secrets import (
    KEY_VARIABLES,
    is_plain,
    looks_like_a_key,
    names_a_secret,
    plain_keys,
    secrets_of_arguments,
    secrets_of_environment,
    user_info,
)

KEY = "sk-proj-0123456789abcdef"
SECRET = 'se/cret "key" 1'


ECHOES = [SECRET, json.dumps(SECRET)[1:-1], quote(SECRET, safe="")]


#: Holds what each encoding changes.
ODD = "a/b+c=d e\"f'g\\h&i<j>é"


class TestUrls:
    def test_user_info_is_found_in_both_forms(self) -> None:
        """User name and password of a URL are found encoded and decoded."""
        found = user_info("https://some%40one:pass%2Fword@example.com/x")
        written = ["some%40one", "pass%2Fword", "some%40one:pass%2Fword"]
        assert found == [*written, "some@one", "pass/word", "some@one:pass/word"]

    def test_a_token_without_a_password_is_found(self) -> None:
        """A token in a URL without a password is found."""
        assert user_info("https://token@example.com") == ["token", "token"]

    def test_the_key_in_a_query_is_found(self) -> None:
        """A key in the query of a URL is found, encoded and decoded."""
        assert user_info("https://example.com/?v=1&api-key=a%2Bb#x") == ["a%2Bb", "a+b"]

    def test_user_info_of_a_malformed_url_is_found(self) -> None:
        """User name and password are found in a malformed URL."""
        assert user_info("http://me:word@[")[:2] == ["me", "word"]

    @pytest.mark.parametrize("url", ["https://example.com", "", "local", "http://[", "x:y@"])
    def test_url_without_user_info_has_none(self, url: str) -> None:
        """A URL without user name, password or key gives none."""
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
            ("http://me:word@[", "http://["),
            ("http://me:wo/rd@example.com/v1", "http://example.com/v1"),
            ("me:word@example.com/v1", "example.com/v1"),
        ],
    )
    def test_user_info_is_not_shown(self, url: str, shown: str) -> None:
        """A URL is shown without its user name, password and keys."""
        assert without_user_info(url) == shown

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("can't reach 'https://me:pw@a.org/x' (403)", "can't reach 'https://a.org/x' (403)"),
            (
                "https://a@b:c'd@a.org, git://t@b.org|ftp://u:p@c",
                "https://a.org, git://b.org|ftp://c",
            ),
            ("https://a.org/@x, me@b.org, a://b c@d", "https://a.org/@x, me@b.org, a://b c@d"),
        ],
    )
    def test_user_info_in_a_text_is_not_shown(self, text: str, shown: str) -> None:
        """A text is shown without the user names and passwords of its URLs."""
        assert without_user_info_in(text) == shown


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
            "WATSONX_APIKEY",
            "PGPASSWORD",
            "MYSECRET",
            "ROOTPASSWD",
            "accessToken",
            "GCP_CREDENTIAL",
            "SSH_PASSPHRASE",
            "SMTP_PASS",
            "DB_PWD",
            "GITHUB_PAT",
            "NPM_AUTH",
            "OPENAI_API_KEYS",
            "OPENAI_API_KEY_2",
            "HF_TOKEN1",
            "OPENAI_API_KEY_PROD",
            "APIKEY_OPENAI",
            "ACCESS_TOKEN_PROD",
        ],
    )
    def test_secret_variable_names(self, name: str) -> None:
        """A variable that is named like a secret holds one."""
        assert names_a_secret(name)
        assert [*secrets_of_environment({name: self.KEY})] == [self.KEY]

    @pytest.mark.parametrize(
        "around",
        [
            *(
                "other;%s",
                "other,%s",
                "other|%s",
                "other\uff0c%s",
                "\uff1b%s",
                "'%s'",
                "\xab%s\xbb",
            ),
            *('\\"%s\\"', "Bearer %s", "Authorization: Bearer %s", "\ufeff%s", "\u202a%s\u202c\r"),
        ],
    )
    def test_key_is_found_in_what_is_around(self, around: str) -> None:
        """A key is secret by itself, whatever separators, quotes or marks are around it."""
        assert self.KEY in [*secrets_of_environment({"A_KEY": around.replace("%s", self.KEY)})]

    @pytest.mark.parametrize(
        "name",
        ["KEYBOARD", "TOKENIZER", "MONKEY", "KEY_FILE", "SERVICE_URL", "MAX_TOKENS", "COMPASS"],
    )
    def test_other_variable_names(self, name: str) -> None:
        """A variable with a similar name holds no secret."""
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
    def test_values_that_are_no_keys(self, value: str) -> None:
        """A word, a path, a URL or a number under a secret's name is no secret."""
        assert not looks_like_a_key(value)
        assert [*secrets_of_environment({"MY_PASSWORD": value})] == []

    def test_path_of_an_existing_file_is_no_key(self, tmp_path: Path) -> None:
        """The path of a file that exists is no key."""
        file = tmp_path / "0123456789abcdef"
        assert not looks_like_a_key(f"{file}/0123456789abcdef.pem")
        file.touch()
        assert not looks_like_a_key(str(file))

    @pytest.mark.parametrize(
        "value", ["/K7MDENG/bPxRfiCYEXAMPLEKEY1+abcdefghij", "sk-0123456789abcdef" * 500]
    )
    def test_base64_and_long_values_are_keys(self, value: str) -> None:
        """Base64 that starts like a path and a very long value are keys."""
        assert looks_like_a_key(value)

    @pytest.mark.parametrize("name", KEY_VARIABLES)
    def test_own_keys_are_always_secret(self, name: str) -> None:
        """The framework's own key variables are secret whatever they hold."""
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
    def test_service_and_proxy_user_info_is_secret(self, name: str, value: str) -> None:
        """User name and password of the service, the endpoint and the proxies are secret."""
        found = {*secrets_of_environment({name: value})}
        assert found == {"someone", "password", "someone:password"}

    @pytest.mark.parametrize(
        "value",
        [
            f"Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey={KEY}",
            f"host=db user=me password={KEY}",
            f"authorization=Bearer {KEY},x-tenant=1",
            f"x-tenant: 1\napi-key: {KEY}",
            json.dumps({"url": "https://example.com", "apiKey": KEY}),
        ],
    )
    def test_assigned_keys_are_secret(self, value: str) -> None:
        """A key that another variable's value assigns is secret."""
        assert KEY in {*secrets_of_environment({"MY_CONNECTION": value})}

    def test_lines_of_a_private_key_are_secret(self) -> None:
        """Each line of a private key is secret, whether line ends are escaped or not."""
        lines = [f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC{number}" for number in range(3)]
        text = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])
        for value in (text, text.replace("\n", "\\n"), json.dumps({"private_key": text})):
            assert {*lines} <= {*secrets_of_environment({"MY_PRIVATE_KEY": value})}

    def test_other_urls_hide_pairs_and_keys(self) -> None:
        """Of another URL, the pair and a user name that looks like a key are secret."""
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
    def test_secret_flags_are_known_by_name(self, arguments: list[str]) -> None:
        """Values of flags and options that are named like secrets are secret."""
        assert [*secrets_of_arguments(arguments)] == ["a-word"]

    @pytest.mark.parametrize("flag", [["--service-url=%s"], ["--service-url", "%s"]])
    def test_url_flags_hide_user_info(self, flag: list[str]) -> None:
        """User name and password in the URL of a flag are secret."""
        arguments = [part.replace("%s", "https://me:word@example.com") for part in flag]
        assert {*secrets_of_arguments(arguments)} == {"me", "word", "me:word"}

    @pytest.mark.parametrize("flag", [["--header=x-a=a-word"], ["--header", "x-a=a-word"]])
    def test_values_of_headers_are_secret(self, flag: list[str]) -> None:
        """The value of each header is secret, whatever its name is."""
        assert "a-word" in secrets_of_arguments(flag)
        environment = {"SERVICE_HEADERS": "x-a=a-word\nx-b = other=word\nno-name"}
        assert [*secrets_of_environment(environment)] == ["a-word", "other=word", "no-name"]

    @pytest.mark.parametrize("between", [";", " ; ", ",", ", ", " ", "\n", "|"])
    @pytest.mark.parametrize("variable", ["VALS_AUTH_KEY", "CUSTOM_API_KEY", "OTHER_API_KEYS"])
    def test_each_key_of_a_list_is_secret(self, variable: str, between: str) -> None:
        """Each of several keys in one variable is masked by itself."""
        keys = [f"sk-{name}-0123456789ab" for name in ("one", "two", "three")]
        redactor = Redactor(secrets_of_environment({variable: between.join(keys)}))
        for key in keys:
            assert redactor.clean_text(f"it said {key}!") == "it said ***!"

    @pytest.mark.parametrize(
        "arguments",
        [[], ["run"], ["run", "--key"], ["score", "a=b"], ["run", "my-key", "other-task"]],
    )
    def test_other_arguments_hide_nothing(self, arguments: list[str]) -> None:
        """Other arguments hold no secret."""
        assert {*secrets_of_arguments(arguments)} <= {""}


class TestPlainWords:
    @pytest.mark.parametrize(
        "word",
        [
            *("anything", "EMPTY", "none", "test", "dummy", "sk-xxx", "ollama", "password"),
            *("placeholder", "Anything", "not-needed", "no-key-required", "sk-no-key-required"),
            *("NotNeeded", "your-api-key-here", "<YOUR_API_KEY>", "changeme", "dummy_key"),
            *("lm-studio", "token-abc123", "password123", "sk-1234", "12345678", "2024-01-15"),
            *("sk-xxxxxxxxxxxxxxxxxxxxxxxx", "sk-00000000000000000000", "xxxxxxxx", "********"),
            *("fake-key-for-testing", "just a word", "unnecessary", "n/a", "пароль"),
        ],
    )
    def test_words_and_placeholders_are_plain(self, word: str) -> None:
        """A word, a number and a placeholder are no keys."""
        assert is_plain(word)
        assert plain_keys({"CUSTOM_API_KEY": word}) == ["CUSTOM_API_KEY"]

    @pytest.mark.parametrize(
        "key",
        [
            *("a1b2c3d4", "first-key", "XkqPzLmW", "hunter2hunter2", "sk-test-9f8a7b6c"),
            *("secret-key", "my-secret-token", "admin:password"),
            *("4012888888881881", "qwmzkxprtvbnlkjh", "correct-horse-battery-staple"),
            *("0123456789abcdef", "sk-proj-0123456789abcdef", "some:pass-word-x"),
        ],
    )
    def test_keys_are_not_plain(self, key: str) -> None:
        """A text that may be a key is not plain."""
        assert not is_plain(key)
        assert plain_keys({"CUSTOM_API_KEY": key}) == []

    def test_a_list_with_a_key_is_not_plain(self) -> None:
        """A list is plain only if all of its parts are; a missing key is not named."""
        given = {"A": "anything;a1b2c3d4", "B": "anything;EMPTY", "C": "", "D": None}
        assert plain_keys(given) == ["B"]

    def test_a_long_run_of_letters_is_looked_at_quickly(self) -> None:
        """A long run of one letter, and an odd end, take no time."""
        assert not is_plain(f"{'x' * 5000}Z9q")
