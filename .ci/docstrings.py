"""An extension of griffe: reads the docstrings of the runtime as Markdown, for the site."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import griffe

if TYPE_CHECKING:
    import ast

#: A role of reStructuredText, such as :func:`make_cli`, and what introduces a block of code.
_ROLE = re.compile(r":\w+:`~?(?:benchmark_runner\.)?([^`]+)`")
_CODE = re.compile(r"^\.\. code-block:: \w+\n\n", re.MULTILINE)


class MarkdownDocstrings(griffe.Extension):
    """Turns the marks of reStructuredText into Markdown; leaves out pydantic's settings."""

    def on_instance(
        self, *, node: ast.AST | griffe.ObjectNode, obj: griffe.Object, **_: Any
    ) -> None:
        """Rewrite the docstring of an object."""
        del node
        if obj.docstring:
            obj.docstring.value = _CODE.sub("", _ROLE.sub(r"`\1`", obj.docstring.value))

    def on_class_members(
        self, *, node: ast.AST | griffe.ObjectNode, cls: griffe.Class, **_: Any
    ) -> None:
        """Leave out ``model_config`` of a model."""
        del node
        cls.members.pop("model_config", None)
