"""The run of an evaluation, as the samples of Inspect use it."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from benchmark_runner.checkpoint import load_run_config
from benchmark_runner.errors import RunnerStartError, ServiceUnavailableError
from benchmark_runner.inspect_task.arguments import TaskArguments, open_task_job
from benchmark_runner.inspect_task.live_run import LiveRun
from benchmark_runner.inspect_task.task_set import load_checked_tasks
from benchmark_runner.schemas import EvalStatus, GenerationStatus, TaskRepeat
from tests.unit.inspect_task.conftest import NotingRunner

if TYPE_CHECKING:
    from benchmark_runner._run.defaults import CliSettings
    from benchmark_runner.cli.job import Job

pytestmark = pytest.mark.anyio


@pytest.fixture
def job(settings: CliSettings) -> Job:
    return open_task_job(settings, TaskArguments(options={}))


def unlimited() -> float:
    return math.inf


async def test_samples_are_repeats_of_one_run(job: Job) -> None:
    """Each epoch of a task is a repeat; start() and stop() are called once."""
    run = LiveRun(job, "eval-1", epochs=2)
    keys = [TaskRepeat("easy", 1), TaskRepeat("easy", 2)]
    await asyncio.gather(*(run.generate(key, job.request, unlimited) for key in keys))
    evals = [await run.evaluate(key) for key in keys]
    await run.close()
    assert [each and each.result for each in evals] == [1.0, 1.0]
    assert sorted(NotingRunner.notes) == ["easy 1 1 a-model", "easy 2 1 a-model", "start", "stop"]
    folder = job.artifacts.results_dir / "inspect" / "eval-1"
    assert (folder / "easy/repeats/2/eval.json").is_file()
    config = load_run_config(run.artifacts)
    assert config is not None
    assert (config.run_id, config.repeats, config.model) == ("eval-1", 2, "a-model")


async def test_limit_of_inspect_is_that_of_the_run(job: Job) -> None:
    """An evaluation of the first tasks is a run of the first tasks."""
    run = LiveRun(job, "eval-1", limit=1)
    await run.generate(TaskRepeat("easy", 1), job.request, unlimited)
    await run.close()
    config = load_run_config(run.artifacts)
    assert config is not None
    assert (config.tasks, config.limit, config.dataset_size) == (["easy"], 1, 3)


async def test_another_try_is_an_attempt(job: Job) -> None:
    """A generation that Inspect repeats is another attempt, and the earlier one is kept."""
    run = LiveRun(job, "eval-1")
    key = TaskRepeat("easy", 1)
    for _ in range(2):
        saved = await run.generate(key, job.request, unlimited)
    await run.close()
    assert saved.generation.attempts == 2
    assert len(run.artifacts.earlier_generations("easy")) == 1


async def test_ungraded_is_an_error_of_the_evaluation(job: Job) -> None:
    """A grader that fails makes an evaluation that is an error, with the generation kept."""
    run = LiveRun(job, "eval-1")
    key = TaskRepeat("unfair", 1)
    await run.generate(key, job.request, unlimited)
    evaluated = await run.evaluate(key)
    await run.close()
    assert evaluated is not None
    assert evaluated.status is EvalStatus.ERROR
    assert run.artifacts.load_generation("unfair") is not None


async def test_inspects_limit_is_the_deadline(job: Job) -> None:
    """The time that Inspect leaves is that of the agent, if the task has no shorter limit."""
    run = LiveRun(job, "eval-1")
    saved = await run.generate(TaskRepeat("hangs", 1), job.request, lambda: 0.2)
    await run.close()
    assert saved.generation.status is GenerationStatus.MAX_TIME
    assert saved.generation.error is not None
    assert saved.generation.error.startswith("no answer within 0.2 s")


async def test_what_was_not_generated_has_no_evaluation(job: Job) -> None:
    """A sample that Inspect has stopped before it had an answer is not evaluated."""
    run = LiveRun(job, "eval-1")
    assert await run.evaluate(TaskRepeat("easy", 1)) is None
    await run.close()


async def test_cancelled_sample_frees_the_run(job: Job) -> None:
    """A cancelled generation ends, as does the run, whose stop() is called all the same."""
    run = LiveRun(job, "eval-1")
    async with anyio.create_task_group() as group:
        group.start_soon(run.generate, TaskRepeat("hangs", 1), job.request, unlimited)
        await NotingRunner.hanging.wait()
        group.cancel_scope.cancel()
    with anyio.CancelScope() as scope, suppress(asyncio.CancelledError):
        scope.cancel()
        await run.close()
    assert NotingRunner.notes == ["start", "hangs 1 1 a-model", "stop"]
    with run.artifacts.locked():
        assert run.artifacts.load_generation("hangs") is None


async def test_failed_start_is_an_error_of_each_sample(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start() that fails is called once, and each sample gets its error."""

    async def fail(self: NotingRunner) -> None:
        self.notes.append("start")
        raise ConnectionError("no browser")

    monkeypatch.setattr(NotingRunner, "start", fail)
    run = LiveRun(job, "eval-1")
    for _ in range(2):
        with pytest.raises(RunnerStartError, match="no browser"):
            await run.generate(TaskRepeat("easy", 1), job.request, unlimited)
    await run.close()
    assert NotingRunner.notes == ["start"]


class TestTaskSet:
    async def test_tasks_are_loaded_within_a_loop(self, job: Job) -> None:
        """Tasks are loaded by a function that is not async, also within an event loop."""
        tasks, name = load_checked_tasks(job)
        assert [task.id for task in tasks] == ["easy", "hangs", "unfair"]
        assert name == "tasks"
        assert all("answer" not in task.model_dump() for task in tasks)

    def test_service_that_is_down_is_an_error(self, job: Job) -> None:
        """A service that does not answer is an error before anything is generated."""
        down = replace(job.service, url="http://127.0.0.1:9", service_attempts=1)
        with pytest.raises(ServiceUnavailableError):
            load_checked_tasks(replace(job, service=down))
        assert NotingRunner.notes == []
