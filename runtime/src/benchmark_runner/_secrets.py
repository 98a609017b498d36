"""Which texts of an environment or a command line are secret."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Holds the legacy bearer token of the benchmark service.
BEARER_VARIABLE = "BENCHMARK_API_KEY"
#: Keys of the benchmark service, in order of precedence; the first two name the same key.
SERVICE_KEY_VARIABLES = ("VALS_AUTH_KEY", "VALS_API_KEY", BEARER_VARIABLE)
#: Keys of what the framework connects to: secret whatever they look like.
KEY_VARIABLES = (*SERVICE_KEY_VARIABLES, "CUSTOM_API_KEY")

#: What the framework connects to: all of the user info is secret, whatever it looks like.
_URL_VARIABLES = frozenset({"SERVICE_URL", "CUSTOM_ENDPOINT"})
_PROXY_VARIABLES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"})

#: A shorter text is no key, and stands in too many places that are not secret.
SHORTEST_SECRET = 8

#: A shorter value of some other software's variable may be a word that stands in answers.
_SHORTEST_KEY = 16
_SECRET_NAME = re.compile(
    r"(?:.*[-_.])?(?:key|token|secret|password|passwd|credentials)", re.IGNORECASE
)
_USER_INFO = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)@", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+=*")


def secrets_of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    """The keys and passwords in ``environment``, the author's included.

    A variable that is not the framework's holds one if its name says so, as ``OPENAI_API_KEY``
    does, and its value looks like one: masking ``DB_PASSWORD=postgres`` would change answers.
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
    """The values of flags and options whose name says that they are secret, and of URLs."""
    for argument, following in pairwise([*arguments, ""]):
        name, equals, value = argument.partition("=")
        if names_a_secret(name):
            yield value if equals else following
        yield from user_info(value if name.startswith("--") else argument)


def names_a_secret(name: str) -> bool:
    """Whether a variable, flag or parameter of that name holds a secret: ``OPENAI_API_KEY``."""
    return _SECRET_NAME.fullmatch(name) is not None


def user_info(url: str) -> list[str]:
    """What is secret in ``url``, as it stands there and as it is meant.

    The user name, the password, both as a pair, and the values of keys in the query.
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
    """Whether ``text`` is long, mixed and in one piece, and names no place."""
    return (
        len(text) >= _SHORTEST_KEY
        and not any(character.isspace() for character in text)
        and any(character.isalpha() for character in text)
        and any(character.isdigit() for character in text)
        and not _names_a_place(text)
    )


def _names_a_place(text: str) -> bool:
    # A key may begin with a slash, as base64 does now and then, and be too long for a path.
    if text.startswith("/") and not _BASE64.fullmatch(text):
        return True
    return "://" in text or text.startswith(("~", "./", "../")) or os.path.exists(text)  # noqa: PTH110
