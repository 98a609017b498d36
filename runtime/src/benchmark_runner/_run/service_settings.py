"""The settings of the benchmark service, with the flags that give them."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmark_runner._part import Part
from benchmark_runner._run.flags import ALL_COMMANDS, WITH_EVALUATION, flag, switch

if TYPE_CHECKING:
    from benchmark_runner.client.retry import RetryPolicy

#: The URL that means the embedded service.
LOCAL = "local"

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
    eval_timeout: float = _service_flag(
        "--eval-timeout", "SECONDS", "Time limit of one request to evaluate.", default=300
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

    @property
    def eval_deadline(self) -> float:
        """Seconds after which an evaluation is given up, its retries included."""
        from benchmark_runner.client.retry import LONGER

        # The first request, waiting for what it began (409), and a longer one.
        waits = max(self.service_retry_time, self.eval_timeout)
        return self.eval_timeout + waits + LONGER * self.eval_timeout

    @property
    def retry(self) -> "RetryPolicy":
        """The policy for retries of a request."""
        from benchmark_runner.client.retry import RetryPolicy

        return RetryPolicy(attempts=self.service_attempts, total_time=self.service_retry_time)
