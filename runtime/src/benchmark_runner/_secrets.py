"""The secrets in an environment, a command line or a URL."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from urllib.parse import unquote

#: Holds the legacy bearer token of the benchmark service.
BEARER_VARIABLE = "BENCHMARK_API_KEY"
#: Keys of the benchmark service, in order of precedence; the first two name the same key.
SERVICE_KEY_VARIABLES = ("VALS_AUTH_KEY", "VALS_API_KEY", BEARER_VARIABLE)
#: Keys of what the framework connects to: secret whatever they look like.
KEY_VARIABLES = (*SERVICE_KEY_VARIABLES, "CUSTOM_API_KEY")

#: Holds headers of a deployment's own, a ``NAME=VALUE`` a line: all values are secret.
HEADERS_VARIABLE = "SERVICE_HEADERS"
_HEADER_FLAG = "--header"

#: URLs that the framework connects to: all of their user info is secret.
_URL_VARIABLES = frozenset({"SERVICE_URL", "CUSTOM_ENDPOINT"})
_PROXY_VARIABLES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"})

#: A shorter text is no key, and occurs in too many places that are not secret.
SHORTEST_SECRET = 8

#: A shorter value of other software's variables may be a word that occurs in answers.
_SHORTEST_KEY = 16
_SECRET_NAME = re.compile(
    r".*(?:key|token|secret|password|passwd|passphrase|credential)s?(?:[-_.]?[0-9]+)?"
    r"|(?:.*[-_.])?(?:auth|authorization|bearer|cookie|creds|pass|pat|sig|signature)"
    r"|.+[-_.]pwd|(?:.*[-_.])?(?:api|access|auth|secret)[-_.]?(?:key|token)s?[-_.].+",
    re.IGNORECASE,
)
_OTHER_NAME = re.compile(
    r"(?:.*[-_.])?(?:monkey|donkey|turkey|hockey|jockey|whiskey)s?"
    r"|(?:.*[-_.])?(?:cached|completion|input|max|min|new|num|output|prompt|reasoning|total)"
    r"[-_.]?tokens",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)@", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+=*")
#: Between the keys of a list, and between the lines of a key, which may be escaped.
_SEPARATORS = re.compile(r"(?:[\s;,|&\uff1b\uff0c]|\\[nrt])+")
#: What a copied key brings along: white space, quotes, brackets and invisible characters.
_AROUND = (
    "\"'`\\\u201c\u201d\u201e\u2018\u2019\xab\xbb[](){}<>\0 \t\r\n\v\f\xa0"
    "\xad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"
)
_SCHEME = re.compile(r"(?:bearer|basic|token|key|apikey)[\s:=]+", re.IGNORECASE)
_ITEMS = re.compile(r"[;,&\r\n]|\s(?=[\w.-]+=)")
_ASSIGNMENT = re.compile(r"[\"']?([A-Za-z_][\w.-]*)[\"']?[=:](.+)", re.DOTALL)
#: The words of placeholders and the names of local servers, and words that stand beside them.
_PLACEHOLDER = (
    "abc|any|anything|blank|change|changeme|dummy|empty|example|fake|false|here|insert|invalid"
    "|llama|lm|local|localhost|mock|needed|nil|no|none|not|nothing|null|ollama|placeholder|please"
    "|replace|required|something|studio|test|testing|todo|true|unneeded|unused|value|vllm|whatever"
    "|your|x{3,}+|0{4,}+"
)
_BESIDE = (
    "admin|an|api|auth|bar|baz|cpp|custom|default|demo|foo|for|free|goes|guest|is|it|key|keys|me"
    "|minio|my|mysql|openai|password|pk|postgres|proxy|put|qwerty|redis|root|sample|secret|server"
    "|service|set|sk|the|this|token|use|used|user|welcome"
)
_WORD = re.compile(r"[^\W_]+")
_PLAIN_WORD = re.compile(
    rf"(?:{_PLACEHOLDER}|{_BESIDE})*(?:[0-9]{{0,4}}|0?1?2?3?4?5?6?7?8?9?0?|([0-9])\1*)",
    re.IGNORECASE,
)
_HAS_PLACEHOLDER = re.compile(rf"(?:{_PLACEHOLDER}|{_BESIDE})*?(?:{_PLACEHOLDER})", re.IGNORECASE)


def secrets_of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys and passwords in ``environment``.

    A variable of other software counts if its name says so, as ``OPENAI_API_KEY`` does, and its
    value, or a part of it, looks like a key: masking ``DB_PASSWORD=postgres`` would change
    answers.
    """
    for name, value in environment.items():
        if name in KEY_VARIABLES:
            yield value
        elif name == HEADERS_VARIABLE:
            yield from values_of_headers(value.splitlines())
        elif names_a_secret(name):
            yield from filter(looks_like_a_key, keys_in(value))
        else:  # such as the headers of a request, or the settings of a connection
            for assigned in _assigned_secrets(value):
                yield from filter(looks_like_a_key, keys_in(assigned))
        if name in _URL_VARIABLES:
            yield from user_info(value)
        elif name.upper() in _PROXY_VARIABLES:  # the scheme may be left out
            yield from user_info(value if "://" in value else f"http://{value}")
        else:
            yield from (text for text in user_info(value) if ":" in text or looks_like_a_key(text))


def is_secret_variable(name: str, value: str) -> bool:
    """Return True for a variable that holds a secret, or is named as one; not for a proxy."""
    if name.upper() in _PROXY_VARIABLES:
        return False
    return names_a_secret(name) or any(secrets_of_environment({name: value}))


def secrets_of_arguments(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the values of flags and options with a secret's name, and the secrets in URLs."""
    for argument, following in pairwise([*arguments, ""]):
        name, equals, value = argument.partition("=")
        if name == _HEADER_FLAG:
            yield from values_of_headers([value if equals else following])
        if names_a_secret(name) and (equals or name.startswith("-")):
            yield value if equals else following
        yield from user_info(value if name.startswith("--") else argument)


def values_of_headers(headers: Iterable[str]) -> Iterator[str]:
    """Yield the values of headers that are given as ``NAME=VALUE``; all of what is not."""
    for header in headers:
        name, equals, value = header.partition("=")
        yield value.strip() if equals else name.strip()


def keys_in(value: str) -> list[str]:
    """Return the texts that are secret if ``value`` is.

    They are the value and each part of a list, both also without what a copied key brings along:
    white space, quotes, and ``Bearer`` before it.
    """
    found = [value.strip()]
    for part in (value, *_SEPARATORS.split(value)):
        bare = part.strip(_AROUND)
        found.append(bare)
        if scheme := _SCHEME.match(bare):
            found.append(bare[scheme.end() :].strip(_AROUND))
    for assigned in _assigned_secrets(value):
        found += keys_in(assigned)
    return [*dict.fromkeys(filter(None, found))]


def _assigned_secrets(value: str) -> Iterator[str]:
    """Yield the values of ``NAME=VALUE`` and ``"NAME": VALUE`` under the name of a secret."""
    if "=" in value or ":" in value:
        for item in _ITEMS.split(value):
            found = _ASSIGNMENT.fullmatch(item.strip("{}[]() \t"))
            if found and names_a_secret(found[1]):
                yield found[2]


def names_a_secret(name: str) -> bool:
    """Return True if the name of a variable, flag or parameter is that of a secret."""
    return _SECRET_NAME.fullmatch(name) is not None and not _OTHER_NAME.fullmatch(name)


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


def plain_keys(given: Mapping[str, str | None]) -> list[str]:
    """Return the names of the keys in ``given`` that are too plain to be masked."""
    return [name for name, value in given.items() if value and all(map(is_plain, keys_in(value)))]


def is_plain(text: str) -> bool:
    """Return True if ``text`` is short, a word, a number or a placeholder: no key.

    Local servers take any key, such as ``anything``, ``EMPTY`` or ``sk-xxx``, and masking that
    would change answers.
    """
    if len(text) < SHORTEST_SECRET or not any(character.isalnum() for character in text):
        return True
    if len(text) < _SHORTEST_KEY:
        letters = "".join(text.split())
        if letters.isalpha() and letters in (letters.lower(), letters.upper(), letters.title()):
            return True
        if not any(character.isalpha() for character in text):
            return True
    words = _WORD.findall(text)
    return all(map(_PLAIN_WORD.fullmatch, words)) and (
        text in words or any(map(_HAS_PLACEHOLDER.match, words))
    )


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
