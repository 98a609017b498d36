"""The secrets in an environment, a command line or a URL."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from urllib.parse import unquote

#: Holds the legacy bearer token of the benchmark service.
BEARER_VARIABLE = "BENCHMARK_API_KEY"
#: Keys of the benchmark service, in order of precedence; the first two name the same key.
SERVICE_KEY_VARIABLES = ("VALS_AUTH_KEY", "VALS_API_KEY", BEARER_VARIABLE)
#: Keys of what the framework connects to: secret whatever they look like.
KEY_VARIABLES = (*SERVICE_KEY_VARIABLES, "CUSTOM_API_KEY")

#: URLs that the framework connects to: all of their user info is secret.
_URL_VARIABLES = frozenset({"SERVICE_URL", "CUSTOM_ENDPOINT"})
_PROXY_VARIABLES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"})

#: A shorter text is no key, and occurs in too many places that are not secret.
SHORTEST_SECRET = 8

#: A shorter value of other software's variables may be a word that occurs in answers.
_SHORTEST_KEY = 16
_SECRET_NAME = re.compile(
    r"(?:.*[-_.])?(?:key|token|secret|password|passwd|credentials)", re.IGNORECASE
)
_USER_INFO = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)@", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+=*")


def secrets_of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys and passwords in ``environment``.

    A variable of other software counts if its name says so, as ``OPENAI_API_KEY`` does, and its
    value looks like a key: masking ``DB_PASSWORD=postgres`` would change answers.
    """
    for name, value in environment.items():
        if name in KEY_VARIABLES or (names_a_secret(name) and looks_like_a_key(value)):
            yield value
        if name in _URL_VARIABLES:
            yield from user_info(value)
        elif name.upper() in _PROXY_VARIABLES:  # the scheme may be left out
            yield from user_info(value if "://" in value else f"http://{value}")
        else:
            yield from (text for text in user_info(value) if ":" in text or looks_like_a_key(text))


def secrets_of_arguments(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the values of flags and options with a secret's name, and the secrets in URLs."""
    for argument, following in pairwise([*arguments, ""]):
        name, equals, value = argument.partition("=")
        if names_a_secret(name):
            yield value if equals else following
        yield from user_info(value if name.startswith("--") else argument)


def names_a_secret(name: str) -> bool:
    """Return True if the name of a variable, flag or parameter is that of a secret."""
    return _SECRET_NAME.fullmatch(name) is not None


def user_info(url: str) -> list[str]:
    """Return the secrets in a URL, as written and decoded.

    These are the user name, the password, both as a pair, and the keys in the query.
    """
    found = _USER_INFO.match(url.strip())
    pair = found[1] if found else ""
    user, colon, password = pair.partition(":")
    query = url.partition("?")[2].partition("#")[0]
    values = [item.partition("=")[2] for item in query.split("&") if is_secret_item(item)]
    texts = [text for text in (user, password, pair if colon else "", *values) if text]
    return [*texts, *(unquote(text) for text in texts)]


def is_secret_item(item: str) -> bool:
    """Return True if an item of a URL's query holds a secret: ``api_key=…``."""
    return names_a_secret(item.partition("=")[0])


def looks_like_a_key(text: str) -> bool:
    """Return True if ``text`` is long, has letters, digits and no white space, and is no path."""
    return (
        len(text) >= _SHORTEST_KEY
        and not any(character.isspace() for character in text)
        and any(character.isalpha() for character in text)
        and any(character.isdigit() for character in text)
        and not _is_place(text)
    )


def _is_place(text: str) -> bool:
    # A key may begin with a slash, as base64 does now and then, and be too long for a path.
    if text.startswith("/") and not _BASE64.fullmatch(text):
        return True
    return "://" in text or text.startswith(("~", "./", "../")) or os.path.exists(text)  # noqa: PTH110
