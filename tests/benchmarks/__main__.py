"""Every goal, in one table: ``python -m tests.benchmarks [--quick]``."""

from tests.benchmarks import throughput, transports
from tests.benchmarks.figures import main

main(throughput.measure, transports.measure)
