"""The runs that are broken: what is there before, and what is asked for then."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.cli.conftest import RunnerProject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Arguments = tuple[str, ...]

# The first word of a question says what the agent does with the rest.
AGENT = """\
import os
from pathlib import Path

from benchmark_runner import BenchmarkRunner, GenerationResult

ROOT = Path(__file__).parents[1]


class SampleRunner(BenchmarkRunner):
    NAME = "sample"
    GENERATION_VERSION_ENV = "SAMPLE_GENERATION_VERSION"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        calls = os.open(ROOT / "calls.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(calls, f"{task.id}\\n".encode())
        os.close(calls)
        word, _, rest = task.question.partition(" ")
        if word == "stumble" and not (ROOT / "healed").exists():
            raise ValueError(rest)
        status = "max_turns" if word == "wander" else "success"
        return GenerationResult(status=status, answer=rest)
"""

# Each file is another one, so that none passes for that of another attempt.
AGENT_OF_FILES = (
    AGENT.replace("import os\n", "import os\nimport uuid\n")
    .replace(
        '    NAME = "sample"\n',
        '    NAME = "sample"\n    PAYLOAD_TYPE = "artifact"\n    EVALUATION_API = "v1"\n',
    )
    .replace(
        "        return GenerationResult(status=status, answer=rest)\n",
        """\
        content = f"{rest}\\n{uuid.uuid4()}\\n".encode()
        if word == "wander":
            return GenerationResult(status=status, artifact=content, filename="fix.patch")
        (ROOT / "fix.patch").write_bytes(content)
        return GenerationResult(status=status, artifact=ROOT / "fix.patch")
""",
    )
)


def with_repeats(agent: str) -> str:
    """The agent notes the folder of the repeat, and the service gets each as a run of its own."""
    has_api = "EVALUATION_API" in agent
    return (
        agent.replace("import BenchmarkRunner,", "import BenchmarkRunner, current_generation,")
        .replace(
            '    NAME = "sample"\n', '    NAME = "sample"\n    EVALUATION_API = "v1"\n', not has_api
        )
        .replace(
            'f"{task.id}\\n"',
            'f"{task.id}{PLACES.get(current_generation().repeat, str())}\\n"',
        )
        .replace(
            "class Sample",
            """PLACES = {2: "/repeats/2"}


class Sample""",
        )
    )


# Each call leaves a trajectory of one dollar.
AGENT_OF_COSTS = AGENT.replace(
    "        word, _, rest",
    """\
        from benchmark_runner.trajectory import Metrics, record

        with record(log_dir) as trajectory:
            trajectory.agent("thinking", metrics=Metrics(cost_usd=1))
        word, _, rest""",
)
AGENT_OF_REPEATS = with_repeats(AGENT)
# It draws the same seed each time, and answers once the task before it is evaluated: the steps up
# to the verdict are then the same in each run.
AGENT_OF_A_QUESTION = (
    AGENT.replace("import os\n", "import asyncio\nimport os\nimport secrets\n")
    .replace(
        "class Sample",
        """secrets.randbits = lambda bits: 7


def is_evaluated():
    made = (ROOT / "results" / "r1").rglob("generation.json")
    return all(path.with_name("eval.json").exists() for path in made)


class Sample""",
    )
    .replace(
        "        word, _, rest",
        """\
        async with asyncio.timeout(10):
            while not is_evaluated():
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # until the engine has counted it
        word, _, rest""",
    )
)

TASKS = (
    {"id": "right", "question": "say yes", "answer": "yes"},
    {"id": "wrong", "question": "say no", "answer": "yes"},
    {"id": "endless", "question": "wander about", "answer": "yes"},
    {"id": "shaky", "question": "stumble yes", "answer": "yes"},
)
MANY_TASKS = tuple({"id": f"t{n}", "question": f"say {n % 3}", "answer": "1"} for n in range(16))


class CrashProject(RunnerProject):
    """A runner project whose agent leaves a trace of each call that a kill can't take back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.write_agent(AGENT)

    @property
    def healed(self) -> Path:
        """While this file is there, the agent does not stumble."""
        return self.root / "healed"

    def write_answers(self, tasks: Iterable[Mapping[str, str]], *, of_files: bool) -> None:
        """Write a file of answers for import, and the files that it names."""
        step = {"step_id": 1, "source": "agent", "message": "here", "metrics": {"cost_usd": 1}}
        agent = {"name": "other", "version": "1"}
        trajectory = {"schema_version": "ATIF-v1.8", "agent": agent, "steps": [step]}
        (self.root / "trajectory.json").write_text(json.dumps(trajectory))
        lines: list[str] = []
        for task in tasks:
            word, _, rest = task["question"].partition(" ")
            line = {"task_id": task["id"], "trajectory": "trajectory.json"}
            line["status"] = "max_turns" if word == "wander" else "success"
            if of_files:
                line["artifact"] = f"{task['id']}.patch"
                (self.root / line["artifact"]).write_text(rest)
            lines.append(json.dumps({**line, "answer": rest}))
        (self.root / "answers.jsonl").write_text("\n".join(lines))

    def forget_calls(self) -> None:
        (self.root / "calls.txt").unlink(missing_ok=True)


@dataclass(frozen=True)
class Scenario:
    """One run.

    Attributes:
        name: What it is about.
        before: Earlier commands on the run: what each is given besides the usual flags.
        stumbles: Whether the agent stumbles during these; afterwards it never does.
        gone: A file that somebody has deleted since.
        command: The command that gets broken.
        arguments: What it is given besides the usual flags.
        resumed_by: The next command.
        resumed_with: Likewise, what it is given.
        corrected: References that are corrected before it, without another version.
        tasks: The dataset.
        parallelism: The most generations, and the most gradings, at a time.
        agent: The module of the runner.
    """

    name: str
    before: tuple[Arguments, ...] = ()
    stumbles: bool = False
    gone: str | None = None
    command: str = "run"
    arguments: Arguments = ()
    resumed_by: str = "run"
    resumed_with: Arguments = ()
    corrected: dict[str, str] = field(default_factory=dict)
    tasks: tuple[dict[str, str], ...] = TASKS
    parallelism: int = 1
    agent: str = AGENT

    def __str__(self) -> str:
        return self.name


SCENARIOS = [
    Scenario("fresh run"),
    Scenario("two failed attempts", before=(("right", "shaky"), ("shaky",)), stumbles=True),
    Scenario("scored run without a generation", before=((),), gone="r1/right/generation.json"),
    Scenario("rerun", before=((),), arguments=("--rerun", "right")),
]
# The attempt that is left is as one that was killed in the middle.
OF_COSTS = [
    Scenario("costs", tasks=TASKS[:2], agent=AGENT_OF_COSTS),
    Scenario(
        "costs of a killed attempt",
        before=((),),
        gone="r1/right/generation.json",
        tasks=TASKS[:2],
        agent=AGENT_OF_COSTS,
    ),
]
_TWICE = ("--repeats", "2")
OF_FILES = [
    Scenario("fresh run of files", agent=AGENT_OF_FILES),
    Scenario("rerun of files", before=((),), arguments=("--rerun", "right"), agent=AGENT_OF_FILES),
    Scenario(
        "repeats of files",
        arguments=_TWICE,
        resumed_with=_TWICE,
        tasks=TASKS[:1],
        agent=with_repeats(AGENT_OF_FILES),
    ),
]
OF_REPEATS = [
    Scenario(
        "fresh run of repeats",
        arguments=_TWICE,
        resumed_with=_TWICE,
        tasks=TASKS[:2],
        agent=AGENT_OF_REPEATS,
    ),
    Scenario(
        "raised repeats",
        before=((),),
        arguments=_TWICE,
        resumed_with=_TWICE,
        tasks=TASKS[:2],
        agent=AGENT_OF_REPEATS,
    ),
    Scenario(
        "rerun of a repeat",
        before=(_TWICE,),
        arguments=("--rerun", "right", "--repeat", "2"),
        tasks=TASKS[:2],
        agent=AGENT_OF_REPEATS,
    ),
]
# Each grade becomes another one.
REGRADE = Scenario(
    "regrade",
    before=((),),
    command="evaluate",
    arguments=("--regrade",),
    corrected={"right": "no", "wrong": "no", "shaky": "no"},
)
_ANSWERS = ("answers.jsonl", "--model", "m")
OF_IMPORTS = [
    Scenario(
        name,
        command="import",
        arguments=_ANSWERS,
        resumed_by="import",
        resumed_with=_ANSWERS,
        tasks=TASKS[1:3],
        agent=agent,
    )
    for name, agent in (("import", AGENT), ("import of files", AGENT_OF_FILES))
]
REGRADE_OF_REPEATS = Scenario(
    "regrade of repeats",
    before=(_TWICE,),
    command="evaluate",
    arguments=("--regrade",),
    corrected={"right": "no", "wrong": "no"},
    tasks=TASKS[:2],
    agent=AGENT_OF_REPEATS,
)
PARALLEL = Scenario("eight at a time", tasks=MANY_TASKS, parallelism=8)
_ASKED = ("--until-score", "0.3")
_MANY_RIGHT = tuple({"id": f"t{n}", "question": "say yes", "answer": "yes"} for n in range(16))
OF_A_QUESTION = [
    Scenario(
        "question",
        arguments=_ASKED,
        resumed_with=_ASKED,
        tasks=_MANY_RIGHT,
        agent=AGENT_OF_A_QUESTION,
    ),
    Scenario(
        "question about repeats",
        arguments=(*_ASKED, *_TWICE),
        resumed_with=(*_ASKED, *_TWICE),
        tasks=_MANY_RIGHT[:6],
        agent=with_repeats(AGENT_OF_A_QUESTION),
    ),
]
