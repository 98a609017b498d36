"""An evaluation by Inspect that does nothing: a solver with one answer, a scorer with one score."""

from __future__ import annotations

import argparse
from pathlib import Path

from inspect_ai import Task, eval  # noqa: A004 (Inspect's name for it)
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Score, Target, mean, scorer
from inspect_ai.solver import Generate, TaskState, solver


@solver
def constant():  # noqa: ANN201 (Inspect's own type, which its decorator checks)
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = ModelOutput.from_content("mockllm/model", "an answer")
        return state

    return solve


@scorer(metrics=[mean()])
def always():  # noqa: ANN201 (likewise)
    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=1.0)

    return score


def main() -> None:
    """Evaluate so many samples, and see that each has its score."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int)
    parser.add_argument("--parallelism", type=int)
    parser.add_argument("--logs", type=Path)
    asked = parser.parse_args()
    samples = [
        Sample(id=f"task-{number:06}", input="What is it?", target="it")
        for number in range(asked.samples)
    ]
    (log,) = eval(
        Task(dataset=samples, solver=constant(), scorer=always(), name="no-op"),
        model="mockllm/model",
        display="none",
        log_dir=str(asked.logs),
        max_samples=asked.parallelism,
        max_connections=asked.parallelism,
    )
    assert log.status == "success", log.error
    assert log.samples is not None
    assert len(log.samples) == asked.samples
    for sample in log.samples:
        assert sample.output.completion == "an answer"
        assert sample.scores is not None
        assert sample.scores["always"].value == 1.0
    assert log.results is not None
    assert log.results.scores[0].metrics["mean"].value == 1.0


if __name__ == "__main__":
    main()
