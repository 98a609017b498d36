"""The steps of a grader that is a generator: progress, states to go on from, and the result."""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import cast

from benchmark_runner._concurrency.author_calls import call_either

__all__ = ["GraderState", "OnStep", "call_grader", "ignore_step"]

_NAME = "the grader"


@dataclass(frozen=True, slots=True)
class GraderState:
    """A state that a grader has yielded, which it can go on from."""

    value: object


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a generator, with what it has returned."""

    value: object = None


#: Gets what a grader yields: a text is its progress.
OnStep = Callable[[str | GraderState], Awaitable[None]]


async def ignore_step(_step: str | GraderState) -> None:
    """Do nothing about a step."""


async def call_grader(
    grader: Callable[..., object], call: Callable[[], object], on_step: OnStep
) -> object:
    """Return what ``call()`` of the grader returns, or yields or returns last as a generator.

    A text that it yields is progress, a dict with the single key ``state`` is a state.

    Raises:
        TypeError: a generator ended without a result.
    """
    outcome = await call_either(grader, call, _NAME)
    if inspect.isasyncgen(outcome):
        generator = cast("AsyncGenerator[object, None]", outcome)
        return await _result_of(partial(anext, generator, _End()), generator.aclose, on_step)
    if inspect.isgenerator(outcome):
        steps = cast("Generator[object, None, object]", outcome)
        return await _result_of(partial(_next_of, steps), steps.close, on_step)
    return outcome


async def _result_of(
    advance: Callable[[], object], close: Callable[[], object], on_step: OnStep
) -> object:
    result: object = _End()
    try:
        while not isinstance(step := await call_either(advance, advance, _NAME), _End):
            if isinstance(step, str):
                await on_step(step)
            elif (state := _state_in(step)) is not None:
                await on_step(state)
            else:
                result = step
    finally:
        # A plain generator that was interrupted may still be running in its thread.
        with suppress(Exception):
            await call_either(close, close, _NAME)
    result = result if step.value is None else step.value
    if isinstance(result, _End):
        message = "the grader yielded no result; yield it last"
        raise TypeError(message)
    return result


def _state_in(step: object) -> GraderState | None:
    if not isinstance(step, dict):
        return None
    fields = cast("dict[object, object]", step)
    return GraderState(fields["state"]) if fields.keys() == {"state"} else None


def _next_of(generator: Generator[object, None, object]) -> object:
    try:
        return next(generator)
    except StopIteration as end:
        return _End(end.value)
