"""The URL of the benchmark service, and the key for it."""

import base64
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

import httpx

from benchmark_runner._redaction import without_user_info
from benchmark_runner._secrets import (
    BEARER_VARIABLE,
    HEADERS_VARIABLE,
    SERVICE_KEY_VARIABLES,
    SHORTEST_SECRET,
    user_info,
)
from benchmark_runner.errors import UsageError

__all__ = [
    "DESCOPE_HEADER", "Endpoint", "auth_headers", "headers_from_environment", "is_loopback_host",
]  # fmt: skip

DESCOPE_HEADER = "x-descope-api-key"
#: The source of the deployment's own headers, in messages.
_OWN = f"--header or {HEADERS_VARIABLE}"
_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked service URL without user info and final slash, and the headers for it.

    No message may show the ``secrets``. Nobody else can read the requests to a private one.
    """

    url: str
    host: str
    headers: dict[str, str] = field(repr=False)
    auth_name: str | None
    secrets: frozenset[str] = field(repr=False)
    is_private: bool

    @classmethod
    def of(
        cls,
        base_url: str,
        headers: Mapping[str, str],
        auth_name: str | None,
        *,
        trusted: bool,
        own_headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Check a service URL and the headers, whose values are secrets.

        User info in the URL becomes basic authentication, unless a header says otherwise.
        The requests to a ``trusted`` service never leave this process. ``own_headers`` are those
        of the deployment, which hold no key for the service; an ``authorization`` among them is
        for a gateway, or takes the place of a key.
        """
        url = _parse(base_url)
        sent = {name.lower(): value for name, value in headers.items()}
        own = {name.lower(): value for name, value in (own_headers or {}).items()}
        if both := sorted(sent.keys() & own.keys()):
            raise UsageError(
                f"{_OWN} has {both[0]}, which is sent for the key in {auth_name}",
                hint=f"Leave it out of {_OWN}, or unset {auth_name}.",
            )
        if "authorization" in own:
            sent["authorization"] = own.pop("authorization")
            auth_name = auth_name or f"the authorization of {_OWN}"
        secrets = {*user_info(base_url)}
        if url.userinfo:
            secrets |= {url.username, url.password, url.userinfo.decode()}
            if "authorization" not in sent:
                pair = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
                sent["authorization"] = f"Basic {pair}"
                auth_name = auth_name or "the service URL"
        if sent and auth_name is None:
            auth_name = f"the {', '.join(sent)} header"
        for name, value in own.items():
            _refuse_illegal(value, f"{name} of {_OWN}")
            secrets |= {value, value.partition(" ")[2]}
        for value in sent.values():
            _refuse_illegal(value, auth_name)
            secrets |= {value, value.partition(" ")[2]}
        return cls(
            url=str(url.copy_with(username=None, password=None)).rstrip("/"),
            host=f"[{url.host}]" if ":" in url.host else url.host,
            headers=sent | own,
            auth_name=auth_name,
            secrets=frozenset(text for text in secrets if len(text) >= SHORTEST_SECRET),
            is_private=trusted or is_loopback_host(url.host) or url.scheme == "https",
        )

    @property
    def bearer(self) -> bool:
        """True if the key goes out as a legacy bearer token."""
        authorization = self.headers.get("authorization", "")
        return DESCOPE_HEADER not in self.headers and authorization.lower().startswith("bearer ")

    def refuse_exposed_key(self) -> None:
        """Raise a ``UsageError`` if a key would cross a network unencrypted."""
        if self.headers and not self.is_private:
            raise UsageError(
                f"the key in {self.auth_name or _OWN} would go unencrypted to {self.url}",
                hint="Use an https URL, or allow this with --allow-insecure-http.",
            )


def headers_from_environment() -> tuple[dict[str, str], str | None]:
    """Return the header with the key of the environment, and the variable that holds it."""
    for variable in SERVICE_KEY_VARIABLES:
        if key := os.environ.get(variable, "").strip():
            is_bearer = variable == BEARER_VARIABLE
            header = {"authorization": f"Bearer {key}"} if is_bearer else {DESCOPE_HEADER: key}
            return header, variable
    return {}, None


def auth_headers() -> dict[str, str]:
    """Return the header with the key of the environment, for requests of an author's own."""
    headers, _ = headers_from_environment()
    return {name.replace("authorization", "Authorization"): key for name, key in headers.items()}


def _parse(given: str) -> httpx.URL:
    hint = "Set SERVICE_URL or give --service-url, for example https://benchmark.example.com."
    text = given.strip()
    if not text:
        raise UsageError("no benchmark service is set", hint=hint)
    shown = repr(without_user_info(text))
    try:
        url = httpx.URL(text)
        host = url.host
    except (httpx.InvalidURL, UnicodeError):  # the latter from an international host name
        raise UsageError(f"the service URL {shown} is not a URL", hint=hint) from None
    if url.scheme not in ("http", "https") or not host:
        message = f"the service URL {shown} is not an http or https URL with a host"
        raise UsageError(message, hint=hint)
    if url.port is not None and url.port not in _PORTS:
        message = f"the service URL {shown} has the invalid port {url.port}"
        raise UsageError(message, hint="Give a port from 1 to 65535, or none.")
    if url.query or url.fragment:
        shown = repr(without_user_info(str(url.copy_with(query=None, fragment=None))))
        raise UsageError(f"the service URL {shown} has a query or fragment", hint=hint)
    return url


def _refuse_illegal(value: str, auth_name: str | None) -> None:
    # The HTTP library would quote an illegal value in its error message.
    if not (value.isascii() and value.isprintable() and value == value.strip()):
        raise UsageError(
            f"the key in {auth_name} holds white space or characters that no header can carry",
            hint="Set the key again, without quotes, line breaks or invisible characters.",
        )


@lru_cache(maxsize=64)
def is_loopback_host(host: str) -> bool:
    """Return True if a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
