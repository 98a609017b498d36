"""The record of the answers that were imported into a run."""

from datetime import datetime

from pydantic import BaseModel

__all__ = ["ImportedFile"]


class ImportedFile(BaseModel):
    """A file of answers that were made elsewhere."""

    file: str
    sha256: str
    answers: int
    """The number of answers in the file."""
    at: datetime
