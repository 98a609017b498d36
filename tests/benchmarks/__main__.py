"""Every goal, in one table: ``python -m tests.benchmarks [--quick]``."""

from tests.benchmarks import memory, resume, throughput, transports
from tests.benchmarks.figures import main

main(transports.measure, throughput.measure, memory.measure, resume.measure)
