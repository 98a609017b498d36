"""What surrounds a run, as a script has it: agent, service, disk, threads and clock.

Nothing here depends on real time or on the scheduling of threads, so that what a test finds is
found again.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import math
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmark_runner import current_generation
from benchmark_runner._concurrency import loop_watch, thread_pool
from benchmark_runner._progress import listeners
from benchmark_runner._progress.display import Display
from benchmark_runner._progress.events import EvaluationFinished, GenerationFinished
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner._run.workflow import Workflow
from benchmark_runner.artifacts import storage
from benchmark_runner.artifacts.atomic_file import write_new
from benchmark_runner.artifacts.locks import RunLocks
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.cli.exit_codes import exit_code
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import ArtifactError, BenchmarkRunnerError
from benchmark_runner.schemas import EvalStatus, GenerationResult, GenerationStatus
from tests.stateful.run_on_disk import Folder, number_of, summed_up, task_of, unit_of, worth
from tests.stateful.scripts import COST, TIME_LIMIT, Died, Disturbance, Ended, Script
from tests.stateful.timeless_loop import LoopPool, TimelessLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from starlette.requests import Request

    from benchmark_runner._progress.events import Event
    from benchmark_runner._run.flags import Command
    from benchmark_runner._run.outcome import Outcome
    from benchmark_runner.llm import LLMConfig
    from benchmark_runner.schemas import Task
PARALLEL_GRADINGS = 2
MODEL = "the-model"
TEMPERATURE = 0.5


def _write_new(_owner: Storage | None, path: str, data: bytes, *, durable: bool) -> None:
    write_new(path, data, durable=durable)


class ScriptedRunner(BenchmarkRunner):
    NAME = "scripted"
    GENERATION_VERSION_ENV = "SCRIPTED_GENERATION_VERSION"
    world: World

    async def generate(
        self,
        task: Task,
        model: str,
        llm_config: LLMConfig | None = None,
        log_dir: Path | None = None,
    ) -> GenerationResult:
        assert model == MODEL
        assert llm_config is not None
        assert llm_config.temperature == TEMPERATURE
        return await self.world.answer(task)


class World:
    """One folder of results, and what its runs have to do with.

    Attributes:
        calls: How often ``generate()`` was called, by run and repeat of a task.
        answers: What the last of these calls returned.
        numbers: One for each answer and grade, so that no two are the same.
        reported: Answers and grades whose being on disk was reported, by run and repeat of a task.
        grader_version: What the service says of itself.
    """

    def __init__(self, folder: Path, evaluation_api: str) -> None:
        self.results = folder / "results"
        self.dataset = folder / "tasks.json"
        self.evaluation_api = evaluation_api
        self.calls: Counter[tuple[str, str]] = Counter()
        self.answers: dict[tuple[str, str], str] = {}
        self.grades: dict[tuple[str, str], str] = {}
        self.reported: dict[tuple[str, str], list[str]] = {}
        self.grader_version = 1
        self.numbers = itertools.count(1)
        self._patch = pytest.MonkeyPatch()
        self._app = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/version", self._version),
                Route("/verify-task-ids", self._verify_task_ids),
                Route("/evaluate-response/", self._evaluate_response, methods=["POST"]),
                Route("/v1/datasets/{name}/tasks", self._list_tasks),
                Route("/v1/evaluate", self._evaluate, methods=["POST"]),
                Route("/final-score/", self._final_score, methods=["POST"]),
                Route("/v1/score", self._final_score, methods=["POST"]),
            ]
        )
        self._start(Script(), "")
        self._take_over()

    def close(self) -> None:
        self._patch.undo()

    def write_dataset(self, questions: Mapping[str, str]) -> None:
        rows = [{"id": task_id, "question": text} for task_id, text in questions.items()]
        self.dataset.write_text(json.dumps({"dataset_name": "scripted", "tests": rows}))

    def set_generation_version(self, version: str) -> None:
        self._patch.setenv(ScriptedRunner.GENERATION_VERSION_ENV, version)

    def command(
        self,
        run_id: str,
        command: Command,
        script: Script,
        *,
        request: Mapping[str, Any],
        settings: Mapping[str, Any],
    ) -> Ended:
        """Carry out one command in a process of its own, as far as the disk can tell."""
        self._start(script, run_id)
        runner = ScriptedRunner("http://service.test")
        runner.EVALUATION_API = self.evaluation_api
        runner.world = self
        asked = RunRequest(
            **{"model": MODEL, "temperature": TEMPERATURE, **request, **settings},
            command=command,
            default_file=self.dataset,
            timeout=TIME_LIMIT,
            quiet=True,
        )
        job = Workflow(
            runner,
            RunArtifacts(self.results, run_id, durable=False),
            asked,
            ServiceSettings(
                url=runner.service_url,
                eval_parallelism=PARALLEL_GRADINGS,
                eval_timeout=30,
                service_retry_time=0,
            ),
            self._connect,
        )
        ended = self._ended
        try:
            ended.outcome = self._carry_out(job)
            ended.code = exit_code(ended.outcome, asked)
        except (BenchmarkRunnerError, asyncio.CancelledError, Died) as error:
            ended.error = error
        ended.error = Died() if self._dead else ended.error  # whatever it became on its way
        self._pool.finish()
        return ended

    def _carry_out(self, job: Workflow) -> Outcome:
        async def main() -> Outcome:
            command = asyncio.create_task(job.carry_out(lambda *_: None))
            self._cancel = command.cancel
            return await command

        with asyncio.Runner(loop_factory=TimelessLoop) as runner:
            if self._script.disturbance is not None:
                # What a dead process leaves behind in memory is nobody's business.
                runner.get_loop().set_exception_handler(lambda *_: None)
            return runner.run(main())

    async def answer(self, task: Task) -> GenerationResult:
        """Be the agent."""
        await self._if_alive()
        unit = unit_of(task.id, current_generation().repeat)
        key = (self._run_id, unit)
        self.calls[key] += 1
        self._ended.generated.append(unit)
        await self._take_some_time()
        match self._script.agent[number_of(task.id)]:
            case "raises":
                raise ValueError("no luck")
            case "stalls":
                await asyncio.Event().wait()
            case "runs out of turns":
                return GenerationResult(status=GenerationStatus.MAX_TURNS, cost=COST)
            case _:
                pass
        self.answers[key] = f"answer no. {next(self.numbers)}."
        return GenerationResult(answer=self.answers[key], cost=COST)

    # The disk, the threads, the clock and the display.

    def _start(self, script: Script, run_id: str) -> None:
        self._script = script
        self._run_id = run_id
        self._delays: Iterator[int] = itertools.cycle(script.delays)
        self._pool = LoopPool(self._delays)
        self._patch.setattr(thread_pool, "_POOL", self._pool)
        self._ended = Ended()
        self._dead = False
        self._steps = 0
        self._events = 0
        self._cancel: Callable[[], object] = lambda: None

    def _take_over(self) -> None:
        for method in ("make_folder", "move", "remove"):
            self._patch.setattr(Storage, method, self._step(getattr(Storage, method)))
        self._patch.setattr(storage, "write_new", partial(self._step(_write_new), None))
        tidy = RunLocks._remove_unused
        self._patch.setattr(
            RunLocks,
            "_remove_unused",
            lambda *arguments: None if self._dead else tidy(*arguments),
        )

        def make_display(_mask: object, *, quiet: bool) -> Display:
            return Ear(self._hear)

        self._patch.setattr(listeners, "make_display", make_display)
        # Only a machine that is busy with something else lets the loop stand still here.
        self._patch.setattr(loop_watch, "BLOCKED_AFTER", math.inf)

    def _step(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def step(owner: Storage | None, path: Path | str, *rest: Any, **named: Any) -> Any:
            if self._dead:
                raise Died
            self._steps += 1
            kind, writes = self._due(), method is _write_new
            if kind is None or (kind == "kill within" and not writes):
                return method(owner, path, *rest, **named)
            self._ended.disturbed = True
            match kind:
                case "cancel":
                    self._cancel()
                case "refuse" if writes:
                    raise OSError(errno.ENOSPC, "No space left on device")
                case "refuse":
                    raise ArtifactError(f"{path}: can't be written: no space left on device")
                case _:
                    if kind == "kill after":
                        method(owner, path, *rest, **named)
                    elif kind == "kill within":
                        whole = rest[0] if isinstance(rest[0], bytes) else b"".join(rest[0])
                        method(owner, path, whole[: len(whole) // 2], **named)
                    self._dead = True
                    raise Died
            return method(owner, path, *rest, **named)

        return step

    def _due(self) -> str | None:
        """What is to disturb a step of the storage now."""
        disturbance = self._script.disturbance
        if disturbance is None or self._ended.disturbed or self._steps < disturbance.at:
            return None
        return None if disturbance.kind == "cancel at event" else disturbance.kind

    def _hear(self, event: Event) -> None:
        if self._dead:
            return
        self._events += 1
        disturbance = self._script.disturbance
        if disturbance == Disturbance("cancel at event", self._events):
            self._ended.disturbed = True
            self._cancel()
        match event:
            case GenerationFinished(
                task_id=task_id, repeat=repeat, status=GenerationStatus.SUCCESS
            ):
                key = (self._run_id, unit_of(task_id, repeat))
                self.reported.setdefault(key, []).append(self.answers[key])
            case EvaluationFinished(task_id=task_id, repeat=repeat, status=EvalStatus.EVALUATED):
                key = (self._run_id, unit_of(task_id, repeat))
                self.reported.setdefault(key, []).append(self.grades[key])
            case _:
                pass

    async def _take_some_time(self) -> None:
        for _ in range(next(self._delays)):
            await asyncio.sleep(0)
        await self._if_alive()

    async def _if_alive(self) -> None:
        if self._dead:
            await asyncio.Event().wait()

    # The service.

    async def _connect(self, *_: object) -> BenchmarkServiceClient:
        return BenchmarkServiceClient(
            "http://service.test",
            retry=RetryPolicy(attempts=1),
            transport=httpx.ASGITransport(app=self._app),
        )

    async def _health(self, _request: Request) -> JSONResponse:
        return fault(503) if self._script.door == "down" else JSONResponse({"status": "ok"})

    async def _version(self, _request: Request) -> JSONResponse:
        return JSONResponse({"service_version": str(self.grader_version)})

    async def _verify_task_ids(self, request: Request) -> JSONResponse:
        if self._script.door == "locked":
            return fault(401)
        return JSONResponse({"task_ids": request.query_params.getlist("task_ids")})

    async def _list_tasks(self, request: Request) -> JSONResponse:
        if self._script.door == "locked":
            return fault(401)
        return JSONResponse({"dataset": request.path_params["name"], "tasks": []})

    async def _evaluate_response(self, request: Request) -> JSONResponse:
        body = await request.json()
        result = await self._grade(body["task_id"], body["response"])
        if result is None:
            return fault(500)
        return result if isinstance(result, JSONResponse) else JSONResponse(result)

    async def _evaluate(self, request: Request) -> JSONResponse:
        body = await request.json()
        version = str(self.grader_version)
        result = await self._grade(body["task_id"], body["payload"]["data"])
        if isinstance(result, JSONResponse):
            return result
        graded = {"status": "evaluated", "result": result, "evaluator_version": version}
        failed = {"status": "error", "errors": ["429: injected"]}
        return JSONResponse(failed if result is None else graded)

    async def _grade(self, task_id: str, answer: str) -> JSONResponse | dict[str, object] | None:
        await self._if_alive()
        script, graded = self._script, self._ended.graded
        if script.refuses_after is not None and len(graded) >= script.refuses_after:
            return fault(401)
        unit = self._unit_with(task_id, answer)
        graded.append(unit)
        version = str(self.grader_version)
        if self.evaluation_api == "v1" and len(graded) == script.renamed_after:
            self.grader_version += 1
        await self._take_some_time()
        match script.grader[number_of(task_id)]:
            case "is in trouble":
                return fault(503)
            case "rejects":
                return fault(400)
            case "fails":
                return None
            case _:
                pass
        grade = f"grade no. {next(self.numbers)}."
        self.grades[self._run_id, unit] = grade
        return {"pass_percentage": worth(answer), "of": answer, "by": version, "grade": grade}

    def _unit_with(self, task_id: str, answer: str) -> str:
        """The repeat of a task that has this answer: each has another one."""
        run = Folder(self.results / self._run_id)
        units = [unit for unit in run.units if task_of(unit) == task_id]
        (found,) = (unit for unit in units if (run.generation(unit) or {}).get("data") == answer)
        return found

    async def _final_score(self, request: Request) -> JSONResponse:
        await self._if_alive()
        if not self._script.scores:
            return fault(503)
        evals = (await request.json())["evaluation_results"]
        return JSONResponse({"tasks_evaluated": [*evals], "final_score": summed_up(evals)})


class Ear(Display):
    """A display that hands on what it is shown."""

    def __init__(self, hand_on: Callable[[Event], None]) -> None:
        self._hand_on = hand_on

    def show(self, event: Event, at: float | None = None) -> None:
        self._hand_on(event)


def fault(status: int) -> JSONResponse:
    return JSONResponse({"detail": "as the script says"}, status_code=status)
