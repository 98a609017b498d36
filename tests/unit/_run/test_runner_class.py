from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import pytest
from pydantic import BaseModel, SecretStr

from benchmark_runner._run.runner_class import (
    check_definition,
    import_object,
    parse_options,
    resolve_runner,
    split_options,
)
from benchmark_runner.base import BenchmarkRunner, NoOptions
from benchmark_runner.errors import RunnerDefinitionError, UsageError
from benchmark_runner.schemas import Task
from tests.fakes import FakeRunner

if TYPE_CHECKING:
    from pathlib import Path


class GoodRunner(FakeRunner):
    NAME = "good"


class Options(BaseModel):
    depth: int = 3
    style: Literal["short", "long"] = "short"
    token: SecretStr | None = None


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


def parse(model: type[BaseModel], given: list[str]) -> BaseModel:
    return parse_options(model, split_options(given))


class TestOptions:
    def test_texts_become_the_types_of_the_model(self) -> None:
        options = parse(Options, ["depth=5", "style=long"])

        assert options == Options(depth=5, style="long")

    def test_defaults_hold_for_what_is_not_given(self) -> None:
        assert parse(Options, []) == Options()

    def test_a_value_may_hold_an_equals_sign_or_nothing(self) -> None:
        class Free(BaseModel):
            url: str = "x"
            note: str = "x"

        assert parse(Free, ["url=http://x?a=b", "note="]) == Free(url="http://x?a=b", note="")

    @pytest.mark.parametrize("item", ["depth", "=5", ""])
    def test_what_is_not_key_value_is_refused(self, item: str) -> None:
        with pytest.raises(UsageError, match="not KEY=VALUE"):
            parse(Options, [item])

    def test_an_unknown_option_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(UsageError, match="--option dept: unknown") as caught:
            parse(Options, ["dept=5"])

        assert "depth, style" in str(caught.value.hint)

    def test_a_runner_without_options_says_so(self) -> None:
        with pytest.raises(UsageError, match="--option depth: unknown") as caught:
            parse(NoOptions, ["depth=5"])

        assert "OPTIONS_MODEL" in str(caught.value.hint)

    def test_an_option_given_twice_is_refused(self) -> None:
        with pytest.raises(UsageError, match="--option depth: given twice"):
            parse(Options, ["depth=5", "depth=6"])

    def test_a_value_that_does_not_fit_is_refused_with_the_options_name(self) -> None:
        with pytest.raises(UsageError, match=r"depth: .*integer"):
            parse(Options, ["depth=deep"])

    def test_a_required_option_that_is_missing_is_named(self) -> None:
        class Needy(BaseModel):
            level: int

        with pytest.raises(UsageError, match=r"level: .*required"):
            parse(Needy, [])

    def test_a_secret_option_is_not_shown_when_another_one_is_wrong(self) -> None:
        with pytest.raises(UsageError) as caught:
            parse(Options, ["token=sk-secret", "depth=deep"])

        assert "sk-secret" not in caught.value.message
