"""Whether the benchmark service is there, and lets this key in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner._run.benchmark import connect_to_service
from benchmark_runner.cli.doctor.findings import Finding, not_checked, ok
from benchmark_runner.client.preflight import check_service

if TYPE_CHECKING:
    from benchmark_runner._run.benchmark import Benchmark
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner.cli.doctor.loading import Loaded


async def check_reachable(
    benchmark: Benchmark, service: ServiceSettings, loaded: Loaded
) -> Finding:
    """Ask what a run asks before anything is paid for.

    Raises:
        BenchmarkRunnerError: grading could not work; the class says why.
    """
    if service.local:
        return ok("local: this machine grades")
    runner = loaded.runner
    async with await connect_to_service(service, benchmark, runner, loaded.source) as client:
        if not loaded.tasks:
            await client.health()
            return not_checked(
                f"{client.base_url} is up; without a default dataset the key is not tried"
            )
        await check_service(client, loaded.tasks[0].id, runner.dataset_name, runner.EVALUATION_API)
        key = (
            f"does not refuse the key in {client.auth_name}" if client.auth_name else "wants no key"
        )
        return ok(f"{client.base_url} is up and {key}")
