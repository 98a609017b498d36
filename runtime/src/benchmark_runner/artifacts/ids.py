"""The check of an id that names a folder of a run."""

from benchmark_runner.errors import InvalidIdError
from benchmark_runner.schemas import safe_path_segment

__all__ = ["checked_id"]


def checked_id(value: str, what: str) -> str:
    """Return the id of ``what``, such as "run id", if it can name a folder.

    Raises:
        InvalidIdError: it can't.
    """
    try:
        return safe_path_segment(value)
    except ValueError as error:
        raise InvalidIdError(
            f"{what}: {error}", hint=f"Use a {what} that can name a folder, such as my-id-1."
        ) from None
