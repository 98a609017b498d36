"""The arguments of ``make_cli()``, with the defaults of the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark_runner.base import BenchmarkRunner


@dataclass(frozen=True, slots=True, kw_only=True)
class CliSettings:
    """The arguments of :func:`benchmark_runner.make_cli`, which describes them."""

    runner: type[BenchmarkRunner] | str
    grader: Callable[..., object] | str | None
    default_dataset_file: str | None
    default_results_dir: str
    default_parallelism: int
    default_timeout: float | None
    default_model: str | None
    default_service_url: str | None = field(repr=False)
    data_dir: str
