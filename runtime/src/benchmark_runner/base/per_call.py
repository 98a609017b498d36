"""Attributes that an author's code may change for its own task, and for no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark_runner._concurrency.author_scope import AuthorCall, current_call
from benchmark_runner.base.tasks import own_copy

if TYPE_CHECKING:
    from pydantic import BaseModel


__all__ = ["PerCall"]


class PerCall:
    """An attribute, a model, of which each call for a task has a copy of its own.

    All other code shares one.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        shared: BaseModel = getattr(instance, self._name)
        if (call := _call_for_a_task()) is None:
            return shared
        if id(instance) not in call.copies:
            call.copies[id(instance)] = own_copy(shared)
        return call.copies[id(instance)]

    def __set__(self, instance: object, value: BaseModel) -> None:
        if (call := _call_for_a_task()) is None:
            setattr(instance, self._name, value)
        else:
            call.copies[id(instance)] = value


def _call_for_a_task() -> AuthorCall | None:
    call = current_call()
    return None if call is None or call.owner is None else call
