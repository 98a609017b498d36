"""How a model becomes JSON: as bytes at once, and what is large in it part by part."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

from pydantic_core import PydanticSerializationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel

#: What stands before each item of a list that is a field of a file of ours, and after the last.
INDENTED = (b"\n    ", b"\n  ")
#: Bytes at which a piece is large enough to be worth a call of its own.
_PIECE = 64 * 1024


def json_file_of(content: BaseModel) -> bytes:
    """The text of a file that holds ``content``.

    Half a surrogate pair, which can't be UTF-8, is replaced: a paid answer is not lost for it.
    """
    try:
        # As model_dump_json(), which makes a str of these bytes.
        return content.__pydantic_serializer__.to_json(content, indent=2) + b"\n"
    except PydanticSerializationError:
        text = json.dumps(content.model_dump(), indent=2, ensure_ascii=False, default=str)
        return text.encode("utf-8", "replace") + b"\n"


def filled(
    skeleton: bytes,
    *parts: tuple[bytes, Iterable[bytes]],
    around: tuple[bytes, bytes] = (b"", b""),
) -> Iterator[bytes]:
    """JSON in which empty lists and objects are filled, item by item, so that none is kept.

    Args:
        skeleton: The JSON, the large parts of it empty.
        parts: How such a part begins where it first stands in the rest of the skeleton, such as
            ``"tasks": [``, and the JSON of what belongs into it.
        around: What stands before each item, and after the last one of a part.

    Returns:
        The JSON in pieces, none of which ends within an item.
    """
    before_each, after_last = around
    piece = BytesIO()
    for begins, items in parts:
        before, _, skeleton = skeleton.partition(begins)
        piece.write(before + begins)
        comma = b""
        for item in items:
            piece.write(comma + before_each + item)
            comma = b","
            if piece.tell() >= _PIECE:
                yield piece.getvalue()
                piece = BytesIO()
        if comma:
            piece.write(after_last)
    piece.write(skeleton)
    yield piece.getvalue()
