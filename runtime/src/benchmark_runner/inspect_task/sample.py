"""The calls of Inspect for each sample: the agent, and the evaluation of its answer."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from benchmark_runner._secrets import user_info
from benchmark_runner.errors import BenchmarkRunnerError, describe
from benchmark_runner.inspect_task.arguments import TaskArguments, open_task_job, without_traceback
from benchmark_runner.inspect_task.evals import current_run, open_current_run
from benchmark_runner.inspect_task.log_score import LogScorer
from benchmark_runner.inspect_task.sample_state import end_sample, fill_state
from benchmark_runner.inspect_task.scores import no_answer, score_of, unscored
from benchmark_runner.schemas import GenerationStatus, TaskRepeat

if TYPE_CHECKING:
    from inspect_ai.model import Model
    from inspect_ai.scorer import Score
    from inspect_ai.solver import TaskState

    from benchmark_runner._run.defaults import CliSettings
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner.cli.job import Job

__all__ = ["Agent", "Evaluation"]

#: The provider of Inspect for models that it does not call itself.
_NO_PROVIDER = "none/"
#: Seconds, and share of a time limit of Inspect, that are left for what comes after the agent.
_MARGIN, _MARGIN_SHARE = 2.0, 0.1


class Agent:
    """The author's ``generate()`` as a solver."""

    def __init__(self, job: Job) -> None:
        self._job = job

    async def solve(self, state: TaskState) -> TaskState:
        """Answer the task of a sample."""
        from inspect_ai.model import get_model

        run, key = open_current_run(self._job), TaskRepeat(str(state.sample_id), state.epoch)
        request = _with_model(self._job.request, get_model())
        run.artifacts.redactor.hide(user_info(request.custom_endpoint or ""))
        saved = await run.generate(key, request, _seconds_left)
        await fill_state(state, saved.generation, run.artifacts, key)
        end_sample(saved.generation, run.artifacts, key)
        return state


class Evaluation:
    """The evaluation of an answer as a scorer, in an evaluation or of a log."""

    def __init__(self, settings: CliSettings, arguments: TaskArguments) -> None:
        self._settings = settings
        self._arguments = arguments

    async def score(self, state: TaskState) -> Score | None:
        """Return the score of a sample; ``None`` if it has none."""
        run = current_run()
        if run is None:
            try:
                return await self._scorer_of_log.score(state)
            except BenchmarkRunnerError as error:
                raise without_traceback(error) from None
        answer = state.output.completion if state.output.choices else ""
        try:
            evaluated = await run.evaluate(TaskRepeat(str(state.sample_id), state.epoch))
        except BenchmarkRunnerError as error:
            return unscored(run.artifacts.redactor.clean_text(describe(error)), answer)
        if evaluated is None:  # stopped by a limit of Inspect, or by a person
            state.metadata["generation_status"] = GenerationStatus.MAX_TIME.value
            return no_answer()
        return score_of(run.runner, evaluated, answer, run.artifacts.redactor)

    @cached_property
    def _scorer_of_log(self) -> LogScorer:
        return LogScorer(open_task_job(self._settings, self._arguments))


def _with_model(request: RunRequest, model: Model) -> RunRequest:
    """Return the request with Inspect's model and its settings, as those of ``run``."""
    config, name = model.config, str(model).removeprefix(_NO_PROVIDER)
    return replace(
        request,
        model=None if name == "none" else name,
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        reasoning_effort=config.reasoning_effort,
        custom_endpoint=getattr(model, "_explicit_base_url", None) or request.custom_endpoint,
    )


def _seconds_left() -> float:
    """Return the seconds that are left of Inspect's limit, some of them kept for what follows."""
    from inspect_ai.util import sample_limits

    limit = sample_limits().time
    left = limit.remaining
    if left is None:
        return math.inf
    return max(left - min(_MARGIN, _MARGIN_SHARE * (limit.limit or left)), 0.01)
