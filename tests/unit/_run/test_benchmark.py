from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner._project.folders import Project
from benchmark_runner._run.benchmark import (
    Benchmark,
    check_definition,
    import_object,
    resolve_runner,
)
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.local.datasets import LocalDatasets
from benchmark_runner.schemas import Task
from tests.fakes import FakeRunner, make_settings

if TYPE_CHECKING:
    from pathlib import Path


class GoodRunner(FakeRunner):
    NAME = "good"


@pytest.fixture
def runner_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    (tmp_path / "an_author").mkdir()
    (tmp_path / "an_author" / "__init__.py").touch()
    (tmp_path / "an_author" / "needs.py").write_text("import a_module_that_is_nowhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = ModuleType("an_author.benchmark")
    module.__file__ = "an_author/benchmark.py"
    module.GoodRunner = GoodRunner  # pyright: ignore[reportAttributeAccessIssue]
    module.other = print  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "an_author.benchmark", module)
    for name in ("an_author", "an_author.needs"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return module.__name__


def altered(**names: object) -> type[BenchmarkRunner]:
    return type("Altered", (GoodRunner,), names)


class TestImporting:
    def test_a_runner_is_found_by_its_name(self, runner_module: str) -> None:
        """A runner class is found by module and name."""
        assert resolve_runner(f"{runner_module}:GoodRunner") is GoodRunner

    def test_a_runner_class_is_taken_as_it_is(self) -> None:
        """A runner class is taken as it is."""
        assert resolve_runner(GoodRunner) is GoodRunner

    @pytest.mark.parametrize("reference", ["", "runner", "runner.benchmark", ":Class", "module:"])
    def test_invalid_reference_is_refused(self, reference: str) -> None:
        """A reference without module and name is refused."""
        with pytest.raises(RunnerDefinitionError, match="does not name a runner class"):
            resolve_runner(reference)

    @pytest.mark.parametrize(
        ("reference", "missing"),
        [("nowhere_at_all.benchmark:X", "nowhere_at_all"), ("an_author.nope:X", "an_author.nope")],
    )
    def test_missing_module_is_named(
        self, runner_module: str, reference: str, missing: str
    ) -> None:
        """A module that does not exist is named."""
        with pytest.raises(RunnerDefinitionError, match=f"no module '{missing}'"):
            import_object(reference, "a runner class")

    def test_import_error_in_authors_code_is_shown(self, runner_module: str) -> None:
        """A module that the author's code lacks is shown as its own error."""
        with pytest.raises(
            RunnerDefinitionError, match=r"ModuleNotFoundError.*a_module_that_is_nowhere"
        ):
            import_object("an_author.needs:X", "a runner class")

    def test_missing_name_is_reported_with_the_file(self, runner_module: str) -> None:
        """A name that the module lacks is reported with the file."""
        with pytest.raises(RunnerDefinitionError, match=r"an_author/benchmark\.py defines no Nope"):
            import_object(f"{runner_module}:Nope", "a runner class")

    def test_other_object_is_refused(self, runner_module: str) -> None:
        """An object that is no runner class is refused."""
        with pytest.raises(RunnerDefinitionError, match="not a subclass of BenchmarkRunner"):
            resolve_runner(f"{runner_module}:other")

        with pytest.raises(RunnerDefinitionError, match="not a subclass of BenchmarkRunner"):
            resolve_runner(Task)  # pyright: ignore[reportArgumentType]


class TestDefinition:
    @pytest.mark.parametrize("api", ["legacy", "v1"])
    def test_a_complete_runner_passes(self, api: str) -> None:
        """A complete runner class is accepted with each API."""
        check_definition(altered(EVALUATION_API=api))

    def test_a_runner_without_generate_is_refused(self) -> None:
        """A runner without generate() is refused."""

        class Unfinished(BenchmarkRunner):
            NAME = "unfinished"

        with pytest.raises(RunnerDefinitionError, match=r"Unfinished does not define generate\(\)"):
            check_definition(Unfinished)

    def test_a_runner_without_a_name_is_refused(self) -> None:
        """A runner without a NAME is refused."""
        with pytest.raises(RunnerDefinitionError, match="has no NAME"):
            check_definition(altered(NAME=""))

    def test_legacy_api_takes_no_artifacts(self) -> None:
        """An artifact payload needs the v1 API, or an evaluate() of the author's own."""
        with pytest.raises(RunnerDefinitionError, match='set EVALUATION_API = "v1"'):
            check_definition(altered(PAYLOAD_TYPE="artifact", evaluate=BenchmarkRunner.evaluate))
        check_definition(altered(PAYLOAD_TYPE="artifact"))
        check_definition(
            altered(PAYLOAD_TYPE="artifact", EVALUATION_API="v1", evaluate=BenchmarkRunner.evaluate)
        )

    @pytest.mark.parametrize(
        ("names", "said"),
        [
            ({"PAYLOAD_TYPE": "image"}, '\'image\'; use "text" or "artifact"'),
            ({"ARTIFACT_MAX_BYTES": 0}, "ARTIFACT_MAX_BYTES is 0"),
            ({"ARTIFACT_MAX_BYTES": "64 MiB"}, "ARTIFACT_MAX_BYTES is '64 MiB'"),
            ({"START_TIMEOUT": "soon"}, "START_TIMEOUT is 'soon'"),
        ],
    )
    def test_unknown_payload_is_refused(self, names: dict[str, object], said: str) -> None:
        """An unknown payload type, or a limit that is none, is refused."""
        with pytest.raises(RunnerDefinitionError, match=said):
            check_definition(altered(**names))

    def test_unknown_evaluation_api_is_refused(self) -> None:
        """An unknown evaluation API is refused with the valid ones."""
        with pytest.raises(RunnerDefinitionError, match="'v2'; use one of \"legacy\""):
            check_definition(altered(EVALUATION_API="v2"))

    def test_task_model_must_not_declare_references(self) -> None:
        """A task model must not declare an evaluator field."""

        class Leaky(Task):
            answer: str

        with pytest.raises(RunnerDefinitionError, match="Leaky declares answer"):
            check_definition(altered(TASK_MODEL=Leaky))

        check_definition(altered(TASK_MODEL=Leaky, EVALUATOR_FIELDS=frozenset[str]()))

    @pytest.mark.parametrize("field", ["id", "question", "timeout"])
    def test_basic_fields_cannot_be_hidden(self, field: str) -> None:
        """The fields that each task has can't be evaluator fields."""
        with pytest.raises(RunnerDefinitionError, match=field):
            check_definition(altered(EVALUATOR_FIELDS=frozenset({field})))

    @pytest.mark.parametrize(
        "names",
        [
            {"EVALUATOR_FIELDS": ["answer"]},
            {"EVALUATOR_FIELDS": "answer"},
            {"EVALUATOR_FIELDS": None},
            {"TASK_MODEL": dict},
            {"OPTIONS_MODEL": dict},
        ],
    )
    def test_class_attribute_of_wrong_type_is_refused(self, names: dict[str, object]) -> None:
        """A class attribute of another type is refused by its name."""
        (name,) = names

        with pytest.raises(RunnerDefinitionError, match=name):
            check_definition(altered(**names))


class TestLocalService:
    @pytest.mark.anyio
    async def test_it_takes_files_as_large_as_the_runner(self, tmp_path: Path) -> None:
        """The embedded service takes files up to the runner's own limit."""
        runner = altered(PAYLOAD_TYPE="artifact", EVALUATION_API="v1", ARTIFACT_MAX_BYTES=10)
        settings = make_settings(runner, grader=lambda _task, _response: 1.0)
        benchmark = Benchmark(settings, Project(None, tmp_path), runner)
        datasets = LocalDatasets.from_rows("qa", [{"id": "t1"}], evaluator_fields=frozenset())
        service = benchmark.local_service(runner(), datasets, "qa")
        transport = httpx.ASGITransport(service)
        asked = {"run_id": "r1", "task_id": "t1", "dataset": "qa", "filename": "fix.patch"}
        async with httpx.AsyncClient(base_url="http://local", transport=transport) as client:
            url = (await client.post("/v1/submissions/upload-url", json=asked)).json()["url"]
            sent = [await client.put(url, content=bytes(size)) for size in (10, 11)]
        service.close()
        assert [answer.status_code for answer in sent] == [200, 413]
