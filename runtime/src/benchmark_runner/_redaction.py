"""Masking of secrets in everything that is written and printed."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import cast
from urllib.parse import quote, urlsplit, urlunsplit

from benchmark_runner._secrets import SHORTEST_SECRET, is_plain, is_secret_item, keys_in

_MASK = "***"

#: A file quotes a message that quotes an answer that quotes the request.
_JSON_LEVELS = 3
#: A password in a text may hold anything but a slash and white space.
_USER_INFO = re.compile(r"(?<=://)[^/\s]*@")
#: In what is no valid URL, a slash may be part of the password.
_LIKE_USER_INFO = re.compile(r"([a-z][a-z0-9+.-]*://)?.*@", re.IGNORECASE | re.DOTALL)
#: Characters that encoders keep: strict ones, for paths, JavaScript's two, for user info.
_URL_SAFE = ("", "/", "!'()*", ";/?:@&=+$,#!'()*", "!$&'()*+,;=")


def forms_of(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return every form of a secret: plain, in JSON, in a URL or in base64; the longest first."""
    forms: set[str] = set()
    for secret in secrets:
        made = {secret, repr(secret)[1:-1], html.escape(secret)}
        made |= {*_percent_encoded(secret), *_base64(secret)}
        for _ in range(_JSON_LEVELS):
            made |= {escaped for form in made for escaped in _in_json(form)}
        forms |= made
    return tuple(sorted(forms - {""}, key=len, reverse=True))


class Redactor:
    """A masker of known secrets.

    Args:
        secrets: Keys and passwords, or lists of them. What is short or plain, such as
            ``anything``, is left alone.
        reserved: Returns the words that stand in our own files, which are never masked; called
            once there is something to mask.
    """

    def __init__(
        self,
        secrets: Iterable[str | None] = (),
        *,
        reserved: Callable[[], Iterable[str]] = frozenset,
    ) -> None:
        self._reserved = reserved
        self._secrets: set[str] = set()
        self._spared: set[str] = set()
        self._forms: list[bytes] = []
        self._digits: list[bytes] = []
        self._numbers: re.Pattern[bytes] | None = None
        self.hide(secrets)

    def hide(self, secrets: Iterable[str | None]) -> None:
        """Mask these secrets, too."""
        keys = {key for secret in secrets if secret for key in keys_in(secret)}
        self._secrets |= {key for key in keys if not is_plain(key)}
        self._prepare()

    def spare(self, texts: Iterable[str]) -> None:
        """Stop masking secrets that occur in these texts, such as the name of a run or a model.

        The texts are not kept, as they may be many: they do not affect secrets added later.
        """
        if self._secrets:
            self._spared |= {secret for text in texts for secret in self._secrets if secret in text}
            self._prepare()

    def clean(self, data: bytes) -> bytes:
        """Return ``data`` with every secret in it masked."""
        for form in self._forms:
            data = data.replace(form, _MASK.encode())
        return self._numbers.sub(_MASK.encode(), data) if self._numbers else data

    def clean_pieces(self, pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield the pieces of a large file, each before and after it is masked.

        A secret may span two of those that are given; none spans two of those that are yielded.
        """
        masking = self.masking()
        for piece in pieces:
            if before := masking.add(piece):
                yield before, self.clean(before)
        if before := masking.end():
            yield before, self.clean(before)

    def masking(self) -> PieceMasking:
        """Return what masks a text that comes in pieces."""
        return PieceMasking(self, max(map(len, [*self._forms, *self._digits]), default=0))

    def clean_text(self, text: str) -> str:
        """Return ``text`` with every secret in it masked."""
        return self.clean(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def clean_json(self, data: bytes, *, indent: int | None = None) -> bytes:
        """Return a line, or a file, of JSON with every secret in its texts masked.

        What looks like one in the bytes may be the end of an escape, or digits of a number.
        """
        if self.clean(data) == data:
            return data
        masked = self.clean_value(json.loads(data))
        separators = (",", ":") if indent is None else None
        text = json.dumps(masked, indent=indent, separators=separators, ensure_ascii=False)
        # Half a surrogate pair becomes its escape in JSON.
        return text.encode("utf-8", "backslashreplace") + b"\n"

    def clean_lines(self, data: bytes) -> bytes:
        """Return lines of JSON with every secret in their texts masked."""
        if self.clean(data) == data:
            return data
        return b"".join(map(self.clean_json, data.splitlines(keepends=True)))

    def clean_value(self, value: object) -> object:
        """Return a JSON value with every secret in its texts, and in its names, masked."""
        match value:
            case str():
                return self.clean_text(value)
            case dict():
                items = cast("dict[str, object]", value).items()
                return {self.clean_text(name): self.clean_value(item) for name, item in items}
            case list() | tuple():
                return [self.clean_value(item) for item in cast("list[object]", value)]
            case _:
                return value

    def _prepare(self) -> None:
        if not self._secrets:
            return
        own = "\n".join(self._reserved())
        secrets = {secret for secret in self._secrets - self._spared if secret not in own}
        forms = [form.encode("utf-8", "surrogatepass") for form in forms_of(secrets)]
        # Digits may be part of a longer number, and masking a part of it would spoil the file.
        self._digits = numbers = [form for form in forms if form.isdigit()]
        self._forms = [form for form in forms if not form.isdigit()]
        self._numbers = (
            re.compile(rb"(?<![0-9])(?<![0-9]\.)(?:%b)(?!\.?[0-9])" % b"|".join(numbers))
            if numbers
            else None
        )


class PieceMasking:
    """The masking of a text that comes in pieces, which a secret may span.

    ``longest`` is the length of the longest form of a secret.
    """

    def __init__(self, redactor: Redactor, longest: int) -> None:
        self._redactor = redactor
        self.longest = longest
        self._rest = b""

    def add(self, piece: bytes) -> bytes:
        """Add a piece, and return what can be masked by itself: no secret goes beyond it."""
        data, self._rest = self._rest + piece, b""
        if not self.longest:
            return data
        end = len(data) - self.longest
        while end > 0 and self._is_within_secret(data, end):
            end -= 1
        end = max(end, 0)
        self._rest = data[end:]
        return data[:end]

    def end(self) -> bytes:
        """Return what is left."""
        data, self._rest = self._rest, b""
        return data

    def _is_within_secret(self, data: bytes, place: int) -> bool:
        before, after = (
            data[max(place - self.longest, 0) : place],
            data[place : place + self.longest],
        )
        clean = self._redactor.clean
        return clean(before) + clean(after) != clean(before + after)


def without_user_info(url: str) -> str:
    """Return ``url`` without a user name, a password or a key in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # such as an invalid port, which may be part of the password
        parts = None
    if parts is None or not parts.netloc:
        return _LIKE_USER_INFO.sub(r"\1", url)
    query = "&".join(item for item in parts.query.split("&") if not is_secret_item(item))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def without_user_info_in(text: str) -> str:
    """Return ``text`` without the user names and passwords of the URLs in it, of any length."""
    return _USER_INFO.sub("", text)


def _in_json(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")


def _percent_encoded(secret: str) -> Iterator[str]:
    for safe in _URL_SAFE:
        encoded = quote(secret, safe=safe, errors="surrogatepass")
        for text in (encoded, re.sub("%..", lambda code: code[0].lower(), encoded)):
            yield text
            yield text.replace("%20", "+")


def _base64(secret: str) -> Iterator[str]:
    data = secret.encode("utf-8", "surrogatepass")
    if len(data) < SHORTEST_SECRET:  # a few letters, which occur in any base64
        return
    for encode in (b64encode, urlsafe_b64encode):
        whole = encode(data).decode()
        yield whole
        yield whole.rstrip("=")
        # In a longer text, such as "user:password", it begins at one of three offsets. Characters
        # that it shares with its neighbours are left out.
        for before in range(3):
            shifted = encode(bytes(before) + data).decode()
            yield shifted[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
