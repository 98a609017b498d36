"""Make and run an LLM benchmark: generate, grade over HTTP, score, resume.

An author subclasses :class:`BenchmarkRunner` and hands it to :func:`make_cli`. Names are
imported on first use, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner, current_generation
    from benchmark_runner.cli import make_cli
    from benchmark_runner.client.service_client import BenchmarkServiceClient, build_client
    from benchmark_runner.command_agent import run_command_agent
    from benchmark_runner.llm import LLMConfig, build_llm_config
    from benchmark_runner.schemas import (
        Artifact,
        EvalResult,
        EvalResultData,
        EvalStatus,
        EvaluateResponseRequest,
        FinalScoreResponse,
        GenerationResult,
        GenerationStatus,
        ScoreResult,
        Task,
        TokenUsage,
    )

__all__ = [
    "Artifact", "BenchmarkRunner", "BenchmarkServiceClient", "EvalResult", "EvalResultData",
    "EvalStatus", "EvaluateResponseRequest", "FinalScoreResponse", "GenerationResult",
    "GenerationStatus", "LLMConfig", "RunArtifacts", "ScoreResult", "Task", "TokenUsage",
    "build_client", "build_llm_config", "current_generation", "make_cli", "run_command_agent",
]  # fmt: skip

_HOME_OF = {
    "BenchmarkRunner": "base",
    "BenchmarkServiceClient": "client",
    "LLMConfig": "llm",
    "RunArtifacts": "artifacts",
    "build_client": "client",
    "build_llm_config": "llm",
    "current_generation": "base",
    "make_cli": "cli",
    "run_command_agent": "command_agent",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        from benchmark_runner._deprecation import current_name

        name = current_name(name)
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    module = import_module(f"{__name__}.{_HOME_OF.get(name, 'schemas')}")
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
