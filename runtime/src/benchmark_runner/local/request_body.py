"""Reads and validates request bodies, and says what is wrong with one as FastAPI does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request

ModelT = TypeVar("ModelT", bound=BaseModel)

#: Bytes; a larger body is refused with a 413.
MAX_BODY = 64 * 1024 * 1024


class InvalidBodyError(Exception):
    """A body is not what the path wants; ``faults`` is the ``detail`` of the 422."""

    def __init__(self, faults: list[dict[str, JsonValue]]) -> None:
        super().__init__()
        self.faults = faults

    @classmethod
    def of(cls, error: ValidationError, *place: str) -> Self:
        """What pydantic found in the body, or at a place in it."""
        return cls(
            [
                {
                    "type": fault["type"],
                    "loc": ["body", *place, *fault["loc"]],
                    "msg": fault["msg"],
                    "input": fault["input"],
                }
                for fault in error.errors(include_url=False, include_context=False)
            ]
        )


async def read_body(request: Request, model: type[ModelT]) -> ModelT:
    """Return the request's JSON body as a ``model``.

    Raises:
        HTTPException: 413, it is too large.
        InvalidBodyError: it is not JSON, or does not fit.
    """
    # What says itself that it is too large is not even received.
    _refuse_more_than_allowed(int(request.headers.get("content-length", 0)))
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        _refuse_more_than_allowed(len(content))
    if not content:
        fault: dict[str, JsonValue] = {
            "type": "missing",
            "loc": ["body"],
            "msg": "Field required",
            "input": None,
        }
        raise InvalidBodyError([fault])
    try:
        document: object = from_json(bytes(content), allow_inf_nan=False)
    except ValueError as error:
        fault = {
            "type": "json_invalid",
            "loc": ["body"],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": str(error)},
        }
        raise InvalidBodyError([fault]) from None
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidBodyError.of(error) from None


def _refuse_more_than_allowed(size: int) -> None:
    if size > MAX_BODY:
        raise HTTPException(413, f"The request is larger than {MAX_BODY} bytes")


def invalid_body(_request: Request, error: Exception) -> Response:
    """Answer an :class:`InvalidBodyError`."""
    if not isinstance(error, InvalidBodyError):
        raise error
    return JSONResponse({"detail": error.faults}, status_code=422)
