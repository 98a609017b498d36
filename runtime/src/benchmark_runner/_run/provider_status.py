"""The HTTP status in an error of the author's code: the answer of a model's provider."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

__all__ = ["provider_status"]

#: Where libraries keep it: openai, anthropic, httpx, requests, aiohttp, urllib, google.
_NAMES = ("status_code", "status", "http_status", "code")
_STATUSES = range(400, 600)
#: Errors that were raised because of another one.
_DEEPEST = 5
#: Errors that are the code's own although another one was being handled.
_OWN_ERRORS = (AssertionError, AttributeError, LookupError, NameError, TypeError)
_IN_WORDS = re.compile(
    r"\w+: (?:(?i:error code|http(?: error| status)?|status(?: code)?)\W+([45]\d\d)\b"
    r"|([45]\d\d)(?=: | - | [A-Z]|$))"
)


def provider_status(error: BaseException, description: str) -> int | None:
    """Return the status that a provider answered with; ``None`` if the error knows of none.

    It is in an attribute of the error, or of those that it was raised from, or at the beginning
    of its ``description``: ``TypeName: message``.
    """
    with suppress(BaseException):  # of an author's class
        for one in _chain(error):
            if (status := _in_attributes(one)) is not None:
                return status
    found = _IN_WORDS.match(description)
    return int(found[1] or found[2]) if found else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    for _ in range(_DEEPEST):
        if isinstance(one, BaseExceptionGroup):
            one = cast("BaseExceptionGroup[BaseException]", one).exceptions[0]
        if one is None:
            return
        yield one
        implied = one.__suppress_context__ or isinstance(one, _OWN_ERRORS)
        one = one.__cause__ or (None if implied else one.__context__)


def _in_attributes(error: BaseException) -> int | None:
    response = _attribute(error, "response")
    for owner in (error, response):
        for name in _NAMES:
            value = _attribute(owner, name)
            if isinstance(value, int) and value in _STATUSES:
                return int(value)
    with suppress(Exception):  # of the AWS libraries, or any object
        value = cast("dict[str, dict[str, object]]", response)["ResponseMetadata"]["HTTPStatusCode"]
        return value if isinstance(value, int) and value in _STATUSES else None
    return None


def _attribute(owner: object, name: str) -> object:
    with suppress(BaseException):  # it may be a property of the author's
        return cast("object", getattr(owner, name, None))
    return None
