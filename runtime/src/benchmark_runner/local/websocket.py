"""The evaluation over a WebSocket: progress, states to go on from, and the result."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Self, cast

from pydantic import BaseModel, JsonValue, ValidationError, model_validator
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket, WebSocketDisconnect

from benchmark_runner.client.version_header import VERSION_HEADER
from benchmark_runner.errors import DatasetError, describe
from benchmark_runner.local.bodies import ARTIFACTS_ONLY
from benchmark_runner.local.catalog import Catalog, VersionNotFoundError, task_row
from benchmark_runner.local.evaluator import EvaluationError, Evaluator
from benchmark_runner.local.grader_steps import GraderState
from benchmark_runner.schemas import DatasetVersion

__all__ = ["EvaluationSocket", "refuse_socket"]

#: Seconds in which the first message must have arrived.
_FIRST_WITHIN = 60.0
#: Bytes of a message that clients accept.
_LARGEST_STATE = 10 * 1000 * 1000
#: Characters of a progress message.
_LONGEST_PROGRESS = 10_000


class _ResumeState(BaseModel):
    """A state of the grader on its way to the client and back.

    It holds the response, so that an evaluation can also begin again, and what it belongs to.
    """

    task_id: str
    evaluator_version: str
    response: str
    state: JsonValue


class _FirstMessage(BaseModel):
    task_id: str
    response: str | None = None
    eval_resume_state: _ResumeState | None = None
    dataset: str | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.response is None) == (self.eval_resume_state is None):
            msg = "give one of response and eval_resume_state"
            raise ValueError(msg)
        if self.eval_resume_state is not None and self.eval_resume_state.task_id != self.task_id:
            msg = f"eval_resume_state is of task {self.eval_resume_state.task_id}"
            raise ValueError(msg)
        return self


async def refuse_socket(websocket: WebSocket, reason: str) -> None:
    """Close a connection that is not allowed; accepted first, so that the reason arrives."""
    await websocket.accept()
    await websocket.close(1008, reason)


class EvaluationSocket:
    """The WebSocket endpoint that evaluates the tasks in a catalog."""

    def __init__(self, catalog: Catalog, evaluator: Evaluator) -> None:
        self._catalog = catalog
        self._evaluator = evaluator
        self._clean_text = evaluator.redactor.clean_text

    async def serve(self, websocket: WebSocket) -> None:
        """Evaluate the first message of a connection, for as long as that is open."""
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            try:
                first = await asyncio.wait_for(websocket.receive(), _FIRST_WITHIN)
            except TimeoutError:
                await websocket.close(1008, "No message arrived")
                return
            if first["type"] == "websocket.receive":
                await _while_open(websocket, self._answer(websocket, first.get("text") or ""))

    async def _answer(self, websocket: WebSocket, text: str) -> None:
        try:
            await self._evaluate(websocket, _FirstMessage.model_validate_json(text))
        except VersionNotFoundError as error:
            refusal: JsonValue = {"status_code": error.status_code, "detail": error.detail}
            await _send(websocket, "dataset_version_error", refusal)
        except HTTPException as error:
            await self._send_error(websocket, error.detail, error.status_code)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            detail = "; ".join(f"{_place(problem['loc'])}{problem['msg']}" for problem in problems)
            await self._send_error(websocket, detail, 422)
        except (DatasetError, EvaluationError) as error:
            is_ours = isinstance(error, DatasetError)
            await self._send_error(websocket, describe(error) if is_ours else str(error), 500)
        await websocket.close()

    async def _evaluate(self, websocket: WebSocket, message: _FirstMessage) -> None:
        dataset = await self._catalog.dataset(message.dataset, websocket.headers)
        if VERSION_HEADER in websocket.headers:
            version = DatasetVersion(id=dataset.version_id, label=dataset.label)
            await _send(websocket, "dataset_version", version.model_dump())
        row = task_row(dataset, message.task_id)
        if self._evaluator.payload_type != "text":
            raise HTTPException(400, ARTIFACTS_ONLY)
        evaluator_version = self._evaluator.version(dataset)
        earlier = message.eval_resume_state
        response = message.response if earlier is None else earlier.response
        if earlier is not None and earlier.evaluator_version != evaluator_version:
            await _send(
                websocket, "message", "The grader has changed: evaluating from the beginning"
            )
            earlier = None
        now = _ResumeState(
            task_id=message.task_id,
            evaluator_version=evaluator_version,
            response=response or "",
            state=earlier and earlier.state,
        )

        async def send_step(step: str | GraderState) -> None:
            if isinstance(step, str):
                await _send(websocket, "message", self._clean_text(step[:_LONGEST_PROGRESS]))
                return
            now.state = cast("JsonValue", self._evaluator.redactor.clean_value(step.value))
            await _send(websocket, "eval_resume_state", now.model_dump())

        result = await self._evaluator.evaluate(
            row, now.response, state=now.state, on_step=send_step
        )
        await _send(websocket, "result", result)

    async def _send_error(self, websocket: WebSocket, text: str, status: int) -> None:
        await _send(websocket, "error", self._clean_text(text), status_code=status)


async def _send(websocket: WebSocket, kind: str, data: JsonValue, **more: JsonValue) -> None:
    text = to_json({"type": kind, "data": data, **more}).decode()
    if kind == "eval_resume_state" and len(text) > _LARGEST_STATE:
        size = f"The state is too large to be sent ({len(text)} bytes with the response)"
        text = to_json(
            {"type": "message", "data": f"{size}: a retry starts from the beginning"}
        ).decode()
    await websocket.send_text(text)


async def _while_open(websocket: WebSocket, work: Coroutine[None, None, None]) -> None:
    """Await ``work``, or cancel it when the client closes the connection."""
    working, reading = asyncio.ensure_future(work), asyncio.ensure_future(_read_all(websocket))
    try:
        await asyncio.wait((working, reading), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        for task in (working, reading):
            task.cancel()
        await asyncio.gather(working, reading, return_exceptions=True)


async def _read_all(websocket: WebSocket) -> None:
    """Read and ignore what a client sends, until it closes the connection."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _place(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, location))}: " if location else ""
