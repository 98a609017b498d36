"""The settings of the benchmark service, with the flags that give them."""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self

from benchmark_runner._part import Part
from benchmark_runner._run.flags import (
    ALL_COMMANDS,
    WITH_EVALUATION,
    WITH_REQUESTS,
    flag,
    switch,
)

if TYPE_CHECKING:
    from benchmark_runner.client.retry import RetryPolicy

#: The URL that means the embedded service.
LOCAL = "local"

#: Seconds for a request, and for the silence between two messages over the WebSocket.
_REQUEST, _SILENCE = 300.0, 3600.0
_WEBSOCKET = "websocket"

_SERVICE = "Service settings"
_service_flag = partial(flag, part=Part.OPERATIONAL, commands=ALL_COMMANDS, panel=_SERVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """The settings of the connection to the service."""

    url: str = flag(
        "--service-url",
        "URL",
        "URL of the benchmark service, or local.",
        Part.GRADER,
        default="",
        commands=ALL_COMMANDS,
        env="SERVICE_URL",
        panel=_SERVICE,
        secret=True,
    )
    eval_parallelism: int = flag(
        "--eval-parallelism",
        "N",
        "Maximum number of evaluations at a time.",
        Part.OPERATIONAL,
        default=10,
        commands=WITH_EVALUATION,
        minimum=1,
        panel=_SERVICE,
    )
    # Judges are slow: several minutes per evaluation are normal.
    eval_timeout: float | None = _service_flag(
        "--eval-timeout",
        "SECONDS",
        "Time limit of one request to evaluate; over the WebSocket, of the silence between two "
        "messages, after which the service is asked if it is well.",
        commands=WITH_REQUESTS,
        default_text=f"{_REQUEST:g}; {_SILENCE:g} over the WebSocket",
    )
    eval_total_timeout: float = flag(
        "--eval-total-timeout",
        "SECONDS",
        "Time limit of one whole evaluation over the WebSocket; 0 means none.",
        Part.OPERATIONAL,
        default=43200,
        commands=WITH_EVALUATION,
        minimum=0,
        panel=_SERVICE,
    )
    service_attempts: int = _service_flag(
        "--service-attempts",
        "N",
        "Maximum number of attempts of a request to the service.",
        default=8,
        minimum=1,
    )
    service_retry_time: float = _service_flag(
        "--service-retry-time",
        "SECONDS",
        "Time for the retries of a request to the service.",
        default=300,
        minimum=0,
    )
    headers: list[str] = flag(
        "--header",
        "NAME=VALUE",
        "Send this header of the deployment's own to the service, and nowhere else; safer in the "
        "environment, one a line. May be repeated.",
        Part.INVOCATION,
        default=list,
        commands=ALL_COMMANDS,
        env="SERVICE_HEADERS",
        panel=_SERVICE,
        secret=True,
    )
    allow_insecure_http: bool = switch(
        "--allow-insecure-http",
        "Send the key to another machine over plain http, too.",
        Part.OPERATIONAL,
        commands=ALL_COMMANDS,
        panel=_SERVICE,
    )

    @property
    def local(self) -> bool:
        """True if the embedded service is meant."""
        return self.url == LOCAL

    def for_api(self, evaluation_api: str) -> Self:
        """Return the settings for evaluations by an API, whose defaults may differ."""
        if self.eval_timeout is not None:
            return self
        timeout = _SILENCE if evaluation_api == _WEBSOCKET else _REQUEST
        return replace(self, eval_timeout=timeout)

    @property
    def attempt_timeout(self) -> float:
        """Seconds for one attempt of a request."""
        return _REQUEST if self.eval_timeout is None else self.eval_timeout

    @property
    def request_deadline(self) -> float:
        """Seconds after which a request is given up, its retries included."""
        from benchmark_runner.client.retry import LONGER

        # The first request, waiting for what it began (409), and a longer one.
        waits = max(self.service_retry_time, self.attempt_timeout)
        return self.attempt_timeout + waits + LONGER * self.attempt_timeout

    def eval_deadline(self, evaluation_api: str) -> float:
        """Return the seconds after which an evaluation is given up, its retries included."""
        is_long = evaluation_api == _WEBSOCKET
        return self.eval_total_timeout if is_long else self.request_deadline

    @property
    def retry(self) -> "RetryPolicy":
        """The policy for retries of a request."""
        from benchmark_runner.client.retry import RetryPolicy

        return RetryPolicy(attempts=self.service_attempts, total_time=self.service_retry_time)
