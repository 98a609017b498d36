from __future__ import annotations

import importlib
import inspect
import pkgutil
from importlib import resources

import pytest
import typer

import benchmark_runner

#: What the contract promises, by the module that it is promised in, too.
PROMISED = {
    "artifacts": ["RunArtifacts"],
    "base": ["BenchmarkRunner"],
    "checkpoint": [],
    "cli": ["make_cli"],
    "client": ["build_client"],
    "llm": ["LLMConfig", "build_llm_config"],
    "schemas": [
        *("EvalResult", "EvalResultData", "EvalStatus", "EvaluateResponseRequest"),
        *("FinalScoreResponse", "GenerationResult", "GenerationStatus", "ScoreResult", "Task"),
    ],
}
HOMES = [(name, module) for module, names in PROMISED.items() for name in names]
#: Everything that an author can import; of the command line, only ``make_cli()`` is.
PUBLIC_MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(benchmark_runner.__path__, "benchmark_runner.")
    if "._" not in found.name and not found.name.startswith("benchmark_runner.cli.")
)


class TestNames:
    @pytest.mark.parametrize("name", [name for name, _ in HOMES])
    def test_it_is_importable_from_the_package(self, name: str) -> None:
        """Each promised name can be imported from the package and is listed by it."""
        assert getattr(benchmark_runner, name).__name__ == name
        assert name in benchmark_runner.__all__
        assert name in dir(benchmark_runner)

    @pytest.mark.parametrize("name", benchmark_runner.__all__)
    def test_every_listed_name_exists(self, name: str) -> None:
        """Each name of __all__ exists."""
        assert getattr(benchmark_runner, name) is not None

    @pytest.mark.parametrize("module", PROMISED)
    def test_the_module_is_importable(self, module: str) -> None:
        """Each promised module can be imported and has a docstring."""
        assert importlib.import_module(f"benchmark_runner.{module}").__doc__

    @pytest.mark.parametrize(("name", "module"), HOMES)
    def test_name_is_the_same_in_its_module(self, name: str, module: str) -> None:
        """A name of the package is the same object as in its module."""
        home = importlib.import_module(f"benchmark_runner.{module}")

        assert getattr(home, name) is getattr(benchmark_runner, name)

    def test_unknown_name_is_an_import_error(self) -> None:
        """A name that does not exist is an error that repeats it."""
        assert not hasattr(benchmark_runner, "BenchmarkRuner")
        with pytest.raises(ImportError, match="BenchmarkRuner"):
            exec("from benchmark_runner import BenchmarkRuner")

    def test_a_star_import_gives_every_name(self) -> None:
        """A star import gives each promised name."""
        found: dict[str, object] = {}
        exec("from benchmark_runner import *", found)

        assert {name for name, _ in HOMES} <= found.keys()

    @pytest.mark.parametrize("module", PUBLIC_MODULES)
    def test_public_module_has_all(self, module: str) -> None:
        """A public module has an __all__ of names that exist, each once."""
        home = importlib.import_module(module)
        public = {
            name
            for name, value in vars(home).items()
            if not name.startswith("_") and not inspect.ismodule(value)
        }
        # A package that is no more than a folder needs none.
        offered: list[str] = home.__all__ if public else getattr(home, "__all__", [])

        assert len(set(offered)) == len(offered)
        assert [name for name in offered if not hasattr(home, name)] == []

    def test_the_package_is_typed(self) -> None:
        """The package has a py.typed file."""
        assert resources.files(benchmark_runner).joinpath("py.typed").is_file()


class TestSignatures:
    @pytest.mark.parametrize(
        ("owner", "names"),
        [
            (benchmark_runner.BenchmarkRunner.load_tasks, ["self", "dataset_file"]),
            (
                benchmark_runner.BenchmarkRunner.generate,
                ["self", "task", "model", "llm_config", "log_dir"],
            ),
            (benchmark_runner.BenchmarkRunner.evaluate, ["self", "task_id", "generation"]),
            (benchmark_runner.BenchmarkRunner.task_score, ["self", "result"]),
        ],
    )
    def test_authors_methods_have_promised_parameters(
        self, owner: object, names: list[str]
    ) -> None:
        """The methods that authors override have the promised parameters."""
        assert callable(owner)
        assert list(inspect.signature(owner).parameters) == names

    @pytest.mark.parametrize("name", ["generate", "evaluate", "score"])
    def test_methods_that_wait_are_coroutines(self, name: str) -> None:
        """generate(), evaluate() and score() are coroutine functions."""
        assert inspect.iscoroutinefunction(getattr(benchmark_runner.BenchmarkRunner, name))

    @pytest.mark.parametrize("name", ["add_task", "get_tasks"])
    def test_task_list_has_methods(self, name: str) -> None:
        """The runner has add_task() and get_tasks()."""
        assert callable(getattr(benchmark_runner.BenchmarkRunner, name))

    @pytest.mark.parametrize(
        "name",
        [
            "default_dataset_file",
            "default_results_dir",
            "default_parallelism",
            "default_timeout",
        ],
    )
    def test_cli_defaults_can_be_set(self, name: str) -> None:
        """make_cli() takes the promised defaults of the command line."""
        assert name in inspect.signature(benchmark_runner.make_cli).parameters

    def test_make_cli_returns_the_typer_app(self) -> None:
        """make_cli() returns a Typer app."""
        assert isinstance(benchmark_runner.make_cli("runner.benchmark:X"), typer.Typer)
