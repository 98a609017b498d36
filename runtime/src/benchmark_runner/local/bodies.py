"""JSON bodies: requests' are validated, and refused in the form that FastAPI uses."""

import re
from typing import Self, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from benchmark_runner.schemas import Payload

__all__ = [
    "ARTIFACTS_ONLY",
    "MAX_BODY",
    "NO_ARTIFACTS",
    "InvalidBodyError",
    "check_payload",
    "json_response",
    "read_body",
]

ModelT = TypeVar("ModelT", bound=BaseModel)

#: Bytes; a larger body is refused with a 413.
MAX_BODY = 64 * 1024 * 1024
NO_ARTIFACTS = "This benchmark does not accept artifact submissions"
ARTIFACTS_ONLY = "This benchmark accepts artifact submissions only, by POST /v1/evaluate"


class InvalidBodyError(Exception):
    """An error about a body that does not fit; ``problems`` is the ``detail`` of the 422."""

    def __init__(self, problems: list[dict[str, JsonValue]]) -> None:
        super().__init__()
        self.problems = problems

    @classmethod
    def of(cls, error: ValidationError, *place: str) -> Self:
        """Return the error for what pydantic found in the body, or at a place in it."""
        return cls(
            [
                _problem(problem["type"], problem["msg"], problem["input"], *place, *problem["loc"])
                for problem in error.errors(include_url=False, include_context=False)
            ]
        )


async def read_body(request: Request, model: type[ModelT]) -> ModelT:
    """Return the request's JSON body as a ``model``; a body that is too large is a 413."""
    # A body that announces itself as too large is not even received.
    _refuse_more_than_allowed(int(request.headers.get("content-length", 0)))
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        _refuse_more_than_allowed(len(content))
    if not content:
        raise InvalidBodyError([_problem("missing", "Field required", None)])
    try:
        document: object = from_json(bytes(content), allow_inf_nan=False)
    except ValueError as error:
        problem = _problem("json_invalid", "JSON decode error", {})
        raise InvalidBodyError([{**problem, "ctx": {"error": str(error)}}]) from None
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidBodyError.of(error) from None


def json_response(answer: BaseModel) -> Response:
    """Return a response that holds a model, in the names of the wire."""
    return Response(answer.model_dump_json(by_alias=True), media_type="application/json")


def _problem(kind: str, message: str, given: JsonValue, *place: str | int) -> dict[str, JsonValue]:
    return {"type": kind, "loc": ["body", *place], "msg": message, "input": given}


def check_payload(payload: Payload, accepted: str) -> None:
    """Raise an ``HTTPException`` (400) unless the payload is of the accepted type."""
    if payload.type != accepted:
        is_artifact = payload.type == "artifact"
        detail = NO_ARTIFACTS if is_artifact else f"Payload type not accepted: {payload.type}"
        raise HTTPException(400, detail)
    if not re.fullmatch(rf".+\.{re.escape(accepted)}\.v[0-9]+", payload.schema_id):
        raise HTTPException(400, f"Payload schema not accepted: {payload.schema_id}")


def _refuse_more_than_allowed(size: int) -> None:
    if size > MAX_BODY:
        raise HTTPException(413, f"The request is larger than {MAX_BODY} bytes")
