"""Where a run looks: the environment, ``.env``, the project's folders; and what it never shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


class TestOrchestrators:
    """One task in one container, in a working directory that belongs to the task."""

    def test_problem_needs_no_dataset_and_no_service(
        self, project: RunnerProject, tmp_path: Path
    ) -> None:
        """A problem needs neither dataset nor service and reads no .env file."""
        project.change_agent(
            (
                "answer=rest",
                (
                    "answer=f'{task.question!r} {model} '"
                    " + str([os.environ.get(n) for n in ('FROM_CWD', 'FROM_PROJECT')])"
                ),
            )
        )
        work = tmp_path / "work of the task"
        (work / "runner").mkdir(parents=True)
        (work / "runner" / "__init__.py").write_text("raise SystemExit('the wrong package')")
        hostile = "RESULTS_DIR=/nowhere\nSAMPLE_GENERATION_VERSION=hostile\nFROM_CWD=read\n"
        (work / ".env").write_text(hostile)
        (work / "pyproject.toml").write_text("[project]\n")
        (project.root / ".env").write_text("FROM_PROJECT=read\nRESULTS_DIR=/nowhere\n")
        project.dataset.unlink()
        (tmp_path / "problem.md").write_text("\n say it\nall \n\n")

        ended = project.execute(
            *("run", "--model", "m1", "--run-id", "r1", "--skip-eval"),
            *("--results-dir", tmp_path / "app" / "results"),
            *("--problem", "../problem.md", "t1"),
            cwd=work,
            SERVICE_URL="http://127.0.0.1:9",
        )
        assert ended.code == 0, ended.err
        results = tmp_path / "app" / "results"
        generation = project.read("r1", "t1", "generation.json", results=results)
        assert generation["question"] == "say it\nall"
        assert generation["data"] == "'say it\\nall' m1 [None, None]"
        assert generation["generation_version"] == "dev"
        written = {str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()}
        written = {name for name in written if not name.endswith(".lock")}
        of_run = {"r1/run_config.json", "r1/events.jsonl"}
        assert written == of_run | {"r1/t1/generation.json"}
        config = project.read("r1", "run_config.json", results=results)
        assert (config["task_source"], config["tasks"]) == ("problem", ["t1"])
        assert {path.name for path in work.iterdir()} == {".env", "pyproject.toml", "runner"}

    def test_problems_add_their_tasks(self, project: RunnerProject, tmp_path: Path) -> None:
        """Problems under one run id add their tasks."""
        for task_id in ("t1", "t2"):
            (tmp_path / "problem.txt").write_text(f"say {task_id}")
            flags = ["--run-id", "r1", "--skip-eval", "--problem", tmp_path / "problem.txt"]
            assert project.run("run", *flags, task_id).code == 0
        assert project.read("r1", "run_config.json")["tasks"] == ["t1", "t2"]
        assert project.read("r1", "t2", "generation.json")["data"] == "t2"


class TestEnvFile:
    def test_dotenv_fills_in_missing_variables(
        self, project: RunnerProject, tmp_path: Path
    ) -> None:
        """The project's .env file sets what the environment lacks."""
        (project.root / ".env").write_text(
            "RESULTS_DIR=from-file\nSAMPLE_GENERATION_VERSION=from-file\n"
        )
        assert project.execute("run", SAMPLE_GENERATION_VERSION="from-environment").code == 0
        (run_dir,) = (project.root / "from-file").iterdir()
        config = project.read("run_config.json", results=run_dir)
        assert config["generation_version"] == "from-environment"

    def test_dotenv_of_working_directory_is_ignored(
        self, project: RunnerProject, tmp_path: Path
    ) -> None:
        """A .env file in the working directory is never read."""
        work = tmp_path / "work"
        work.mkdir()
        (work / ".env").write_text("RESULTS_DIR=hostile\nSAMPLE_GENERATION_VERSION=hostile\n")
        assert project.execute("run", "--run-id", "r1", cwd=work).code == 0
        assert project.read("r1", "run_config.json")["generation_version"] == "dev"
        assert [path.name for path in work.iterdir()] == [".env"]

    def test_key_in_dotenv_is_sent(self, project: RunnerProject, scripted: ScriptedService) -> None:
        """A key in the project's .env file is sent."""
        scripted.answers["/verify-task-ids"] = (401, {"detail": "Unauthorized"})
        (project.root / ".env").write_text(f"VALS_AUTH_KEY=hidden-1\nSERVICE_URL={scripted.url}\n")
        ended = project.run("run")
        assert "does not accept the key in VALS_AUTH_KEY" in ended.err


class TestPaths:
    def test_results_and_data_are_the_projects(
        self, project: RunnerProject, tmp_path: Path
    ) -> None:
        """Results and data are the project's, from any working directory."""
        ended = project.execute("run", "--run-id", "r1", cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert project.read("r1", "final_score.json")["complete"] is True
        assert "Results  project/results/r1" in ended.out

    def test_given_paths_are_relative_to_the_cwd(
        self, project: RunnerProject, tmp_path: Path
    ) -> None:
        """Relative paths that are given start at the working directory."""
        (tmp_path / "own.jsonl").write_text('{"id": "x", "question": "say it", "answer": "it"}\n')
        flags = ["--run-id", "r1", "--dataset-file", "own.jsonl", "--results-dir", "out"]
        ended = project.execute("run", *flags, cwd=tmp_path)
        assert ended.code == 0, ended.err
        score = project.read("r1", "final_score.json", results=tmp_path / "out")
        assert score["final_score"] == 1.0

    @pytest.mark.parametrize("given", [True, False])
    def test_flag_wins_over_the_environment(
        self, project: RunnerProject, tmp_path: Path, given: bool
    ) -> None:
        """A flag wins over the environment."""
        flags = ["--results-dir", tmp_path / "flag"] if given else []
        project.run("run", "--run-id", "r1", *flags, RESULTS_DIR=str(tmp_path / "environment"))
        assert (tmp_path / ("flag" if given else "environment") / "r1").is_dir()
        assert not project.results.exists()

    def test_service_flag_wins_over_environment(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """The service is that of the flag, else of the environment, else the default."""
        assert project.run("run", "--run-id", "r1", SERVICE_URL=scripted.url).code == 0
        assert project.read("r1", "final_score.json")["service_url"] == scripted.url
        flags = ["--run-id", "r2", "--service-url", "local"]
        assert project.run("run", *flags, SERVICE_URL=scripted.url).code == 0
        assert project.read("r2", "final_score.json")["local"] is True

    def test_space_around_the_service_is_ignored(self, project: RunnerProject) -> None:
        """White space around the service's URL is ignored, also around ``local``."""
        assert project.run("run", "--run-id", "r1", SERVICE_URL=" local\r").code == 0
        assert project.read("r1", "final_score.json")["local"] is True
