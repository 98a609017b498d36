"""The messages of one WebSocket connection, from the first one to the result."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_core import to_json

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner.client.channel import ChannelClosedError
from benchmark_runner.client.chunks import Chunk, ReportedError, read_chunk, text_of
from benchmark_runner.client.close_codes import POLICY_VIOLATION, REFUSED_DATA, closed_early
from benchmark_runner.client.failure import bad_response, refusal, shorten
from benchmark_runner.client.response import Answer, UnreadableError
from benchmark_runner.client.retry import TransientError
from benchmark_runner.errors import GraderError, ServiceError, describe
from benchmark_runner.schemas import (
    DatasetVersion,
    EvalResult,
    EvalStatus,
    Failure,
    FailureKind,
    Phase,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmark_runner.client.call import Call
    from benchmark_runner.client.channel import Channel
    from benchmark_runner.client.evaluation_journal import EvaluationJournal, State
    from benchmark_runner.client.service_client import BenchmarkServiceClient

__all__ = ["Conversation", "StateRefusedError", "hash_of"]

#: The status of a message, where an HTTP answer has its own.
_OPEN = 101
#: Characters of a progress message.
_LONGEST_PROGRESS = 200
#: Seconds for which the result is awaited that may follow an error.
_AFTER_ERROR = 300.0


class StateRefusedError(Exception):
    """The service does not take the state that it was sent, of which this has the hash."""

    def __init__(self, reason: str, state: bytes) -> None:
        super().__init__(reason)
        self.state = state


@dataclass(slots=True)
class Conversation:
    """The messages over one connection of an evaluation.

    Attributes:
        sent: The hash of the state that it began with, or ``None``.
        may_refuse_state: Whether the evaluation starts from the beginning where the service
            refuses that.
        has_advanced: Whether the service has sent a new state.
    """

    client: BenchmarkServiceClient
    call: Call
    task_id: str
    journal: EvaluationJournal
    sent: bytes | None = None
    may_refuse_state: bool = False
    has_advanced: bool = False
    _version: DatasetVersion | None = None
    _reported: ReportedError | None = None

    async def converse(
        self, channel: Channel, first_message: Callable[[Conversation], Awaitable[str]]
    ) -> EvalResult:
        """Send the first message, and read what follows until there is a result."""
        try:
            await self._send(channel, await first_message(self))
            while (result := await self._read_from(channel)) is None:
                pass
        except ChannelClosedError as closed:
            return self._end(closed)
        except UnreadableError as error:
            raise self._bad(str(error)) from None
        return result

    async def _send(self, channel: Channel, text: str) -> None:
        silence = self.client.calls.silence
        try:
            async with asyncio.timeout(silence):
                await channel.send(text)
        except TimeoutError:
            reason = f"the first message was not taken within {silence:g} s"
            raise TransientError(reason, timed_out=True) from None

    async def _read_from(self, channel: Channel) -> EvalResult | None:
        """Read one message, which is not in memory any more while the next one is awaited."""
        chunk = await read_chunk(await self._next_message(channel))
        if chunk.get("type") == "result":
            return self._result(chunk)
        await self._take(chunk)
        return None

    async def _next_message(self, channel: Channel) -> str:
        silence, has_failed = self.client.calls.silence, self._reported is not None
        while True:
            try:
                async with asyncio.timeout(min(silence, _AFTER_ERROR) if has_failed else silence):
                    return await channel.receive()
            except TimeoutError:
                if has_failed:
                    raise ChannelClosedError(None) from None
                await self._check_health(silence)

    async def _check_health(self, silence: float) -> None:
        """Return if the service is well: then it may go on as long as it takes."""
        try:
            await self.client.health()
        except ServiceError as error:
            reason = f"no message within {silence:g} s, and then: {describe(error)}"
            raise TransientError(reason, timed_out=True) from None

    async def _take(self, chunk: Chunk) -> None:
        data = chunk.get("data")
        match chunk.get("type"):
            case "message" if data is not None:
                text = shorten(text_of(data), self.client.calls.service, _LONGEST_PROGRESS)
                if text:
                    self.journal.tell(text)
            case "eval_resume_state" if isinstance(data, dict):
                await self.journal.save(data)
                self.has_advanced = self.has_advanced or await hash_of(data) != self.sent
            case "eval_resume_state":
                self.journal.tell("a state that is not a JSON object is not kept")
            case "dataset_version":
                self._version = None
                with suppress(ValidationError):
                    self._version = DatasetVersion.model_validate(data)
                self._refuse_other_version()
            case "error":
                self._reported = ReportedError.of(chunk, self.client.calls.service)
            case "dataset_version_error":
                self._reported = ReportedError.of(chunk, self.client.calls.service)
                raise ChannelClosedError(None)
            case _:
                pass

    def _result(self, chunk: Chunk) -> EvalResult:
        if "data" not in chunk:
            raise self._bad("a message with a result has no data")
        about = chunk.get("task_id")
        if about is not None and text_of(about) != self.task_id:
            raise self._bad(f"the result is about task {about!r}, not {self.task_id!r}")
        self._refuse_other_version()
        return EvalResult(
            task_id=self.task_id,
            status=EvalStatus.EVALUATED,
            result=chunk["data"],
            dataset_version=self._version.name if self._version is not None else None,
        )

    def _refuse_other_version(self) -> None:
        pinned, version = self.client.pinned, self._version
        if pinned is None or (version is not None and version.id == pinned.id):
            return
        said = "does not say its version" if version is None else f"is of {version.name!r}"
        raise self._bad(f"the dataset {said}, and the run is of {pinned.name!r}")

    def _end(self, closed: ChannelClosedError) -> EvalResult:
        service, reported = self.client.calls.service, self._reported
        self._refuse_state(closed)
        if reported is None or closed.code == POLICY_VIOLATION:
            raise closed_early(self.call, service, closed) from None
        if reported.status is not None:
            answer = Answer(reported.status, {}, reported.text.encode())
            source = f"error {reported.status}"
            raise refusal(self.call, service, answer, source=source) from None
        if self.client.local:
            raise GraderError(
                self.call.failed(service, reported.text), hint="Correct the grader."
            ) from None
        # The service's grader failed; a later run may succeed.
        failure = Failure(phase=Phase.EVALUATE, kind=FailureKind.BAD_RESPONSE, retryable=True)
        return EvalResult(
            task_id=self.task_id, status=EvalStatus.ERROR, error=reported.text, failure=failure
        )

    def _refuse_state(self, closed: ChannelClosedError) -> None:
        if self.sent is None or not self.may_refuse_state or self.has_advanced:
            return
        said = self._reported or ReportedError.of(
            {"data": closed.reason}, self.client.calls.service
        )
        if said.refuses_state or closed.code in REFUSED_DATA:
            raise StateRefusedError(said.text, self.sent) from None

    def _bad(self, problem: str) -> ServiceError:
        return bad_response(self.call, self.client.calls.service, problem, _OPEN)


async def hash_of(state: State) -> bytes:
    """Return the SHA-256 of a state."""
    return await run_in_thread(_digest, state)


def _digest(state: State) -> bytes:
    return hashlib.sha256(to_json(state)).digest()
