"""Calls whose answers are read as a model, with the client's limits and retries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from benchmark_runner.client.call import Call, Service
from benchmark_runner.client.failure import bad_response
from benchmark_runner.client.http_call import HttpCalls
from benchmark_runner.client.response import Answer, UnreadableError
from benchmark_runner.client.retry import RetryNotice, RetryPolicy

__all__ = ["TypedCalls"]

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)

#: Seconds in which a service that is up has answered what needs no work, retries included.
_QUICK_TIMEOUT = 10.0


@dataclass(slots=True)
class TypedCalls:
    """The calls to one service.

    Attributes:
        service: The service.
        http: What sends the calls.
        timeout: Seconds for one attempt of a call that evaluates or scores.
        retry: How often and how long to retry.
        on_retry: Called before each wait for another attempt.
        allow_insecure_http: Whether what is secret may go to another machine over plain http.
        silence: Seconds without a message over the WebSocket, after which the service is asked
            if it is well.
    """

    service: Service
    http: HttpCalls
    timeout: float
    retry: RetryPolicy
    on_retry: Callable[[RetryNotice], None] | None = None
    allow_insecure_http: bool = False
    silence: float = 3600.0

    @property
    def quick_retry(self) -> RetryPolicy:
        """The retries of calls that tell at once of a service that is down."""
        return self.retry.within(_QUICK_TIMEOUT)

    async def ask(self, call: Call, retry: RetryPolicy | None = None) -> Answer:
        """Send a call that may take as long as an evaluation."""
        return await self.http.ask(
            call, retry or self.retry, self.on_retry, attempt_limit=self.timeout
        )

    async def ask_quickly(
        self,
        call: Call,
        retry: RetryPolicy | None,
        *,
        limit: float | None = None,
        attempt_limit: float | None = None,
    ) -> Answer:
        """Send a call that needs no work, within ``limit`` seconds with its retries."""
        return await self.http.ask(
            call,
            retry or self.quick_retry,
            self.on_retry,
            limit=_QUICK_TIMEOUT if limit is None else limit,
            attempt_limit=attempt_limit,
            quick=True,
        )

    def parsed(self, call: Call, answer: Answer, model: type[ModelT]) -> ModelT:
        """Return an answer as a model; one that does not fit is a ``BadResponseError``."""
        return self.read(call, answer, lambda answer: answer.parse(model))

    def read(self, call: Call, answer: Answer, read: Callable[[Answer], T]) -> T:
        """Return what ``read`` makes of an answer; its ``UnreadableError`` is a bad response."""
        try:
            return read(answer)
        except UnreadableError as error:
            raise bad_response(call, self.service, str(error), answer.status) from None

    def refuse_another(
        self, call: Call, answer: Answer, what: str, named: str | None, sent: str
    ) -> None:
        """Refuse an answer that names another task, or run, than the one that was asked about."""
        if named not in (None, sent):
            problem = f"the answer is about {what} {named!r}, not {sent!r}"
            raise bad_response(call, self.service, problem, answer.status)
