"""The resume command, as it is made from the config of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._project.folders import Project
from benchmark_runner._run.benchmark import Benchmark
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.cli.resume_command import NextCommands
from tests.fakes import FakeRunner, make_settings

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


def test_last_flags_are_repeated() -> None:
    """The flags of the last invocation are repeated for a resume."""
    benchmark = Benchmark(make_settings(FakeRunner), Project(None, Path()), FakeRunner)
    config = RunConfig(
        run_id="r1",
        model="m",
        tasks=["t1"],
        operational={
            "skip_eval": True,
            "parallelism": 3,
            "timeout": 2.5,
            "max_cost": None,
            "no_durable": False,
            "eval_parallelism": 10,
            "of_a_later_version": 7,
        },
    )

    command = NextCommands(benchmark, Path.cwd() / "results").resume(config)

    assert command.endswith("run --run-id r1 --skip-eval --parallelism 3 --timeout 2.5")


class TestResumeCommand:
    """The printed command works as it is, in a fresh shell."""

    def go_on(self, project: RunnerProject, command: str, cwd: Path | None = None) -> str:
        """Run the printed command once the agent answers, and return what it said."""
        project.heal()
        ended = project.shell(command, cwd=cwd)
        assert ended.code == 0, ended.err
        assert "Resuming run" in ended.out
        return ended.out

    @pytest.fixture
    def failing(self, project: RunnerProject) -> RunnerProject:
        project.write_tasks(
            [
                {"id": "t1", "question": "say one", "answer": "one"},
                {"id": "t2", "question": "raise no luck", "answer": "no luck"},
            ]
        )
        return project

    def test_other_results_folder_and_cwd(self, failing: RunnerProject, tmp_path: Path) -> None:
        """The command works with another results folder and working directory."""
        elsewhere = tmp_path / "else where"
        elsewhere.mkdir()
        flags = ["--results-dir", "my results", "--model", "m1", "--temperature", "0.5"]
        ended = failing.execute("run", *flags, cwd=elsewhere)
        assert ended.code == 1
        assert "Score    1 " in self.go_on(failing, ended.resume_command, cwd=elsewhere)
        assert failing.calls[2:] == ["t2"]

    def test_results_folder_of_the_environment(
        self, failing: RunnerProject, tmp_path: Path
    ) -> None:
        """The command names a results folder that only the environment gives."""
        ended = failing.execute("run", RESULTS_DIR=str(tmp_path / "elsewhere"))
        assert ended.code == 1
        self.go_on(failing, ended.resume_command)
        assert failing.calls[2:] == ["t2"]

    def test_problem(self, failing: RunnerProject, tmp_path: Path) -> None:
        """The command repeats the problem."""
        folder = tmp_path / "task"
        folder.mkdir()
        (folder / "a problem.txt").write_text("raise no luck")
        ended = failing.execute(
            "run", "--problem", "a problem.txt", "--skip-eval", "t9", cwd=folder
        )
        assert ended.code == 1
        self.go_on(failing, ended.resume_command, cwd=folder)
        assert failing.calls == ["t9", "t9"]

    def test_chosen_tasks(self, failing: RunnerProject, tmp_path: Path) -> None:
        """The command repeats the chosen tasks."""
        (tmp_path / "ids.txt").write_text("t2\n")
        ended = failing.execute("run", "--task-file", "../ids.txt")
        assert ended.code == 1
        self.go_on(failing, ended.resume_command)
        assert failing.calls == ["t2", "t2"]

    def test_evaluation(self, failing: RunnerProject) -> None:
        """The command of an evaluation works."""
        failing.run("run", "--run-id", "r1", "--skip-eval")
        ended = failing.run("evaluate", "--run-id", "r1")
        self.go_on(failing, ended.resume_command)

    @pytest.mark.parametrize("command", ["evaluate", "score"])
    def test_resume_after_evaluate_or_score_evaluates(
        self, project: RunnerProject, command: str
    ) -> None:
        """After an unfinished evaluate or score the resume command evaluates."""
        project.run("run", "--run-id", "r1", "--skip-eval", "--parallelism", "3")
        grader = (project.root / "runner" / "grader.py").read_text()
        project.write_grader("def grade(task, response):\n    raise ValueError('no luck')\n")
        ended = project.run(command, "--run-id", "r1")
        assert ended.code == 1
        assert ended.resume_command.endswith("run --run-id r1 --parallelism 3")
        project.write_grader(grader)
        assert "3 scored" in self.go_on(project, ended.resume_command)

    def test_resume_of_status_evaluates_after_evaluate(self, project: RunnerProject) -> None:
        """After an evaluate command the resume command of status evaluates."""
        project.run("run", "--run-id", "r1", "--skip-eval")
        assert project.run("status", "r1").resume_command.endswith("--skip-eval")
        project.write_grader("def grade(task, response):\n    raise ValueError('no luck')\n")
        assert project.run("evaluate", "--run-id", "r1").code == 1
        ended = project.run("status", "r1")
        assert ended.resume_command.endswith("run --run-id r1")
        assert project.run("status", "r1", "--json").json["evaluate_command"] is None

    def test_operational_settings_are_repeated(self, failing: RunnerProject) -> None:
        """The command repeats what is not part of the run's config."""
        given = ["--timeout", "60", "--parallelism", "3", "--eval-timeout", "600"]
        ended = failing.run("run", "--run-id", "r1", "--model", "m1", *given)
        assert ended.resume_command.endswith(
            "run --run-id r1 --parallelism 3 --timeout 60 --eval-timeout 600"
        )

    def test_service_of_the_environment(
        self, failing: RunnerProject, scripted: ScriptedService
    ) -> None:
        """The command names a service that only the environment gives."""
        ended = failing.run("run", "--run-id", "r1", SERVICE_URL=scripted.url)
        assert f"--service-url {scripted.url}" in ended.resume_command

    def test_task_id_that_starts_with_a_hyphen(self, project: RunnerProject) -> None:
        """The command works for a task id that starts with a hyphen."""
        project.write_tasks(
            [{"id": i, "question": "raise no luck", "answer": "no luck"} for i in ("-x", "y")]
        )
        ended = project.execute("run", "--run-id", "r1", "--", "-x")
        assert ended.code == 1
        self.go_on(project, ended.resume_command)
        assert project.calls == ["-x", "-x"]

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("by_file", [True, False])
    def test_finished_tasks_give_the_whole_run(self, project: RunnerProject, by_file: bool) -> None:
        """For chosen tasks that are done the command runs the whole run."""
        (project.root / "ids.txt").write_text("t1\n")
        chosen = ["--task-file", "ids.txt"] if by_file else ["t1"]
        ended = project.execute("run", "--run-id", "r1", *chosen)
        assert ended.code == 0
        assert ended.resume_command.endswith("run --run-id r1")
        self.go_on(project, ended.resume_command)
        assert sorted(project.calls) == ["t1", "t2", "t3"]

    def test_generated_tasks_give_the_whole_run(self, project: RunnerProject) -> None:
        """For chosen tasks that are generated the command runs the whole run."""
        ended = project.run("run", "--run-id", "r1", "--skip-eval", "t1")
        assert ended.code == 0
        assert ended.resume_command.endswith("run --run-id r1 --skip-eval")

    def test_evaluation_of_a_problem(self, project: RunnerProject) -> None:
        """The command of an evaluation of a problem works."""
        (project.root / "p.txt").write_text("say one")
        flags = ["--run-id", "r1", "--skip-eval", "--problem", "p.txt", "t1"]
        assert project.execute("run", *flags).code == 0
        ended = project.execute("evaluate", "--run-id", "r1")
        assert ended.code == 0, ended.err
        ended = project.shell(ended.resume_command)
        assert ended.code == 0, ended.err
        assert "Score    1 " in ended.out
        assert project.calls == ["t1"]

    def test_command_holds_no_key(self, failing: RunnerProject) -> None:
        """The command holds no key."""
        ended = failing.run("run", "--custom-api-key", "hidden-1")
        assert "hidden" not in ended.out
