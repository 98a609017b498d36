"""Text of models, services and files, made safe for a terminal."""

from __future__ import annotations

import json
import re

#: Sequences that move the cursor, colour, rename the window or fill the clipboard. One that is
#: never ended takes the rest of its line at most.
_SEQUENCES = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[PX\\]^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|\x1b[ -/]*[0-~]"
)
_LINE_ENDS = re.compile("\r\n?")
#: JSON may hold these as they are; a terminal takes some of them for commands.
_LATE_CONTROLS = re.compile("[\x7f-\x9f]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """``text`` without terminal escapes and control characters, but for line ends and tabs."""
    if text.isprintable():
        return text
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", _SEQUENCES.sub("", text)))


def in_one_line(text: str) -> str:
    """The same with its white space closed up, for a place within a line."""
    return " ".join(printable(text).split())


def json_text(value: object) -> str:
    """``value`` as JSON in one line: no control character stands in it, and none is lost."""
    text = json.dumps(value, ensure_ascii=False)
    return _LATE_CONTROLS.sub(lambda control: f"\\u{ord(control[0]):04x}", text)
