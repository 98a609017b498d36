"""The resume command, as it is made from the config of a run."""

from __future__ import annotations

from pathlib import Path

from benchmark_runner._project import Project
from benchmark_runner._run.benchmark import Benchmark
from benchmark_runner._run.cli_defaults import CliSettings
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.cli.resume_command import NextCommands
from tests.fakes import FakeRunner

SETTINGS = CliSettings(
    runner=FakeRunner,
    grader=None,
    default_dataset_file=None,
    default_results_dir="results",
    default_parallelism=10,
    default_timeout=1800.0,
    default_model=None,
    default_service_url=None,
    data_dir="data",
)


def test_the_flags_of_its_last_invocation_are_repeated() -> None:
    benchmark = Benchmark(SETTINGS, Project(None, Path()), FakeRunner)
    config = RunConfig(
        run_id="r1",
        model="m",
        tasks=["t1"],
        operational={
            "skip_eval": True,
            "parallelism": 3,
            "timeout": 2.5,
            "max_cost": None,
            "no_durable": False,
            "eval_parallelism": 10,
            "of_a_later_version": 7,
        },
    )

    command = NextCommands(benchmark, Path.cwd() / "results").resume(config)

    assert command.endswith("run --run-id r1 --skip-eval --parallelism 3 --timeout 2.5")
