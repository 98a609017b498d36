"""Tasks of an author's own loader or task model, and how they are graded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


CANARY = "canary-90be"


class TestAnAuthorsOwnLoader:
    """Only it can read the tasks, so the local service has it read the references, too."""

    @pytest.fixture
    def loading(self, project: RunnerProject) -> RunnerProject:
        project.change_agent(
            ("import BenchmarkRunner, ", "import BenchmarkRunner, Task, "),
            ("import asyncio\n", "import asyncio\nimport csv\n"),
            (
                "        word, _, rest",
                (
                    "        with (ROOT / 'seen.txt').open('a') as seen:\n"
                    "            seen.write(repr((task, vars(self))))\n"
                    "        word, _, rest"
                ),
            ),
        )
        return project

    def graded(self, project: RunnerProject, *flags: str) -> None:
        ended = project.run("run", "--run-id", "r1", *flags)
        assert ended.code == 0, ended.err
        assert project.read("r1", "final_score.json")["final_score"] == 0.5
        assert project.read("r1", "a", "eval.json")["result"] == {"pass_percentage": 1.0}
        assert project.run("evaluate", "--run-id", "r1", "--regrade").code == 0
        written = [path.read_text() for path in project.results.rglob("*") if path.is_file()]
        seen = (project.root / "seen.txt").read_text()
        assert "kept" in seen
        assert CANARY not in seen + "".join(written) + ended.out

    def test_file_with_other_columns_is_evaluated(self, loading: RunnerProject) -> None:
        """Tasks of a file with other columns are evaluated."""
        loading.set_in_class(
            "def load_tasks(self, dataset_file):\n"
            "        rows = csv.DictReader(Path(dataset_file).read_text().splitlines())\n"
            "        return [Task(id=r['name'], question=r['prompt'], answer=r['gold'],"
            " note='kept') for r in rows]"
        )
        (loading.root / "own.csv").write_text(f"name,prompt,gold\na,say x,x\nb,say y,{CANARY}\n")
        self.graded(loading, "--dataset-file", "own.csv")

    IN_MEMORY = (
        "rows = {'a': 'x', 'b': '" + CANARY + "'}\n"
        "        self._dataset = 'mine'\n"
        "        tasks = [Task(id=i, question='say x', answer=gold, note='kept')"
        " for i, gold in rows.items()]\n"
    )

    @pytest.mark.parametrize("api", ["legacy", "v1"])
    def test_tasks_of_no_file_are_evaluated(self, loading: RunnerProject, api: str) -> None:
        """Tasks that come from no file are evaluated."""
        loading.write_cli(default_dataset_file=None)
        loading.set_in_class(f'EVALUATION_API = "{api}"')
        loading.set_in_class(
            f"def load_tasks(self, dataset_file):\n        {self.IN_MEMORY}        return tasks"
        )
        self.graded(loading)
        assert loading.read("r1", "run_config.json")["dataset_name"] == "mine"

    def test_registered_tasks_are_evaluated(self, loading: RunnerProject) -> None:
        """Tasks that are registered one by one are evaluated."""
        loading.write_cli(default_dataset_file=None)
        loading.set_in_class(
            f"def load_tasks(self, dataset_file):\n        {self.IN_MEMORY}"
            "        for task in tasks:\n            self.add_task(task)"
        )
        self.graded(loading)

    def test_second_load_that_fails_is_an_error(self, loading: RunnerProject) -> None:
        """A loader that fails the second time is an error."""
        loading.write_cli(default_dataset_file=None)
        loading.set_in_class(
            "def load_tasks(self, dataset_file):\n"
            "        if (ROOT / 'loaded').exists():\n"
            "            raise ValueError('only once')\n"
            "        (ROOT / 'loaded').touch()\n"
            "        return [Task(id='a', question='say x', answer='x')]"
        )
        ended = loading.run("run", "--run-id", "r1")
        assert ended.code == 2
        assert "load_tasks() failed: ValueError: only once" in ended.err
        assert not loading.results.exists()


class TestProblemsOfATaskModel:
    def define(self, project: RunnerProject, field: str) -> list[str]:
        project.change_agent(
            (
                "import BenchmarkRunner, GenerationResult\n",
                (
                    "import BenchmarkRunner, GenerationResult, Task\n\n\n"
                    f"class SampleTask(Task):\n    {field}\n"
                ),
            ),
            ("answer=rest", "answer=f'{type(task).__name__} {task.image}'"),
        )
        project.set_in_class("TASK_MODEL = SampleTask")
        (project.root / "p.txt").write_text("say it")
        return ["run", "--run-id", "r1", "--skip-eval", "--problem", "p.txt", "t1"]

    def test_defaults_of_the_task_model_are_enough(self, project: RunnerProject) -> None:
        """The defaults of the task model are enough for a problem."""
        assert project.run(*self.define(project, "image: str = 'alpine'")).code == 0
        assert project.read("r1", "t1", "generation.json")["data"] == "SampleTask alpine"

    def test_required_field_of_a_problem_is_named(self, project: RunnerProject) -> None:
        """A required field that a problem lacks is named."""
        ended = project.run(*self.define(project, "image: str"))
        assert ended.code == 2
        assert "field image" in ended.err
        assert not project.results.exists()
