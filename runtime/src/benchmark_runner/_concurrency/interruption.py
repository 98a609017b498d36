"""The signal that stops a command: what comes back after it may come from a child that died."""

_signalled = False


def note_signal() -> None:
    """Note that a signal stops the command; a signal handler may call this."""
    global _signalled  # noqa: PLW0603 (a signal is the process's)
    _signalled = True


def forget_signal() -> None:
    """Note that another command begins."""
    global _signalled  # noqa: PLW0603
    _signalled = False


def is_interrupted() -> bool:
    """Return True if a signal has come."""
    return _signalled
