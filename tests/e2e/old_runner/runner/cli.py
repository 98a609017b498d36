"""roman-bench-runner CLI."""

from benchmark_runner.cli import make_cli

from .benchmark import RomanBenchRunner

cli = make_cli(
    RomanBenchRunner,
    default_dataset_file="data/dataset.json",
    default_results_dir="results",
    default_parallelism=4,
    default_timeout=600,
)

if __name__ == "__main__":
    cli()
