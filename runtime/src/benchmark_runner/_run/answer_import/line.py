"""One line of a file of answers: a JSON object with the keys of ``export --format jsonl``."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError

from benchmark_runner._json import (
    RepeatedKeyError,
    parse_strictly,
    problems_of,
    read_cut_json,
    valid_text,
)
from benchmark_runner.checkpoint.run_config import MOST_REPEATS
from benchmark_runner.schemas import GenerationStatus, Phase

#: Greater amounts of money, tokens, seconds or turns are mistakes.
_MOST = 10**12
#: Characters of a message.
_LONGEST = 300
#: The years of a time that can be compared with others.
_YEARS = range(1970, 9999)


class LineError(ValueError):
    """An error in a line of a file of answers, in a field if it is in one.

    ``unknown_task`` is the id of a task that the run does not have.
    """

    def __init__(
        self, problem: str, field: str | None = None, *, unknown_task: str | None = None
    ) -> None:
        text = problem if field is None else f"field {field}: {problem}"
        # It may repeat a value, which may be of any length.
        super().__init__(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
        self.field = field
        self.unknown_task = unknown_task


def _number(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        message = f"must be a number, not {_kind(value)}"
        raise ValueError(message)  # noqa: TRY004 (which pydantic reports)
    if isinstance(value, float) and not math.isfinite(value):
        message = f"must be a finite number, not {value}"
        raise ValueError(message)
    return value


def _id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _text(value: object) -> object:
    if value is None or isinstance(value, str):
        return value and valid_text(value)
    message = f"must be a text, not {_kind(value)}"
    raise ValueError(message)


def _moment(value: object) -> object:
    if value is not None and not isinstance(value, str):
        message = "must be a time as in 2026-11-27T09:30:00Z"
        raise ValueError(message)
    return value or None


def _known_year(value: datetime | None) -> datetime | None:
    if value is not None and value.year not in _YEARS:
        message = f"in the year {value.year}"
        raise ValueError(message)
    return value


def _kind(value: object) -> str:
    names = {"dict": "an object", "list": "a list", "bool": "a truth value", "str": "a text"}
    return names.get(type(value).__name__, "null" if value is None else "a number")


_Text = Annotated[str | None, BeforeValidator(_text)]
_Repeat = Annotated[Annotated[int, Field(ge=1, le=MOST_REPEATS)] | None, BeforeValidator(_number)]
_Count = Annotated[Annotated[int, Field(ge=0, le=_MOST)] | None, BeforeValidator(_number)]
_Amount = Annotated[Annotated[float, Field(ge=0, le=_MOST)] | None, BeforeValidator(_number)]
_Moment = Annotated[datetime | None, BeforeValidator(_moment), AfterValidator(_known_year)]


class AnswerLine(BaseModel):
    """The keys of a line that are read; others are ignored."""

    task_id: Annotated[str, BeforeValidator(_id)]
    repeat: _Repeat = 1
    benchmark: _Text = None
    status: GenerationStatus | None = None
    generation_status: GenerationStatus | None = None
    """Another name of ``status``; in an export, ``null`` says that there is no generation."""
    answer: _Text = None
    artifact: _Text = None
    """The path of the file that is the answer."""
    artifact_sha256: _Text = None
    trajectory: _Text = None
    """The path of a trajectory."""
    error: _Text = None
    phase: _Text = None
    """The step whose error it is, in an export."""
    total_turns: _Count = None
    input_tokens: _Count = None
    output_tokens: _Count = None
    reasoning_tokens: _Count = None
    cache_read_tokens: _Count = None
    cache_write_tokens: _Count = None
    cost: _Amount = None
    generation_seconds: _Amount = None
    started_at: _Moment = None
    ended_at: _Moment = None
    question: _Text = None
    """The question that was answered, if the line says so."""

    @property
    def is_empty(self) -> bool:
        """True for a row of an export whose task was not generated."""
        named = "generation_status" in self.model_fields_set
        given = (self.generation_status, self.status, self.answer, self.artifact)
        return named and all(each is None for each in given)

    @property
    def outcome(self) -> GenerationStatus:
        """The status of the generation; without one, a success.

        Raises:
            LineError: it is not clear.
        """
        given = {each for each in (self.status, self.generation_status) if each is not None}
        if len(given) > 1:
            raise LineError("is not the same as generation_status", "status")
        if not given and self.error_of_generation:
            raise LineError("missing, although there is an error: success or error?", "status")
        return given.pop() if given else GenerationStatus.SUCCESS

    @property
    def error_of_generation(self) -> str | None:
        """The error, unless it is that of an evaluation, which was not imported."""
        return None if self.phase == Phase.EVALUATE else self.error


def parse_line(content: bytes) -> AnswerLine:
    """Return the content of a line.

    Numbers of unknown keys may be anything; half a surrogate pair in a text becomes U+FFFD.

    Raises:
        LineError: it is not JSON, not an object, or a value in it is of another kind.
    """
    value = _parse(content)
    if not isinstance(value, dict):
        raise LineError(f"must be an object, not {_kind(value)}")
    try:
        return AnswerLine.model_validate(value)
    except ValidationError as error:
        field, problem = next(problems_of(error))
        missing = problem == "Field required"
        raise LineError("missing" if missing else problem, field.partition(".")[0]) from None


def _parse(content: bytes) -> object:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        message = "not UTF-8 text"
        raise LineError(message) from None
    try:
        return parse_strictly(text)
    except RepeatedKeyError as error:
        raise LineError(str(error)) from None
    except (ValueError, RecursionError) as error:
        with suppress(ValueError, RecursionError):
            value, is_cut = read_cut_json(content)
            if not is_cut:
                return value
        message = f"not JSON: {error}".replace(" at line 1 column ", " at column ")
        raise LineError(message) from None
