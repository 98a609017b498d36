"""Evaluation and scoring by the base class, with a benchmark service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from weakref import ref

import pytest

from benchmark_runner.client.scoring import score_evals
from benchmark_runner.errors import BadResponseError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Task,
)
from tests.fakes import FakeRunner
from tests.scripted_service import ScriptedService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.types import ASGIApp


pytestmark = pytest.mark.anyio

SCORE = {"tasks_evaluated": ["t1"], "final_score": 0.5, "metadata": {"k": 1}}


class Runner(FakeRunner):
    GENERATION_VERSION_ENV = "MY_BENCH_GENERATION_VERSION"


class V1Runner(Runner):
    EVALUATION_API = "v1"
    PAYLOAD_SCHEMA_VERSION = 3


@dataclass
class Recorder(ScriptedService):
    """A service that gives the one answer it is told to, whatever it is asked."""

    answer: object = None

    def usual(self, path: str, body: object) -> object:
        return self.answer


@pytest.fixture(scope="module")
def recorder_and_url(serve_app: Callable[[ASGIApp], str]) -> tuple[Recorder, str]:
    recorder = Recorder()
    return recorder, serve_app(recorder.app())


@pytest.fixture
def recorder(recorder_and_url: tuple[Recorder, str], monkeypatch: pytest.MonkeyPatch) -> Recorder:
    for name in ("VALS_AUTH_KEY", "VALS_API_KEY", "BENCHMARK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    recorder, _ = recorder_and_url
    recorder.answer = {}
    recorder.forget()
    return recorder


@pytest.fixture
async def legacy(
    recorder: Recorder, recorder_and_url: tuple[Recorder, str]
) -> AsyncIterator[Runner]:
    runner = Runner(recorder_and_url[1], dataset_name="validation")
    yield runner
    await runner.aclose()


@pytest.fixture
async def v1(recorder: Recorder, recorder_and_url: tuple[Recorder, str]) -> AsyncIterator[Runner]:
    runner = V1Runner(recorder_and_url[1], dataset_name="validation")
    runner.run_id = "run-1"
    yield runner
    await runner.aclose()


def task(task_id: str, **extra: object) -> Task:
    return Task.model_validate({"id": task_id, "question": "q", **extra})


class TestEvaluating:
    @pytest.mark.parametrize(
        ("status", "graded"),
        [
            (GenerationStatus.MAX_TIME, EvalStatus.DID_NOT_COMPLETE),
            (GenerationStatus.MAX_TURNS, EvalStatus.DID_NOT_COMPLETE),
            (GenerationStatus.ERROR, EvalStatus.GENERATION_ERROR),
        ],
    )
    @pytest.mark.parametrize("kind", [Runner, V1Runner])
    async def test_unsuccessful_generation_is_not_sent(
        self,
        recorder: Recorder,
        recorder_and_url: tuple[Recorder, str],
        kind: type[Runner],
        status: GenerationStatus,
        graded: EvalStatus,
    ) -> None:
        """A generation without an answer gets its status without asking the service."""
        runner = kind(recorder_and_url[1])
        generation = GenerationResult(task_id="t1", status=status, data="half", error="why")

        result = await runner.evaluate("t1", generation)
        await runner.aclose()

        assert (result.task_id, result.status, result.result) == ("t1", graded, None)
        assert recorder.bodies == []

    async def test_error_of_a_generation_is_kept(self, legacy: Runner) -> None:
        """The evaluation of a failed generation has the error of the generation."""
        generation = GenerationResult(status=GenerationStatus.ERROR, error="ValueError: no")

        assert (await legacy.evaluate("t1", generation)).error == "ValueError: no"

    @pytest.mark.parametrize(
        "grade", [{"pass_percentage": 1.0, "why": ["x"]}, 0.5, True, None, "good", [1, 2]]
    )
    async def test_legacy_api_returns_the_result(
        self, legacy: Runner, recorder: Recorder, grade: object
    ) -> None:
        """The legacy API is sent the response, and any JSON that it answers is the result."""
        recorder.answer = grade

        result = await legacy.evaluate("t1", GenerationResult(data="42"))

        assert result.status is EvalStatus.EVALUATED
        assert result.result_json() == grade
        assert recorder.bodies == [
            (
                "/evaluate-response/",
                {"task_id": "t1", "response": "42", "dataset": "validation"},
            )
        ]

    @pytest.mark.parametrize(("named", "about"), [("t2", "t2"), (7, "7")])
    async def test_result_of_another_task_is_refused(
        self, legacy: Runner, recorder: Recorder, named: object, about: str
    ) -> None:
        """A result that names another task of the run is a bad response with a hint."""
        legacy.register_tasks([task(name) for name in ("t1", "t2", "7")])
        recorder.answer = {"task_id": named, "pass_percentage": 1.0}

        with pytest.raises(BadResponseError) as caught:
            await legacy.evaluate("t1", GenerationResult(data="42"))

        assert "'t1'" in caught.value.message
        assert f"the answer is about task '{about}'" in caught.value.message
        assert caught.value.hint

    @pytest.mark.parametrize("named", ["t1", "t9", 9, None, ["t2"], {"id": "t2"}])
    async def test_unknown_task_id_in_a_result_is_allowed(
        self, legacy: Runner, recorder: Recorder, named: object
    ) -> None:
        """A result may carry a task_id that names no other task of the run."""
        legacy.register_tasks([task(name) for name in ("t1", "t2")])
        recorder.answer = {"task_id": named, "pass_percentage": 1.0}

        result = await legacy.evaluate("t1", GenerationResult(data="42"))

        assert result.result_json() == recorder.answer

    async def test_empty_response_is_evaluated(self, legacy: Runner, recorder: Recorder) -> None:
        """An empty response is sent to be evaluated like any other."""
        recorder.answer = 0
        await legacy.evaluate("t1", GenerationResult(data=""))

        assert recorder.bodies[0][1]["response"] == ""

    async def test_v1_api_gets_payload_and_schema(self, v1: Runner, recorder: Recorder) -> None:
        """The v1 API is sent the payload with its schema, the dataset and the versions."""
        recorder.answer = {
            "run_id": "run-1",
            "task_id": "t1",
            "status": "evaluated",
            "evaluator_version": "e7",
            "result": {"pass_percentage": 1.0},
            "errors": [],
        }

        result = await v1.evaluate("t1", GenerationResult(data="42", generation_version="g5"))

        assert (result.status, result.evaluator_version) == (EvalStatus.EVALUATED, "e7")
        assert result.result_json() == {"pass_percentage": 1.0}
        assert result.error is None
        assert recorder.bodies == [
            (
                "/v1/evaluate",
                {
                    "run_id": "run-1",
                    "task_id": "t1",
                    "dataset": "validation",
                    "payload": {"type": "text", "schema": "my-bench.text.v3", "data": "42"},
                    "versions": {"runner": "g5"},
                },
            )
        ]

    async def test_v1_error_has_its_reasons(self, v1: Runner, recorder: Recorder) -> None:
        """An error of a v1 grader becomes an evaluation error with all its reasons."""
        recorder.answer = {"status": "error", "errors": ["429: slow down", "gave up"]}

        result = await v1.evaluate("t1", GenerationResult(data="42"))

        assert result.status is EvalStatus.ERROR
        assert result.errors == ["429: slow down", "gave up"]
        assert result.error == "429: slow down; gave up"

    async def test_v1_error_without_a_reason(self, v1: Runner, recorder: Recorder) -> None:
        """An error of a v1 grader that gives no reason still has an error text."""
        recorder.answer = {"status": "error"}

        assert (await v1.evaluate("t1", GenerationResult(data="42"))).error


class TestScoring:
    EVALS: ClassVar[list[EvalResult]] = [
        EvalResult(task_id="t1", status=EvalStatus.EVALUATED, result={"pass_percentage": 1.0}),
        EvalResult(task_id="t2", status=EvalStatus.DID_NOT_COMPLETE),
        EvalResult(task_id="t3", status=EvalStatus.ERROR, error="why"),
    ]

    async def test_legacy_score_sends_whole_envelopes(
        self, legacy: Runner, recorder: Recorder
    ) -> None:
        """The legacy API is sent each evaluation, and null for a task that has none."""
        recorder.answer = SCORE
        legacy.register_tasks([task(name) for name in ("t0", "t1", "t2", "t3")])

        score = await legacy.score(self.EVALS)

        assert (score.tasks_evaluated, score.final_score) == (["t1"], 0.5)
        assert score.metadata == {"k": 1}
        path, body = recorder.bodies[0]
        assert path == "/final-score/"
        assert body["dataset"] == "validation"
        assert body["evaluation_results"] == {
            "t0": None,
            "t1": {
                "task_id": "t1",
                "status": "evaluated",
                "result": {"pass_percentage": 1.0},
                "error": None,
            },
            "t2": {
                "task_id": "t2",
                "status": "did_not_complete",
                "result": None,
                "error": None,
            },
            "t3": {"task_id": "t3", "status": "error", "result": None, "error": "why"},
        }

    async def test_v1_score_sends_its_own_envelopes(self, v1: Runner, recorder: Recorder) -> None:
        """The v1 API is sent its own envelopes: status, result and a list of errors."""
        recorder.answer = SCORE
        v1.register_tasks([task("t0")])

        await v1.score(self.EVALS)

        path, body = recorder.bodies[0]
        assert path == "/v1/score"
        assert (body["run_id"], body["dataset"]) == ("run-1", "validation")
        assert body["evaluation_results"] == {
            "t0": None,
            "t1": {"status": "evaluated", "result": {"pass_percentage": 1.0}, "errors": []},
            "t2": {"status": "did_not_complete", "result": None, "errors": []},
            "t3": {"status": "error", "result": None, "errors": ["why"]},
        }

    async def test_one_evaluation_at_a_time_is_in_memory(
        self, legacy: Runner, recorder: Recorder
    ) -> None:
        """Evaluations are read and sent one at a time."""
        recorder.answer = SCORE
        taken: list[ref[EvalResult]] = []
        at_a_time: list[int] = []

        def evals() -> Iterator[tuple[str, EvalResult | None]]:
            for number in range(10):
                result = EvalResult(task_id=f"t{number}", status=EvalStatus.EVALUATED, result=1.0)
                taken.append(ref(result))
                at_a_time.append(sum(one() is not None for one in taken))
                yield result.task_id, result

        await score_evals(legacy.service, "legacy", "r1", legacy.dataset_name, evals())

        assert max(at_a_time) <= 2  # one is taken when the one before is let go of
        results = recorder.bodies[0][1]["evaluation_results"]
        assert results == {
            f"t{number}": {
                "task_id": f"t{number}",
                "status": "evaluated",
                "result": 1.0,
                "error": None,
            }
            for number in range(10)
        }

    async def test_score_without_a_dataset(
        self, recorder: Recorder, recorder_and_url: tuple[Recorder, str]
    ) -> None:
        """Without a dataset name, the request for a score names none."""
        recorder.answer = SCORE
        runner = Runner(recorder_and_url[1])
        await runner.score([])
        await runner.aclose()

        assert "dataset" not in recorder.bodies[0][1]
