"""``run`` from one end to the other, with the local service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject

CANARY = "canary-90be"


class TestOneRun:
    def test_first_run_generates_evaluates_and_scores(self, project: RunnerProject) -> None:
        """A first run generates, evaluates and scores, and prints a summary."""
        ended = project.execute("run", "--dataset-name", "validation")
        assert ended.code == 0, ended.err
        assert "Score    0.6667 ± 0.33 (standard error, n=3)  [local]" in ended.out
        assert "Interval 0.2077 to 0.9385 (95 %, Wilson)" in ended.out
        assert (
            "Tasks    3: 3 attempted, 3 scored, 0 timed out, 0 out of turns, 0 failed" in ended.out
        )
        (run_id,) = [path.name for path in project.results.iterdir()]
        assert f"Starting run {run_id}" in ended.out
        assert "not an official score" in ended.out
        assert ended.resume_command == f"bin/sample-runner run --run-id {run_id}"

    def test_files_have_the_promised_content(self, project: RunnerProject) -> None:
        """The files have the promised names and content."""
        assert project.run("run", "--run-id", "r1").code == 0
        tasks = {f"r1/{t}/{f}.json" for t in ("t1", "t2", "t3") for f in ("generation", "eval")}
        of_run = {"r1/run_config.json", "r1/final_score.json", "r1/events.jsonl"}
        assert project.files() == of_run | tasks

        config = project.read("r1", "run_config.json")
        assert config["run_id"] == "r1"
        assert config["model"] == "sample-model"
        assert config["tasks"] == ["t3", "t1", "t2"]
        assert config["task_source"] == "file"
        assert config["dataset_file"] == str(project.dataset)
        assert config["dataset_name"] == "validation"
        assert (config["payload_schema"], config["payload_type"]) == ("sample.text.v1", "text")
        assert config["generation_version"] == "dev"
        assert config["runner_version"]

        generation = project.read("r1", "t1", "generation.json")
        assert generation["status"] == "success"
        assert generation["data"] == generation["answer"] == "one"
        assert generation["question"] == "say one"
        assert generation["log_dir"] == str(project.results / "r1" / "t1" / "agent_logs")
        assert (project.results / "r1" / "t1" / "agent_logs").is_dir()

        graded = project.read("r1", "t2", "eval.json")
        assert (graded["status"], graded["error"]) == ("evaluated", None)
        assert graded["result"] == {"pass_percentage": 0.0}
        assert graded["local"] is True

        score = project.read("r1", "final_score.json")
        assert score["final_score"] == pytest.approx(2 / 3)
        assert score["tasks_evaluated"] == ["t3", "t1", "t2"]
        assert (score["complete"], score["local"], score["service_url"]) == (True, True, "local")
        assert score["counts"] == {
            "total": 3,
            "attempted": 3,
            "scored": 3,
            "error": 0,
            "max_time": 0,
            "max_turns": 0,
        }

    def test_both_apis_give_the_same_score(self, project: RunnerProject) -> None:
        """Both evaluation APIs give the same score."""
        project.set_in_class('EVALUATION_API = "v1"')
        assert project.run("run", "--run-id", "r1").code == 0
        assert project.read("r1", "final_score.json")["final_score"] == pytest.approx(2 / 3)
        assert project.read("r1", "t1", "eval.json")["evaluation_api"] == "v1"

    def test_generation_version_is_recorded(self, project: RunnerProject) -> None:
        """The generation version is in the config and in each generation."""
        project.run("run", "--run-id", "r1", SAMPLE_GENERATION_VERSION="abc123")
        assert project.read("r1", "run_config.json")["generation_version"] == "abc123"
        assert project.read("r1", "t1", "generation.json")["generation_version"] == "abc123"

    def test_timeouts_are_done_and_count_zero(self, project: RunnerProject) -> None:
        """A task without enough time or turns is done and counts 0."""
        project.write_tasks(
            [
                {"id": "t1", "question": "say one", "answer": "one"},
                {"id": "t2", "question": "wait", "answer": "two", "timeout": 0.05},
                {"id": "t3", "question": "out-of-turns", "answer": ""},
            ]
        )
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 0
        assert "1 scored, 1 timed out, 1 out of turns, 0 failed" in ended.out
        assert "Score    0.3333 ± 0.33 (standard error, n=3)" in ended.out
        assert project.read("r1", "final_score.json")["complete"] is True
        assert project.read("r1", "t2", "eval.json")["status"] == "did_not_complete"

    def test_tasks_timeout_wins_over_the_flag(self, project: RunnerProject) -> None:
        """A task's own timeout wins over the flag."""
        project.write_tasks([{"id": "t1", "question": "wait", "answer": "", "timeout": 0.05}])
        assert project.run("run", "--run-id", "r1", "--timeout", "0").code == 0
        assert project.read("r1", "t1", "generation.json")["status"] == "max_time"

    def test_flag_limits_tasks_without_a_timeout(self, project: RunnerProject) -> None:
        """The flag limits a task that sets no timeout."""
        project.write_tasks([{"id": "t1", "question": "wait", "answer": ""}])
        assert project.run("run", "--run-id", "r1", "--timeout", "0.05").code == 0
        assert project.read("r1", "t1", "generation.json")["status"] == "max_time"

    def test_reference_reaches_no_agent_and_no_file(self, project: RunnerProject) -> None:
        """A reference answer reaches neither the agent nor any file."""
        project.change_agent(
            (
                '        word, _, rest = task.question.partition(" ")\n',
                (
                    "        (ROOT / 'seen.txt').open('a').write(repr((task, vars(self), model,"
                    " llm_config, log_dir)))\n"
                    '        word, _, rest = task.question.partition(" ")\n'
                ),
            )
        )
        project.write_tasks([{"id": "t1", "question": "say one", "answer": CANARY, "extra": 7}])
        for source in ([], ["--dataset-name", "validation"]):
            ended = project.execute("run", *source)
            assert ended.code == 0
            assert CANARY not in ended.out + ended.err
        seen = (project.root / "seen.txt").read_text()
        assert "extra=7" in seen
        assert CANARY not in seen
        written = [path.read_text() for path in project.results.rglob("*") if path.is_file()]
        assert len(written) == 12
        assert CANARY not in "".join(written)

    def test_task_model_checks_the_services_tasks(self, project: RunnerProject) -> None:
        """A task model validates and types what the service lists."""
        project.change_agent(
            (
                "import BenchmarkRunner, GenerationResult\n",
                (
                    "import BenchmarkRunner, GenerationResult, Task\n\n\n"
                    "class SampleTask(Task):\n    docker_image: str\n    level: int = 1\n"
                ),
            ),
            ("answer=rest", "answer=f'{task.docker_image} {task.level}'"),
        )
        project.set_in_class("TASK_MODEL = SampleTask")
        task = {"id": "t1", "question": "say it", "answer": "alpine 1", "docker_image": "alpine"}
        project.write_tasks([task])
        ended = project.run("run", "--run-id", "r1", "--dataset-name", "validation")
        assert ended.code == 0
        assert project.read("r1", "final_score.json")["final_score"] == 1.0

        project.write_tasks([task, {**task, "id": "t2", "level": "high"}])
        ended = project.run("run", "--run-id", "r2", "--dataset-name", "validation")
        assert ended.code == 2
        assert "task 't2', field level" in ended.err
        assert project.calls == ["t1"]

    def test_options_reach_the_agent(self, project: RunnerProject) -> None:
        """An author's options reach the agent."""
        project.change_agent(
            ("import asyncio\n", "import asyncio\n\nfrom pydantic import BaseModel\n"),
            (
                "class SampleRunner",
                (
                    "class Options(BaseModel):\n    suffix: str = ''\n    times: int = 1\n\n\n"
                    "class SampleRunner"
                ),
            ),
            ("answer=rest", "answer=(rest + self.options.suffix) * self.options.times"),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        ended = project.run(
            "run", "--run-id", "r1", "--option", "suffix=a=b", "--option", "times=2"
        )
        assert ended.code == 0
        assert project.read("r1", "t1", "generation.json")["data"] == "onea=bonea=b"
        assert project.read("r1", "run_config.json")["options"] == {"suffix": "a=b", "times": "2"}

        ended = project.run("run", "--run-id", "r2", "--option", "times=many")
        assert ended.code == 2
        assert "--option times" in ended.err
        assert not (project.results / "r2").exists()


class TestPartOfARun:
    def test_limit_is_shown_with_the_size(self, project: RunnerProject) -> None:
        """A limit is shown with the size of the dataset."""
        ended = project.run("run", "--run-id", "r1", "--limit", "2")
        assert ended.code == 0
        assert "first 2 of 3" in ended.out
        assert sorted(project.calls) == ["t1", "t3"]
        assert project.read("r1", "final_score.json")["tasks_evaluated"] == ["t3", "t1"]

    @pytest.mark.parametrize(
        "command",
        [
            ["run", "--run-id", "r1"],
            ["run", "--run-id", "r1", "--quiet"],
            ["score", "--run-id", "r1"],
            ["evaluate", "--run-id", "r1"],
        ],
    )
    def test_limited_run_is_always_marked(self, project: RunnerProject, command: list[str]) -> None:
        """Each command that shows a limited run says so."""
        project.run("run", "--run-id", "r1", "--limit", "2")
        ended = project.run(*command)
        assert ended.code == 0
        assert "first 2 of 3" in ended.out

    def test_chosen_task_succeeds_without_a_score(self, project: RunnerProject) -> None:
        """A chosen task that is done is a success without a score yet."""
        ended = project.run("run", "--run-id", "r1", "t1")
        assert ended.code == 0
        assert project.calls == ["t1"]
        assert "No score yet: 2 not generated" in ended.out
        assert project.read("r1", "run_config.json")["tasks"] == ["t3", "t1", "t2"]
        assert not (project.results / "r1" / "final_score.json").exists()

        ended = project.run("run", "--run-id", "r1", "t2", "t3")
        assert ended.code == 0
        assert "Score    0.6667" in ended.out
        assert project.read("r1", "final_score.json")["tasks_evaluated"] == ["t3", "t1", "t2"]

    def test_failed_chosen_task_is_a_failure(self, project: RunnerProject) -> None:
        """A chosen task that fails is a failure."""
        project.write_tasks(
            [
                {"id": "t1", "question": "raise it", "answer": ""},
                {"id": "t2", "question": "say two", "answer": "two"},
            ]
        )
        assert project.run("run", "--run-id", "r1", "t1").code == 1
        # What else is wrong with the run is not this command's business.
        assert project.run("run", "--run-id", "r1", "t2").code == 0

    def test_task_file_names_the_tasks(self, project: RunnerProject, tmp_path: Path) -> None:
        """A file may name the tasks."""
        chosen = tmp_path / "chosen.txt"
        chosen.write_text("t2\n\n  t3 \n")
        assert project.run("run", "--run-id", "r1", "--task-file", chosen).code == 0
        assert sorted(project.calls) == ["t2", "t3"]

    def test_skip_eval_needs_no_service(self, project: RunnerProject) -> None:
        """With --skip-eval nothing is evaluated, and no service is needed."""
        project.write_cli(default_service_url=None, grader=None)
        ended = project.run("run", "--run-id", "r1", "--skip-eval")
        assert ended.code == 0
        assert {name for name in project.files() if name.endswith("eval.json")} == set()
        assert sorted(project.calls) == ["t1", "t2", "t3"]


class TestRunnersOfTheEarlierFramework:
    @pytest.fixture
    def legacy(self, project: RunnerProject) -> RunnerProject:
        (project.root / "runner" / "benchmark.py").write_text(
            "import json\n"
            "from pathlib import Path\n"
            "from benchmark_runner import (\n"
            "    BenchmarkRunner, EvalResult, EvalResultData, EvalStatus, GenerationResult,\n"
            "    GenerationStatus, Task)\n"
            "class SampleRunner(BenchmarkRunner):\n"
            '    NAME = "sample"\n'
            '    PAYLOAD_TYPE = "text"\n'
            "    PAYLOAD_SCHEMA_VERSION = 1\n"
            '    GENERATION_VERSION_ENV = "SAMPLE_GENERATION_VERSION"\n'
            "    def load_tasks(self, dataset_file):\n"
            "        data = json.loads(Path(dataset_file).read_text())\n"
            '        self._dataset = data.get("dataset_name")\n'
            '        return [Task(id=r["id"], question=r["question"]) for r in data["tests"]]\n'
            "    async def generate(self, task, model, llm_config=None, log_dir=None):\n"
            "        return GenerationResult(task_id=task.id, status=GenerationStatus.SUCCESS,\n"
            "            data=task.question.split()[-1], question=task.question, model=model)\n"
            "    async def evaluate(self, task_id, generation):\n"
            "        async with self._eval_sem:\n"
            "            result = await self._client.evaluate_response(\n"
            "                task_id=task_id, response=generation.data, dataset=self._dataset)\n"
            "        return EvalResult(task_id=task_id, status=EvalStatus.EVALUATED,\n"
            "            result=EvalResultData(**result))\n"
        )
        return project

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("by_name", [True, False])
    def test_earlier_runner_runs_as_it_is(self, legacy: RunnerProject, by_name: bool) -> None:
        """A runner of the earlier framework runs unchanged."""
        if not by_name:
            (legacy.root / "runner" / "cli.py").write_text(
                "from benchmark_runner.cli import make_cli\n"
                "from .benchmark import SampleRunner\n"
                "from .grader import grade\n"
                "cli = make_cli(SampleRunner, default_dataset_file='data/validation.json',\n"
                "    default_results_dir='results', default_parallelism=2, grader=grade,\n"
                "    default_timeout=60, default_service_url='local')\n"
            )
        ended = legacy.execute("run", "--run-id", "r1", "--model", "m1")
        assert ended.code == 0, ended.err
        assert legacy.read("r1", "final_score.json")["final_score"] == pytest.approx(2 / 3)
        ended = legacy.execute("score", "--run-id", "r1", "--force")
        assert ended.code == 0, ended.err


def test_given_file_is_used_to_evaluate(project: RunnerProject, tmp_path: Path) -> None:
    """Tasks of a file that is given are evaluated with that file."""
    other = tmp_path / "other.jsonl"
    rows = [{"id": "x1", "question": "say yes", "answer": "yes"}]
    other.write_text("\n".join(map(json.dumps, rows)))
    ended = project.run("run", "--run-id", "r1", "--dataset-file", "../other.jsonl")
    assert ended.code == 0, ended.err
    assert project.read("r1", "final_score.json")["final_score"] == 1.0
    assert project.read("r1", "run_config.json")["dataset_file"] == str(other)
