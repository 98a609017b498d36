"""The log of TLS keys that ``SSLKEYLOGFILE`` asks for, to debug connections."""

import os

__all__ = ["forget_unwritable_key_log"]


def forget_unwritable_key_log() -> None:
    """Unset ``SSLKEYLOGFILE`` if its file can't be written.

    Otherwise Python could make no TLS settings at all, which libraries do when they are imported.
    """
    if path := os.environ.get("SSLKEYLOGFILE"):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError:
            del os.environ["SSLKEYLOGFILE"]
