"""An evaluation over the WebSocket, which goes on from where a lost connection left it.

The service sends its progress and, now and then, its state. The newest state is kept before the
next message is read; another connection begins with it instead of the response.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import PydanticSerializationError, to_json

from benchmark_runner._concurrency.slots import sleep_without_slot
from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner.client.call import WEBSOCKET_PATH, Call
from benchmark_runner.client.channel import ChannelClosedError
from benchmark_runner.client.close_codes import closed_early
from benchmark_runner.client.conversation import Conversation, StateRefusedError, hash_of
from benchmark_runner.client.failure import unavailable
from benchmark_runner.client.response import UnreadableError
from benchmark_runner.client.retry import RetryNotice, TransientError, call_with_retries
from benchmark_runner.errors import RejectedRequestError

if TYPE_CHECKING:
    from benchmark_runner.client.evaluation_journal import EvaluationJournal
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.schemas import EvalResult

__all__ = ["WebSocketEvaluation", "find_websocket"]

#: Seconds for which an opened connection is watched for a refusal, before anything is sent.
_REFUSED_WITHIN = 0.5
#: Seconds in which it is opened, retries included.
_FOUND_WITHIN = 10.0


class _LostError(Exception):
    """A connection that was lost, but has brought the evaluation on."""

    def __init__(self, failure: TransientError) -> None:
        super().__init__(failure.reason)
        self.failure = failure


@dataclass(slots=True)
class WebSocketEvaluation:
    """One evaluation of a response.

    Attributes:
        client: The client of the service.
        task_id: The task.
        response: The response, for a connection without a state to begin with.
        dataset: The service's name of the dataset; ``None`` for its default one.
        journal: What keeps the state.
    """

    client: BenchmarkServiceClient
    task_id: str
    response: str
    dataset: str | None
    journal: EvaluationJournal
    _refused: bytes | None = None

    async def run(self) -> EvalResult:
        """Evaluate, over as many connections as the client's retries allow.

        Only attempts without a new state in between count towards these.

        Raises:
            ServiceError: the service can't evaluate it.
        """
        calls, losses = self.client.calls, 0
        while True:
            try:
                return await call_with_retries(
                    self._attempt, calls.retry, calls.on_retry, in_progress_time=calls.silence
                )
            except StateRefusedError as refused:
                self._refused = refused.state
                text = f"starts from the beginning, as its state is refused: {refused}"
                self.journal.tell(text, at_once=True)
            except _LostError as lost:
                losses += 1
                await self._wait(lost.failure, losses)
            except TransientError as last:
                raise unavailable(self._call, calls.service, last) from None

    async def _wait(self, failure: TransientError, losses: int) -> None:
        calls = self.client.calls
        longest = min(calls.retry.max_wait, calls.retry.first_wait * 2 ** min(losses, 16))
        wait = random.uniform(0, longest) + (failure.retry_after or 0.0)  # noqa: S311 (no secret)
        if calls.on_retry is not None:
            calls.on_retry(RetryNotice(losses, wait, failure.reason, failure.status_code))
        await sleep_without_slot(wait)

    async def _attempt(self) -> EvalResult:
        conversation = Conversation(self.client, self._call, self.task_id, self.journal)
        try:
            async with self.client.open_channel(self._call) as channel:
                return await conversation.converse(channel, self._first_message)
        except TransientError as failure:
            if conversation.has_advanced and self.client.calls.retry.attempts > 1:
                raise _LostError(failure) from None
            raise

    async def _first_message(self, conversation: Conversation) -> str:
        state = await self.journal.load()
        kept = None if state is None else await hash_of(state)
        content: dict[str, object] = {"task_id": self.task_id}
        # A state that is refused stays until there is a newer one or a grade: the service may only
        # be unable to use it for now.
        if kept is None or kept == self._refused:
            content["response"] = self.response
        else:
            content["eval_resume_state"] = state
            conversation.sent = kept
            conversation.may_refuse_state = self._refused is None
        if self.dataset is not None:
            content["dataset"] = self.dataset
        try:
            return (await run_in_thread(to_json, content)).decode()
        except PydanticSerializationError:
            cause = "the request holds text that is not valid Unicode"
            raise RejectedRequestError(
                self._call.failed(self.client.calls.service, cause),
                hint="Remove lone surrogates from the response.",
            ) from None

    @property
    def _call(self) -> Call:
        return Call(f"evaluate task {self.task_id!r}", "GET", WEBSOCKET_PATH, self.dataset)


async def find_websocket(client: BenchmarkServiceClient, dataset: str | None) -> None:
    """Return if the service opens a WebSocket for evaluations; nothing is sent over it.

    Raises:
        ServiceError: it does not.
    """
    call = Call("find the WebSocket", "GET", WEBSOCKET_PATH, dataset)
    service, calls = client.calls.service, client.calls

    async def attempt() -> None:
        async with client.open_channel(call) as channel:
            try:
                async with asyncio.timeout(_REFUSED_WITHIN):
                    await channel.receive()
            except ChannelClosedError as closed:
                raise closed_early(call, service, closed) from None
            except (TimeoutError, UnreadableError):
                return

    try:
        async with asyncio.timeout(_FOUND_WITHIN):
            await call_with_retries(attempt, calls.quick_retry, calls.on_retry)
    except TimeoutError:
        failure = TransientError(f"no connection within {_FOUND_WITHIN:g} s")
    except TransientError as last:
        failure = last
    else:
        return
    raise unavailable(call, service, failure)
