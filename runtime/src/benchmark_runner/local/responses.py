"""Responses of the embedded service."""

from pydantic import BaseModel
from starlette.responses import Response

__all__ = ["json_response"]


def json_response(answer: BaseModel) -> Response:
    """Return a response that holds a model, in the names of the wire."""
    return Response(answer.model_dump_json(by_alias=True), media_type="application/json")
