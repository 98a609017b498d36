"""Links from the page to the run's folders, which hold wherever both are moved together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote


class Link(NamedTuple):
    """A link.

    Attributes:
        name: What is there.
        href: Where, relative to the page, encoded.
        text: The same to read.
    """

    name: str
    href: str
    text: str


def link_to(name: str, folder: Path, page: Path) -> Link:
    """A link from the file ``page`` to a folder.

    It begins with a dot and has no colon, so that no name makes it an address of another kind.
    """
    there = Path(os.path.relpath(folder, page.parent)).as_posix()
    return Link(name, f"./{quote(os.fsencode(there))}/", there)
