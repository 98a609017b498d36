"""The authentication of requests to the embedded service, as a deployed one does it."""

import hmac

from starlette.types import Scope

from benchmark_runner.errors import UsageError

__all__ = ["Authentication"]

_OPEN_PATHS = frozenset({"/health", "/version"})
_BEARER_ON_V1 = (
    "The /v1/ surface requires Descope authentication; legacy bearer auth is not accepted."
)


class Authentication:
    """The key that clients must send; ``None`` lets everyone in.

    Args:
        key: The key, as ``x-descope-api-key``, or as a bearer key on the legacy paths.
        open_prefix: The start of further paths that need no key, as their URLs are signed.

    Raises:
        UsageError: no client could send that key.
    """

    def __init__(self, key: str | None, open_prefix: str) -> None:
        # An empty key would be "sent" by everyone.
        if key is not None and not (key.strip() == key != "" and key.isascii()):
            raise UsageError(
                "the key is empty, or holds characters that no header can carry",
                hint="Give --key letters and digits, or leave it out to let everyone in.",
            )
        self.key = key
        self._open_prefix = open_prefix

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and the reason for which a connection is refused, if it is."""
        path: str = scope.get("path", "")
        is_open = path in _OPEN_PATHS or path.startswith(self._open_prefix)
        if self.key is None or is_open or scope["type"] not in {"http", "websocket"}:
            return None
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        sent = dict(headers)
        # Both are always compared, so that the time taken tells nothing.
        by_header = self._is_key(sent.get(b"x-descope-api-key", b""))
        scheme, _, token = sent.get(b"authorization", b"").partition(b" ")
        by_bearer = self._is_key(token.strip()) and scheme.lower() == b"bearer"
        if by_header:
            return None
        if b"x-descope-api-key" in sent or not by_bearer:
            return 401, "Unauthorized"
        return (403, _BEARER_ON_V1) if path.startswith("/v1/") else None

    def _is_key(self, sent: bytes) -> bool:
        return hmac.compare_digest(sent, (self.key or "").encode())
