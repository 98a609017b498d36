"""Results of an author's code, checked once where they come in, and plain data from then on.

A result is an object that its author can change after pydantic has validated it, and whose
class may be the author's own.
"""

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from numbers import Integral, Real
from typing import TypeVar, cast

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from benchmark_runner._json import json_file, read_json
from benchmark_runner.errors import describe
from benchmark_runner.schemas import EvalResultData, Failure, TokenUsage

ModelT = TypeVar("ModelT", bound=BaseModel)

#: Fields that count or measure: never negative, and never more than this.
_AMOUNTS = frozenset({"cost", "duration", "total_turns", "attempts", *TokenUsage.model_fields})
_MOST = 10**15
_SCORES = frozenset({"final_score", "mean", "stderr"})
_NUMBERS = _AMOUNTS | _SCORES
#: The years of a time that can be compared with others.
_YEARS = range(1970, 9999)
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


class FieldError(TypeError):
    """A result holds what is no plain data.

    ``usable`` are the values of its other fields, such as the answer that was paid for.
    """

    def __init__(self, name: str, problems: Mapping[str, str], usable: dict[str, object]) -> None:
        listed = "; ".join(f"{field}: {problem}" for field, problem in problems.items())
        super().__init__(f"{name} returned a result with unusable fields: {listed}")
        self.usable = usable


def plain(result: ModelT, base: type[ModelT], name: str) -> ModelT:
    """Return a copy of a result with plain data in every field.

    Args:
        result: The result, of the class ``base`` or of a subclass.
        base: The framework's class.
        name: The author's method.

    Raises:
        FieldError: fields hold something else; each is named.
    """
    problems: dict[str, str] = {}
    values = _plain_values(result, problems)
    try:
        found = type(result).model_validate(values)
        if type(result) is not base:  # whose fields may hold anything
            read_json(json_file(found))
        for field in _json_fields(values):
            _read_back(values[field])
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            field = str(problem["loc"][0]) if problem["loc"] else "(all)"
            problems.setdefault(field, f"{problem['msg']}{_kind(values.get(field))}")
    except BaseException as error:  # noqa: BLE001 (of the author's validators and serializers)
        problem = f"not JSON that can be read again ({describe(error)}) in {type(result).__name__}"
        for field in _json_fields(values) if type(result) is base else ["(all)"]:
            problems.setdefault(field, problem)
    else:
        if not problems:
            return found
    raise FieldError(name, problems, _usable(values, base, problems))


def _plain_values(model: BaseModel, problems: dict[str, str]) -> dict[str, object]:
    """Return the values of a model; those that can't be plain are named in ``problems``."""
    values: dict[str, object] = {}
    for field, value in {**vars(model), **(model.__pydantic_extra__ or {})}.items():
        if value is None or (type(value) is str and field not in _NUMBERS):  # most of them
            values[field] = value
            continue
        try:
            values[field] = _plain_value(field, value)
        except ValidationError:
            problems[field] = f"not JSON{_kind(value)}"
        except (ValueError, RecursionError) as error:
            problems[field] = str(error)
        except BaseException as error:  # noqa: BLE001 (of the author's class)
            problems[field] = f"{describe(error)}{_kind(value)}"
    return values


def _read_back(value: object) -> None:
    """Raise an error if JSON that holds a value can't be read, such as what is nested too deep."""
    with suppress(PydanticSerializationError):  # half a surrogate pair, which is replaced
        read_json(to_json([value], inf_nan_mode="null"))


def _json_fields(values: Mapping[str, object]) -> list[str]:
    return [name for name in ("metadata", "result") if values.get(name)]


def _plain_value(field: str, value: object) -> object:
    if isinstance(value, EvalResultData):
        value = value.model_dump(warnings=False)  # JSON would turn an infinity into null
    if field == "result":
        return _JSON.validate_python(value)
    if isinstance(value, (TokenUsage, Failure)):
        value = vars(value)
    if field in {"usage", "failure"} and isinstance(value, dict):
        nested = cast("dict[str, object]", value).items()
        return {name: _plain_value(name, each) for name, each in nested}
    if isinstance(value, datetime) and value.year not in _YEARS:
        message = f"in the year {value.year}"
        raise ValueError(message)
    if value is not None and field in _NUMBERS:
        return _number(value, *((0, _MOST) if field in _AMOUNTS else (-math.inf, math.inf)))
    return value


def _number(value: object, least: float, most: float) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        message = f"not a number{_kind(value)}"
        raise ValueError(message)  # noqa: TRY004 (collected with the others)
    try:
        number = int(value) if isinstance(value, Integral) else float(value)
        if math.isfinite(number) and least <= number <= most:
            return number
    except (OverflowError, ValueError):
        pass
    message = "not a finite number" if least < 0 else "not a number from 0 to 10^15"
    raise ValueError(message)


def _usable(
    values: Mapping[str, object], base: type[BaseModel], problems: Iterable[str]
) -> dict[str, object]:
    wrong = set(problems)
    return {name: values[name] for name in base.model_fields if name in values.keys() - wrong}


def _kind(value: object) -> str:
    return f" ({type(value).__name__})"
