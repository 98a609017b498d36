"""Every goal, in one table: ``python -m tests.benchmarks [--quick]``."""

from tests.benchmarks import copying, startup, throughput
from tests.benchmarks.figures import main

main(startup.measure, throughput.measure, copying.measure)
