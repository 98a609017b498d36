from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.task_source import TaskSource, choose_source, load_tasks
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.errors import (
    DatasetError,
    NotFoundError,
    RunIdentityError,
    RunnerDefinitionError,
    UsageError,
)
from benchmark_runner.schemas import Task
from tests.fakes import FakeRunner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from benchmark_runner.base import BenchmarkRunner

    Load = Callable[..., Awaitable[BenchmarkRunner]]

pytestmark = pytest.mark.anyio

CANARY = "the-reference-answer"


def runner_that_loads(loaded: object) -> BenchmarkRunner:
    class Loading(FakeRunner):
        def load_tasks(self, dataset_file: str | None) -> list[Task]:
            if isinstance(loaded, Exception):
                raise loaded
            return loaded  # pyright: ignore[reportReturnType]

    return Loading()


def config(**fields: object) -> RunConfig:
    return RunConfig.model_validate({"run_id": "r", "model": "m", "tasks": ["t1"], **fields})


def choose(
    frozen: RunConfig | None,
    *,
    dataset_file: Path | None = None,
    dataset_name: str | None = None,
    problem: Path | None = None,
    default_file: Path | None = None,
) -> TaskSource:
    return choose_source(
        frozen,
        RunRequest(
            dataset_file=dataset_file,
            dataset_name=dataset_name,
            problem=problem,
            default_file=default_file,
        ),
    )


class TestChoosing:
    def test_given_source_wins_over_the_default(self, tmp_path: Path) -> None:
        """A source that is given wins over the default."""
        default, given = tmp_path / "default.json", tmp_path / "given.json"

        assert choose(None, default_file=default) == TaskSource("file", file=default)
        assert choose(None, default_file=default, dataset_file=given).file == given
        assert choose(None, default_file=default, dataset_name="x") == TaskSource(
            "service", dataset_name="x"
        )
        assert choose(None, default_file=default, problem=given) == TaskSource(
            "problem", file=given
        )

    def test_resume_reads_its_own_file(self, tmp_path: Path) -> None:
        """A resume reads its own file and never the default."""
        own = tmp_path / "own.json"

        source = choose(config(dataset_file=str(own)), default_file=tmp_path / "default.json")

        assert source == TaskSource("file", file=own)

    def test_resume_asks_for_its_own_dataset(self, tmp_path: Path) -> None:
        """A resume asks the service for its own dataset."""
        frozen = config(task_source="service", dataset_name="validation")

        source = choose(frozen, default_file=tmp_path / "default.json")

        assert source == TaskSource("service", dataset_name="validation")

    def test_resume_may_name_a_moved_file(self, tmp_path: Path) -> None:
        """A resume may name the new place of its file."""
        moved = tmp_path / "moved.json"

        assert choose(config(dataset_file="/gone.json"), dataset_file=moved).file == moved

    def test_resume_with_another_source_is_refused(self, tmp_path: Path) -> None:
        """A resume with another kind of source is refused."""
        with pytest.raises(RunIdentityError):
            choose(config(dataset_file="/own.json"), dataset_name="validation")
        with pytest.raises(RunIdentityError):
            choose(config(task_source="service", dataset_name="a"), dataset_name="b")
        with pytest.raises(RunIdentityError):
            choose(config(task_source="problem"), dataset_file=tmp_path / "x.json")

    def test_run_of_problems_needs_the_problem(self) -> None:
        """A run of problems needs the problem again."""
        with pytest.raises(UsageError, match="--problem") as caught:
            choose(config(task_source="problem"))

        assert "TASK_ID" in str(caught.value.hint)


class TestProblem:
    async def load(self, file: Path, task_id: str = "t1") -> list[Task]:
        return await load_tasks(FakeRunner(), TaskSource("problem", file=file), [task_id])

    async def test_problem_text_is_stripped(self, tmp_path: Path) -> None:
        """The text of the file, without white space around it, is the question."""
        file = tmp_path / "problem.txt"
        file.write_bytes(b"\xef\xbb\xbf\n  What is\n\n  2 + 2?  \n\n")

        tasks = await self.load(file)

        assert tasks == [Task(id="t1", question="What is\n\n  2 + 2?")]

    async def test_missing_file_is_a_usage_error(self, tmp_path: Path) -> None:
        """A missing problem file is a usage error."""
        with pytest.raises(UsageError, match=r"--problem .*nowhere\.txt: No such file"):
            await self.load(tmp_path / "nowhere.txt")

    async def test_folder_is_a_usage_error(self, tmp_path: Path) -> None:
        """A folder as problem file is a usage error."""
        with pytest.raises(UsageError, match="--problem"):
            await self.load(tmp_path)

    async def test_file_that_is_no_text_is_a_usage_error(self, tmp_path: Path) -> None:
        """A problem file that is no text is a usage error."""
        (tmp_path / "problem.txt").write_bytes(b"\xff\xfe\x00")

        with pytest.raises(UsageError, match="not UTF-8"):
            await self.load(tmp_path / "problem.txt")

    @pytest.mark.parametrize("task_id", ["../up", "a/b", "", "run_config.json"])
    async def test_unsafe_id_is_a_usage_error(self, tmp_path: Path, task_id: str) -> None:
        """An id that is no safe folder name is a usage error."""
        (tmp_path / "problem.txt").write_text("q")

        with pytest.raises(UsageError, match="task id: "):
            await self.load(tmp_path / "problem.txt", task_id)

    async def test_problem_has_the_authors_task_model(self, tmp_path: Path) -> None:
        """A problem becomes a task of the author's model."""

        class Levelled(Task):
            level: int = 3

        class Own(FakeRunner):
            TASK_MODEL = Levelled

        (tmp_path / "problem.txt").write_text("q")
        source = TaskSource("problem", file=tmp_path / "problem.txt")

        tasks = await load_tasks(Own(), source, ["t1"])

        assert tasks == [Levelled(id="t1", question="q", level=3)]

    async def test_field_that_a_problem_lacks_is_named(self, tmp_path: Path) -> None:
        """A field that the author's model requires is named."""

        class Demanding(Task):
            docker_image: str

        class Own(FakeRunner):
            TASK_MODEL = Demanding

        (tmp_path / "problem.txt").write_text("q")
        source = TaskSource("problem", file=tmp_path / "problem.txt")

        with pytest.raises(DatasetError) as caught:
            await load_tasks(Own(), source, ["t1"])

        assert "field docker_image" in caught.value.message
        assert "--problem" in caught.value.message


class TestFile:
    async def test_tasks_are_registered_in_the_files_order(self, tmp_path: Path) -> None:
        """Tasks are registered in the order of the file."""
        file = tmp_path / "data.json"
        tests = [{"id": name, "question": "q", "answer": CANARY} for name in ("z", "a", "m")]
        file.write_text(json.dumps({"dataset_name": "validation", "tests": tests}))
        runner = FakeRunner()

        tasks = await load_tasks(runner, TaskSource("file", file=file), [])

        assert [task.id for task in tasks] == ["z", "a", "m"]
        assert tasks == runner.get_tasks()
        assert runner.dataset_name == "validation"
        assert CANARY not in repr(tasks)

    async def test_tasks_are_copies_of_the_authors(self) -> None:
        """Tasks that load_tasks() returns are copied: what the author changes later is its own."""
        held = [Task(id="t1", question="one")]
        runner = runner_that_loads(held)
        await load_tasks(runner, TaskSource("file"))
        held[0].question = "another"
        assert [task.question for task in runner.registered_tasks()] == ["one"]

    async def test_missing_dataset_file_is_named(self, tmp_path: Path) -> None:
        """A missing dataset file is named in the error."""
        with pytest.raises(DatasetError, match=r"nowhere\.json: no such file") as caught:
            await load_tasks(
                runner_that_loads([]), TaskSource("file", file=tmp_path / "nowhere.json"), []
            )

        assert "--dataset-file" in str(caught.value.hint)

    async def test_own_loader_may_need_no_file(self) -> None:
        """A loader of the author's own may need no file."""
        tasks = [Task(id="t1", question="q")]

        assert await load_tasks(runner_that_loads(tasks), TaskSource("file"), []) == tasks

    async def test_references_of_a_loader_are_dropped(self) -> None:
        """A reference that the author's loader leaves in a task is dropped."""
        task = Task.model_validate({"id": "t1", "question": "q", "answer": CANARY})

        tasks = await load_tasks(runner_that_loads([task]), TaskSource("file"), [])

        assert CANARY not in repr(tasks)

    async def test_failing_loader_has_its_line(self) -> None:
        """A loader that fails is reported with the line in its code."""
        with pytest.raises(RunnerDefinitionError) as caught:
            await load_tasks(runner_that_loads(KeyError("question")), TaskSource("file"), [])

        assert "load_tasks() failed: KeyError: 'question'" in caught.value.message
        assert "test_task_source.py, line " in caught.value.message

    async def test_dataset_error_of_a_loader_is_kept(self) -> None:
        """A DatasetError of a loader is passed on unchanged."""
        refusal = DatasetError("row 7 has no picture")

        with pytest.raises(DatasetError, match="row 7 has no picture"):
            await load_tasks(runner_that_loads(refusal), TaskSource("file"), [])

    async def test_loader_may_register_tasks(self) -> None:
        """A loader may register its tasks one by one."""

        class Registering(FakeRunner):
            def load_tasks(self, dataset_file: str | None) -> list[Task]:
                self._dataset = "mine"
                for number in (2, 1):
                    self.add_task(
                        Task.model_validate(
                            {"id": f"t{number}", "question": "q", "level": 1, "answer": CANARY}
                        )
                    )
                return None  # pyright: ignore[reportReturnType]

        runner = Registering()
        tasks = await load_tasks(runner, TaskSource("file"), [])

        assert [task.id for task in tasks] == ["t2", "t1"]
        assert tasks == runner.get_tasks()
        assert tasks[0].model_extra == {"level": 1}
        assert runner.dataset_name == "mine"

    async def test_blocking_loader_leaves_the_loop_free(self) -> None:
        """A loader that blocks leaves the event loop free."""
        release, blocked = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        class Blocking(FakeRunner):
            def load_tasks(self, dataset_file: str | None) -> list[Task]:
                loop.call_soon_threadsafe(blocked.set)
                assert release.wait(10)
                return [Task(id="t1", question="q")]

        loading = asyncio.create_task(load_tasks(Blocking(), TaskSource("file"), []))
        await blocked.wait()
        assert not loading.done()
        release.set()
        assert [task.id for task in await loading] == ["t1"]

    @pytest.mark.parametrize("loaded", [None, {}, "t1", [{"id": "t1"}], [None]])
    async def test_loader_must_return_a_list_of_tasks(self, loaded: object) -> None:
        """A loader that returns no list of tasks is refused."""
        with pytest.raises(RunnerDefinitionError, match="not a list of Task"):
            await load_tasks(runner_that_loads(loaded), TaskSource("file"), [])

    async def test_a_loader_that_returns_no_tasks_is_refused(self) -> None:
        """A loader that returns no tasks is refused."""
        with pytest.raises(DatasetError, match="holds no tasks"):
            await load_tasks(runner_that_loads([]), TaskSource("file"), [])

    async def test_repeated_id_of_a_loader_is_refused(self) -> None:
        """A loader that repeats an id is refused."""
        tasks = [Task(id="t1", question="one"), Task(id="t1", question="two")]

        with pytest.raises(DatasetError, match="'t1' occurs twice"):
            await load_tasks(runner_that_loads(tasks), TaskSource("file"), [])


@pytest.fixture(scope="module")
def service(serve_app: Callable[[ASGIApp], str]) -> tuple[str, list[object]]:
    """The URL of a service that knows one dataset, and that dataset's tasks, to be set."""
    rows: list[object] = []

    async def tasks(request: Request) -> JSONResponse:
        name = request.path_params["name"]
        if name != "a b/c":
            return JSONResponse({"detail": f"Dataset not found: {name}"}, 404)
        return JSONResponse({"dataset": name, "dataset_version": None, "tasks": rows})

    return serve_app(Starlette(routes=[Route("/v1/datasets/{name:path}/tasks", tasks)])), rows


class TestService:
    @pytest.fixture
    def load(self, service: tuple[str, list[object]], monkeypatch: pytest.MonkeyPatch) -> Load:
        for name in ("VALS_AUTH_KEY", "VALS_API_KEY", "BENCHMARK_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        url, rows = service

        async def load(*given: object, name: str = "a b/c") -> BenchmarkRunner:
            rows[:] = given
            runner = FakeRunner(url)
            try:
                loaded = await load_tasks(runner, TaskSource("service", dataset_name=name), [])
            finally:
                await runner.aclose()
            assert loaded == runner.get_tasks()
            return runner

        return load

    async def test_tasks_keep_the_services_order(self, load: Load) -> None:
        """Tasks keep the order of the service."""
        runner = await load(
            {"id": "z", "question": "q", "timeout": None, "level": 1},
            {"id": "a", "question": "q", "timeout": 5},
        )

        tasks = runner.get_tasks()
        assert [(task.id, task.timeout) for task in tasks] == [("z", None), ("a", 5.0)]
        assert runner.dataset_name == "a b/c"
        assert tasks[0].model_extra == {"level": 1}

    async def test_reference_of_the_service_is_dropped(self, load: Load) -> None:
        """A reference that the service sends reaches no task."""
        runner = await load({"id": "t1", "question": "q", "answer": CANARY})

        assert CANARY not in repr(runner.get_tasks())

    async def test_a_mismatch_names_dataset_task_and_field(self, load: Load) -> None:
        """A task that does not fit is refused with dataset, task and field."""
        with pytest.raises(DatasetError) as caught:
            await load({"id": "t1"})

        assert "dataset 'a b/c' of the service" in caught.value.message
        assert "task 't1', field question" in caught.value.message

    async def test_a_repeated_id_is_refused(self, load: Load) -> None:
        """A repeated id is refused."""
        with pytest.raises(DatasetError, match="'t1' occurs twice"):
            await load({"id": "t1", "question": "a"}, {"id": "t1", "question": "b"})

    async def test_a_dataset_without_tasks_is_refused(self, load: Load) -> None:
        """A dataset without tasks is refused."""
        with pytest.raises(DatasetError, match="holds no tasks"):
            await load()

    async def test_an_unknown_dataset_is_named(self, load: Load) -> None:
        """An unknown dataset is named."""
        with pytest.raises(NotFoundError, match="'nope'"):
            await load(name="nope")
