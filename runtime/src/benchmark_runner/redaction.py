"""Keep secrets out of what is written and printed, whoever put them there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"

#: A shorter text is no key, and stands in too many places that are not secret.
_SHORTEST = 8


def forms_of(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every way a secret may be echoed: plain, inside JSON, inside a URL; longest first."""
    forms: set[str] = set()
    for secret in secrets:
        forms |= {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}
    return tuple(sorted(forms - {""}, key=len, reverse=True))


class Redactor:
    """Replaces known secrets in text.

    Args:
        secrets: Keys and passwords; empty and very short ones are left alone.
    """

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        known = [secret for secret in secrets if secret and len(secret) >= _SHORTEST]
        self._forms = [form.encode("utf-8", "surrogatepass") for form in forms_of(known)]

    def clean(self, data: bytes) -> bytes:
        """Return ``data`` with every secret in it masked."""
        for form in self._forms:
            data = data.replace(form, MASK.encode())
        return data


def without_user_info(url: str) -> str:
    """Return ``url`` without a user name or password in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def user_info(url: str) -> list[str]:
    """The password in ``url``, if it has one."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return []
    return [password] if password else []
