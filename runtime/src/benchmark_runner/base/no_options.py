"""The options of a runner whose author has declared none."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["NoOptions"]


class NoOptions(BaseModel):
    """The options of a runner that declares none."""

    model_config = ConfigDict(extra="forbid")
