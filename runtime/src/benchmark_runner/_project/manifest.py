"""A project's ``pyproject.toml``, whatever it holds."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

MANIFEST = "pyproject.toml"
Table = Mapping[str, object]


def read_manifest(root: Path) -> Table:
    """Return the content of the manifest at a project's root; nothing if it can't be read."""
    try:
        return tomllib.loads((root / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def table_in(content: Table, *names: str) -> Table:
    """Return the table of the manifest at ``names``; an empty one if there is none."""
    for name in names:
        value = content.get(name)
        content = cast("Table", value) if isinstance(value, dict) else {}
    return content
