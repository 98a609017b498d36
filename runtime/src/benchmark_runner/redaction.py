"""Keep secrets out of what is written and printed, whoever put them there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"

#: Where the keys of the framework's own services come from.
KEY_VARIABLES = ("VALS_AUTH_KEY", "VALS_API_KEY", "BENCHMARK_API_KEY", "CUSTOM_API_KEY")

#: A shorter text is no key, and stands in too many places that are not secret.
_SHORTEST = 8


def forms_of(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every way a secret may be echoed: plain, inside JSON, inside a URL; longest first."""
    forms: set[str] = set()
    for secret in secrets:
        in_json = json.dumps(secret)[1:-1]
        # A text that quotes JSON is escaped once more where it is stored.
        forms |= {secret, in_json, json.dumps(in_json)[1:-1], quote(secret, safe="")}
    return tuple(sorted(forms - {""}, key=len, reverse=True))


class Redactor:
    """Replaces known secrets in text.

    Args:
        secrets: Keys and passwords; empty and very short ones are left alone.
    """

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        self._secrets: set[str] = set()
        self._forms: list[bytes] = []
        self.hide(secrets)

    def hide(self, secrets: Iterable[str | None]) -> None:
        """Mask these, too."""
        self._secrets |= {secret for secret in secrets if secret and len(secret) >= _SHORTEST}
        self._forms = [form.encode("utf-8", "surrogatepass") for form in forms_of(self._secrets)]

    def spare(self, texts: Iterable[str]) -> None:
        """Don't mask what stands in these: what names a run or a model is no secret."""
        public = "\n".join(texts)
        self._secrets = {secret for secret in self._secrets if secret not in public}
        self.hide(())

    def clean(self, data: bytes) -> bytes:
        """Return ``data`` with every secret in it masked."""
        for form in self._forms:
            data = data.replace(form, MASK.encode())
        return data

    def clean_text(self, text: str) -> str:
        """Return ``text`` with every secret in it masked."""
        return self.clean(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def without_user_info(url: str) -> str:
    """Return ``url`` without a user name or password in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def user_info(url: str) -> list[str]:
    """The user name and password in ``url``, as they stand there and as they are meant."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    found = [text for text in (parts.username, parts.password) if text]
    return [*found, *(unquote(text) for text in found)]
