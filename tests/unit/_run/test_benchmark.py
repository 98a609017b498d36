from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.benchmark import (
    check_definition,
    import_object,
    resolve_runner,
)
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.schemas import Task
from tests.fakes import FakeRunner

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
        assert resolve_runner(f"{runner_module}:GoodRunner") is GoodRunner

    def test_a_runner_class_is_taken_as_it_is(self) -> None:
        assert resolve_runner(GoodRunner) is GoodRunner

    @pytest.mark.parametrize("reference", ["", "runner", "runner.benchmark", ":Class", "module:"])
    def test_a_reference_without_module_and_name_is_refused(self, reference: str) -> None:
        with pytest.raises(RunnerDefinitionError, match="does not name a runner class"):
            resolve_runner(reference)

    @pytest.mark.parametrize(
        ("reference", "missing"),
        [("nowhere_at_all.benchmark:X", "nowhere_at_all"), ("an_author.nope:X", "an_author.nope")],
    )
    def test_a_module_that_is_not_there_is_named(
        self, runner_module: str, reference: str, missing: str
    ) -> None:
        with pytest.raises(RunnerDefinitionError, match=f"no module '{missing}'"):
            import_object(reference, "a runner class")

    def test_what_the_authors_own_code_misses_is_not_hidden(self, runner_module: str) -> None:
        with pytest.raises(
            RunnerDefinitionError, match=r"ModuleNotFoundError.*a_module_that_is_nowhere"
        ):
            import_object("an_author.needs:X", "a runner class")

    def test_a_name_that_the_module_lacks_is_told_with_the_file(self, runner_module: str) -> None:
        with pytest.raises(RunnerDefinitionError, match=r"an_author/benchmark\.py defines no Nope"):
            import_object(f"{runner_module}:Nope", "a runner class")

    def test_what_is_no_runner_is_refused(self, runner_module: str) -> None:
        with pytest.raises(RunnerDefinitionError, match="not a subclass of BenchmarkRunner"):
            resolve_runner(f"{runner_module}:other")

        with pytest.raises(RunnerDefinitionError, match="not a subclass of BenchmarkRunner"):
            resolve_runner(Task)  # pyright: ignore[reportArgumentType]


class TestDefinition:
    @pytest.mark.parametrize("api", ["legacy", "v1"])
    def test_a_complete_runner_passes(self, api: str) -> None:
        check_definition(altered(EVALUATION_API=api))

    def test_a_runner_without_generate_is_refused(self) -> None:
        class Unfinished(BenchmarkRunner):
            NAME = "unfinished"

        with pytest.raises(RunnerDefinitionError, match=r"Unfinished does not define generate\(\)"):
            check_definition(Unfinished)

    def test_a_runner_without_a_name_is_refused(self) -> None:
        with pytest.raises(RunnerDefinitionError, match="has no NAME"):
            check_definition(altered(NAME=""))

    def test_artifact_payloads_are_refused_clearly(self) -> None:
        with pytest.raises(RunnerDefinitionError, match='"artifact", which is not supported yet'):
            check_definition(altered(PAYLOAD_TYPE="artifact"))

    def test_an_unknown_evaluation_api_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(RunnerDefinitionError, match='\'v2\'; use "legacy" or "v1"'):
            check_definition(altered(EVALUATION_API="v2"))

    def test_a_task_model_must_not_declare_what_only_the_grader_may_see(self) -> None:
        class Leaky(Task):
            answer: str

        with pytest.raises(RunnerDefinitionError, match="Leaky declares answer"):
            check_definition(altered(TASK_MODEL=Leaky))

        check_definition(altered(TASK_MODEL=Leaky, EVALUATOR_FIELDS=frozenset[str]()))

    @pytest.mark.parametrize("field", ["id", "question", "timeout"])
    def test_what_every_task_has_can_not_be_for_the_grader_only(self, field: str) -> None:
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
    def test_a_name_of_another_type_is_refused(self, names: dict[str, object]) -> None:
        (name,) = names

        with pytest.raises(RunnerDefinitionError, match=name):
            check_definition(altered(**names))
