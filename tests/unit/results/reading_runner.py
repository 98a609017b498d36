"""A runner for runs that are only looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark_runner.base import BenchmarkRunner

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner.schemas import GenerationResult


class Runner(BenchmarkRunner):
    """Notes which grades it is asked about."""

    NAME = "my-bench"

    def __init__(self) -> None:
        super().__init__("local")
        self.asked: list[JsonValue] = []

    async def generate(self, *_: Any, **__: Any) -> GenerationResult:
        raise AssertionError("nothing is to be generated here")

    def task_score(self, result: JsonValue) -> float | None:
        self.asked.append(result)
        return super().task_score(result)
