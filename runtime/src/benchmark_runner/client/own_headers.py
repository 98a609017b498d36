"""The headers of a deployment's own, such as a gateway's or a tenant's; their values are secret.

They are given as ``NAME=VALUE``. No message quotes one, as any part of it may be a secret.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from benchmark_runner._secrets import HEADERS_VARIABLE
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["own_headers", "read_headers"]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Headers of the connection, of the body, and those that have a setting of their own.
_TAKEN = {
    **dict.fromkeys(
        [
            *("accept-encoding", "connection", "content-encoding", "content-length"),
            *("content-type", "expect", "host", "keep-alive", "proxy-authorization"),
            *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        ],
        "the client sets it for each request",
    ),
    "x-benchmark-dataset-version": "--dataset-version sets it",
    "x-descope-api-key": "it is that of the key in VALS_AUTH_KEY",
}


def own_headers(flags: Iterable[str] = ()) -> dict[str, str]:
    """Return the headers of the environment, and over them those of ``--header``.

    Raises:
        UsageError: one of them can't be sent.
    """
    lines = [line for line in os.environ.get(HEADERS_VARIABLE, "").splitlines() if line.strip()]
    return read_headers(lines, HEADERS_VARIABLE) | read_headers(flags, "--header")


def read_headers(given: Iterable[str], source: str) -> dict[str, str]:
    """Return headers from ``NAME=VALUE``, by their names in lower case.

    Raises:
        UsageError: one of them can't be sent; ``source`` is named.
    """
    headers: dict[str, str] = {}
    for number, text in enumerate(given, 1):
        which = f"the {source} number {number}"
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not value or not _NAME.fullmatch(name):
            raise UsageError(
                f"{which} is not NAME=VALUE", hint="Write it like x-tenant=acme, with both parts."
            )
        if not (value.isascii() and value.isprintable()):
            raise UsageError(
                f"{which} has characters that no header can carry",
                hint="Set it again, without line breaks or invisible characters.",
            )
        name = name.lower()
        if (reason := _TAKEN.get(name)) is not None or name.startswith("sec-websocket-"):
            raise UsageError(
                f"{which} sets {name}: {reason or 'the client sets it for each connection'}",
                hint="Leave it out.",
            )
        if name in headers:
            raise UsageError(f"{source} has {name} twice", hint="Leave one of them out.")
        headers[name] = value
    return headers
