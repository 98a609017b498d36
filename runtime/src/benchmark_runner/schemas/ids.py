"""Ids, each of which names a folder."""

import os
import re
import sys
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

__all__ = ["MAX_ID_BYTES", "RESERVED_IDS", "SafeId", "TaskRepeat", "safe_path_segment"]

#: File systems allow 255 bytes a name; the rest is room for what we append to it.
MAX_ID_BYTES = 200

#: Names that the framework itself uses in the results folder.
RESERVED_IDS = frozenset(
    {
        ".",
        "..",
        ".lock",
        ".config.lock",
        "run_config.json",
        "final_score.json",
        "events.jsonl",
        "report.html",
        "report_transcripts",
    }
)
#: Further ones: temporary files, and files that were set aside.
_RESERVED_NAME = re.compile(r"\..*\.tmp|[a-z_]+\.json\.corrupt-\d+", re.IGNORECASE)


def safe_path_segment(value: str) -> str:
    """Return ``value`` unchanged if it can name a folder inside the results folder.

    Raises:
        ValueError: it is empty, too long, reserved, or holds a separator, a control
            character or surrounding white space, or no file can have that name here.
    """
    if not value:
        msg = "an id can't be empty"
    elif value.casefold() in RESERVED_IDS or _RESERVED_NAME.fullmatch(value):
        msg = f"the id {value!r} is a name that the framework uses itself"
    elif "/" in value or "\\" in value:
        msg = f"the id {value!r} holds a path separator"
    elif not value.isprintable() or value != value.strip():
        msg = f"the id {value!r} holds a control character or surrounding white space"
    elif len(value.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        msg = f"the id {value[:40]!r}… is longer than {MAX_ID_BYTES} bytes"
    elif not _is_encodable(value):
        encoding = sys.getfilesystemencoding()
        msg = f"the id {value!r} can't name a folder in the locale's {encoding}: set PYTHONUTF8=1"
    else:
        return value
    raise ValueError(msg)


def _is_encodable(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


SafeId = Annotated[str, AfterValidator(safe_path_segment)]


class TaskRepeat(NamedTuple):
    """One repeat of a task: what is generated, evaluated and kept by itself.

    The repeats of a task are counted from 1.
    """

    task_id: str
    repeat: int = 1

    def __str__(self) -> str:
        return self.task_id if self.repeat == 1 else f"{self.task_id} (repeat {self.repeat})"
