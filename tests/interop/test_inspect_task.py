"""A copy of the template under ``inspect eval``."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import copier
import pytest

from tests.interop.releases import own_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interop.releases import Release

ROOT = Path(__file__).parents[2]
TASK = "my_bench_runner/my_bench"
KEY, REFERENCE = "sk-planted-0123456789abcdef", "the-reference-answer"
CLOSE = 1e-9
AGENT = """
import asyncio
import os
from pathlib import Path

from benchmark_runner import BenchmarkRunner, GenerationResult, TokenUsage, current_generation
from benchmark_runner.trajectory import ToolCall, record
from pydantic import BaseModel


class Options(BaseModel):
    word: str = "none"


class MyBenchRunner(BenchmarkRunner):
    NAME = "my-bench"
    OPTIONS_MODEL = Options
    EVALUATOR_FIELDS = frozenset({"answer"})

    async def start(self):
        self.note("start")

    async def stop(self):
        await asyncio.sleep(0.05)
        self.note("stop")

    def note(self, text):
        with Path(os.environ["NOTES"]).open("a") as notes:
            notes.write(text + "\\n")

    async def generate(self, task, model, llm_config=None, log_dir=None):
        now, kind = current_generation(), task.id
        self.note(f"{kind} {now.repeat} {now.attempt}")
        if kind == "broken" or (kind == "mended" and now.attempt == 1):
            raise ValueError("no luck with " + os.environ["PLANTED_API_KEY"])
        if kind == "slow":
            await asyncio.sleep(100)
        if kind == "chatty":
            return GenerationResult(status="max_turns", total_turns=3, answer="half of it")
        if kind == "leaking":
            return GenerationResult(answer=os.environ["PLANTED_API_KEY"])
        if kind == "traced":
            with record(log_dir, name="agent", version="1", model=model) as trajectory:
                trajectory.user(task.question)
                call = ToolCall(tool_call_id="1", function_name="look", arguments={"at": "it"})
                trajectory.agent("I look. " * 40, tool_calls=[call])
                trajectory.observation("seen", call_id="1")
                trajectory.agent("right")
        if kind == "told":
            left = now.time_left() < 1801
            said = [model, llm_config.temperature, now.repeat, left, self.options.word]
            return GenerationResult(answer=" ".join(map(str, said)))
        usage = TokenUsage(input=10, output=5, reasoning=2, cache_read=3)
        return GenerationResult(answer="right", usage=usage, cost=0.01, total_turns=2)
"""
GRADER = """
def grade(task, response):
    if task["id"] == "unfair":
        raise RuntimeError("no judge is there")
    return {"score": float(response in ("right", "half of it")), "explanation": "as it is"}
"""
KINDS = ("right", "broken", "mended", "slow", "chatty", "leaking", "traced", "told", "unfair")


@dataclass(frozen=True)
class Copy:
    """A copy of the template, installed beside a release of Inspect."""

    project: Path
    inspect: Release
    folder: Path

    @property
    def notes(self) -> Path:
        """The lines that the agent has written."""
        return self.folder / "notes"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a command."""
        return {
            "NOTES": str(self.notes),
            "PLANTED_API_KEY": KEY,
            "RESULTS_DIR": str(self.folder / "results"),
        }

    def call(self, name: str, *args: str | Path) -> str:
        """Run a command of the environment in the folder."""
        command = self.inspect.python.parent / name
        return self.inspect.call(command, *args, cwd=self.folder, **self.environment).stdout

    def log(self) -> Path:
        """The log that the evaluation wrote."""
        (file,) = (self.folder / "logs").glob("*.eval")
        return file

    @property
    def results_dir(self) -> Path:
        """The folder of the runs of evaluations."""
        return self.folder / "results" / "inspect"

    def run_id(self) -> str:
        """The id of the only run."""
        (found,) = [each.name for each in self.results_dir.iterdir() if each.is_dir()]
        return found

    def status(self) -> Any:
        """What ``status`` says of the run."""
        where = ("--results-dir", self.results_dir)
        return json.loads(self.call("my-bench-runner", "status", self.run_id(), *where, "--json"))


def copy_with(inspect: Release, template: Path, folder: Path) -> Copy:
    """Make a copy with the agent of these tests, and install it."""
    project = folder / "my-bench"
    answers = {"runtime_source": "index"}  # it is there already
    copier.run_copy(str(template), project, data=answers, defaults=True, vcs_ref="HEAD", quiet=True)
    (project / "runner/benchmark.py").write_text(AGENT)
    (project / "runner/grader.py").write_text(GRADER)
    tasks = [{"id": kind, "question": f"Who is {kind}?", "answer": REFERENCE} for kind in KINDS]
    tasks[KINDS.index("slow")] |= {"timeout": 0.5}
    (project / "data/validation.json").write_text(json.dumps(tasks))
    inspect.install("--editable", ROOT / "runtime", "--editable", project)
    return Copy(project, inspect, folder)


@pytest.fixture(scope="module")
def evaluate(
    template_repo: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Release], Copy]:
    """Make a copy beside a release, once, and evaluate it with two epochs."""

    made: dict[str, Copy] = {}

    def evaluate(inspect: Release) -> Copy:
        if inspect.age not in made:
            copy = copy_with(inspect, template_repo, tmp_path_factory.mktemp("task"))
            settings = ("--model", "none/some-model", "--temperature", "0.5", "-T", "word=spoken")
            copy.call("inspect", "eval", TASK, "--epochs", "2", "--retry-on-error", "1", *settings)
            made[inspect.age] = copy
        return made[inspect.age]

    return evaluate


@pytest.fixture
def evaluated(evaluate: Callable[[Release], Copy], inspect: Release) -> Copy:
    """The copy beside each of the releases."""
    return evaluate(inspect)


@pytest.fixture
def found(evaluated: Copy) -> Any:
    """The log, as Inspect reads it."""
    return read(evaluated, evaluated.log())


@pytest.fixture
def newer(evaluate: Callable[[Release], Copy], newest: Release) -> Copy:
    """The copy beside the newest release."""
    return evaluate(newest)


def read(made: Copy, log: Path) -> Any:
    """Return what the release reads from a log."""
    (only,) = made.inspect.read("log", log)
    return only


def sample(found: Any, kind: str, epoch: int = 1) -> Any:
    """Return a sample of the log."""
    (only,) = [each for each in found["samples"] if (each["id"], each["epoch"]) == (kind, epoch)]
    return only


def metrics_of(made: Copy, log: Path) -> Any:
    """Return the metrics of a log."""
    (only,) = read(made, log)["results"][1]["scores"]
    return only["metrics"]


def score(found: Any, kind: str) -> Any:
    """Return the score of a sample."""
    return sample(found, kind)["scores"]["evaluation"]


class TestEval:
    def test_each_outcome_is_where_it_belongs(self, found: Any) -> None:
        """Scores, errors and limits of generations are those of the samples."""
        values = {
            each["id"]: each["scores"]["evaluation"]["value"]
            for each in found["samples"]
            if each["scores"]
        }
        assert math.isnan(values.pop("unfair"))
        assert values == {
            "right": 1, "mended": 1, "traced": 1, "slow": 0, "chatty": 0, "leaking": 0, "told": 0,
        }  # fmt: skip
        assert sample(found, "broken")["error"] == "ValueError: no luck with ***"
        assert sample(found, "slow")["limit"] == ["time", 0.5]
        assert sample(found, "chatty")["limit"] == ["turn", 3]
        assert [each["error"] for each in found["samples"] if each["id"] != "broken"] == [None] * 16

    def test_ungraded_is_unscored(self, found: Any) -> None:
        """An evaluation that failed is a score without a value, with the reason."""
        assert score(found, "unfair")["reason"] == "grader_failed"
        assert "no judge is there" in score(found, "unfair")["explanation"]

    def test_settings_reach_the_agent(self, found: Any) -> None:
        """The model, its settings, the epoch, the time limit and options reach generate()."""
        for epoch in (1, 2):
            told = sample(found, "told", epoch)["completion"]
            assert told == f"some-model 0.5 {epoch} True spoken"

    def test_trajectory_is_the_transcript(self, found: Any) -> None:
        """A trajectory becomes the messages and the events of the sample."""
        traced = sample(found, "traced")
        assert traced["roles"] == ["user", "assistant", "tool", "assistant"]
        assert (traced["events"]["model"], traced["events"]["tool"]) == (2, 1)
        assert traced["events"]["span_begin"] == traced["events"]["span_end"]
        assert traced["completion"] == "right"

    def test_usage_and_cost(self, found: Any) -> None:
        """Tokens and cost of a generation are the usage of the sample."""
        (usage,) = sample(found, "right")["usage"].values()
        assert (usage["input_tokens"], usage["output_tokens"]) == (10, 7)
        assert (usage["input_tokens_cache_read"], usage["total_cost"]) == (3, 0.01)

    def test_no_key_and_no_reference_in_the_log(self, newer: Copy) -> None:
        """Neither a key nor a reference answer is anywhere in the log."""
        dump = newer.call("inspect", "log", "dump", newer.log())
        assert "Who is right?" in dump
        assert KEY not in dump
        assert REFERENCE not in dump

    def test_evaluation_is_a_run(self, evaluated: Copy, found: Any) -> None:
        """The evaluation is a run with repeats, with the same mean and standard error."""
        metrics = found["results"][1]["scores"][0]["metrics"]
        status = evaluated.status()
        assert status["counts"]["total"] == 9 * 2
        assert metrics["mean"]["value"] == pytest.approx(status["mean"], abs=CLOSE)
        assert metrics["stderr"]["value"] == pytest.approx(status["stderr"], abs=CLOSE)

    def test_started_and_stopped_once(self, evaluated: Copy) -> None:
        """start() and stop() are called once, and a retry is another attempt."""
        notes = evaluated.notes.read_text().splitlines()
        assert (notes[0], notes[-1]) == ("start", "stop")
        assert notes.count("start") == notes.count("stop") == 1
        assert {"mended 1 1", "mended 1 2", "broken 2 2"} <= {*notes}


class TestScore:
    def test_log_is_scored_again(self, newer: Copy) -> None:
        """The scorer of the copy gives the same scores again."""
        file = newer.folder / "again.eval"
        named = ("--scorer", "my_bench_runner/evaluation", "--action", "overwrite")
        newer.call("inspect", "score", newer.log(), *named, "--output-file", file)
        before = metrics_of(newer, newer.log())
        assert metrics_of(newer, file) == before

    def test_export_is_scored_again(self, newer: Copy) -> None:
        """The scorer is found by the name that an export has for it."""
        export, file = newer.folder / "export.eval", newer.folder / "scored.eval"
        where = ("--results-dir", newer.results_dir, "--output", export)
        newer.call("my-bench-runner", "export", newer.run_id(), *where)
        newer.call("inspect", "score", export, "--action", "overwrite", "--output-file", file)
        again = metrics_of(newer, file)
        before = metrics_of(newer, newer.log())
        for name in ("mean", "stderr"):
            assert again[name]["value"] == pytest.approx(before[name]["value"], abs=CLOSE)


class TestEnds:
    def test_wrong_option_is_named(self, newer: Copy) -> None:
        """An unknown option ends the command with a message, and nothing is generated."""
        with pytest.raises(AssertionError, match="unknown option") as ended:
            newer.call("inspect", "eval", TASK, "-T", "wurd=x", "--log-dir", "other")
        assert "Traceback" not in str(ended.value).partition("unknown option")[0]

    def test_interrupted_one_stops(self, newer: Copy, tmp_path: Path) -> None:
        """Ctrl-C ends the command within its bound, calls stop(), and keeps what was finished."""
        inspect, made = newer.inspect, replace(newer, folder=tmp_path)
        tasks = [{"id": "right", "question": "?", "answer": ""}, {"id": "slow", "question": "?"}]
        (tmp_path / "two.json").write_text(json.dumps(tasks))
        command = (inspect.python.parent / "inspect", "eval", TASK, "-T", "dataset_file=two.json")
        environment = own_environment(tmp_path) | made.environment
        with subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL
        ) as process:
            await_line(made.notes, "slow 1 1")
            await_file(made.results_dir, "right/eval.json")
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
        assert made.notes.read_text().splitlines()[-1] == "stop"
        status = made.status()
        assert (status["counts"]["scored"], status["complete"]) == (1, False)


def await_line(file: Path, line: str) -> None:
    """Wait until a file has a line."""
    await_(lambda: file.exists() and line in file.read_text().splitlines(), f"{line} in {file}")


def await_file(folder: Path, name: str) -> None:
    """Wait until there is such a file."""
    await_(lambda: folder.exists() and any(folder.glob(f"*/{name}")), name)


def await_(holds: Any, what: str) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, f"still not there: {what}"
        time.sleep(0.05)
