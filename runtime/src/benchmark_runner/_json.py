"""JSON files: a model as bytes, or large parts of it item by item."""

import json
from collections.abc import Iterable, Iterator
from io import BytesIO

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

#: The text before each item of a list in a file, and after the last item.
INDENTED = (b"\n    ", b"\n  ")
#: The least bytes of a piece.
_PIECE = 64 * 1024


def json_file(content: BaseModel) -> bytes:
    """Return the content of a JSON file that holds a model.

    Half a surrogate pair, which can't be UTF-8, is replaced, so that a paid answer is not lost.
    """
    try:
        # as model_dump_json(), which decodes these bytes
        return content.__pydantic_serializer__.to_json(content, indent=2) + b"\n"
    except PydanticSerializationError:
        text = json.dumps(content.model_dump(), indent=2, ensure_ascii=False, default=str)
        return text.encode("utf-8", "replace") + b"\n"


def fill(
    skeleton: bytes, *parts: tuple[bytes, Iterable[bytes]], around: tuple[bytes, bytes] = (b"", b"")
) -> Iterator[bytes]:
    """Yield JSON in pieces, its empty lists and objects filled in; each item is in one piece.

    Args:
        skeleton: The JSON, with its large parts empty.
        parts: The beginning of each such part, such as ``"tasks": [``, in the skeleton's order,
            and the JSON of its items.
        around: The text before each item, and after the last item of a part.
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
