"""Every goal, in one table: ``python -m tests.benchmarks [--quick]``."""

from tests.benchmarks import (
    artifacts,
    copying,
    coverage,
    exports,
    forecast,
    latency,
    memory,
    reports,
    resume,
    settled,
    stalls,
    startup,
    throughput,
    transports,
)
from tests.benchmarks.figures import main

main(
    startup.measure,
    transports.measure,
    throughput.measure,
    latency.measure,
    memory.measure,
    resume.measure,
    stalls.measure,
    copying.measure,
    artifacts.measure,
    coverage.measure,
    exports.measure,
    forecast.measure,
    settled.measure,
    reports.measure,
)
