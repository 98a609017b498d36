"""The request of a person: the flags of the commands that change a run, each declared once.

Those about the service are in :mod:`benchmark_runner._run.service_settings`. ``--help`` reads
both modules, and so they import nothing heavy.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._part import Part
from benchmark_runner._run.flags import (
    ALL_COMMANDS,
    WITH_EVALUATION,
    WITH_TASKS,
    Command,
    flag,
    flags_of,
    switch,
)

if TYPE_CHECKING:
    from benchmark_runner._versions import Code
    from benchmark_runner.llm import LLMConfig

_MODEL = "Model settings"
_model_flag = partial(flag, part=Part.IDENTITY, panel=_MODEL)
_model_switch = partial(switch, part=Part.IDENTITY, panel=_MODEL)
_resuming_switch = partial(switch, part=Part.INVOCATION, panel="Resuming")
_limit = partial(flag, part=Part.OPERATIONAL, panel="Limits")
_question = partial(flag, part=Part.INVOCATION, panel="Question")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The request of a person, with the defaults of what was omitted.

    The fields that are no flags are filled in by the command: its name, and what the author's
    project says.

    Attributes:
        command: The command.
        default_model: The model where neither the request nor an earlier start names one.
        default_file: The dataset file where nothing else says.
        code: The runner's code now, if it is known.
    """

    command: Command = "run"
    default_model: str | None = None
    default_file: Path | None = None
    code: "Code | None" = None

    task_ids: list[str] = flag(
        "TASK_IDS", "TASK_IDS", "Run only these tasks.", Part.INVOCATION, default=list
    )
    answers: Path | None = flag(
        "FILE",
        "FILE",
        "File with the answers, one JSON object a line.",
        Part.INVOCATION,
        commands=("import",),
        required_help="File with the answers, one JSON object a line.",
    )
    model: str | None = flag(
        "--model",
        "M",
        "Model that generates.",
        Part.IDENTITY,
        commands=WITH_TASKS,
        setting="default_model",
        required_help="Model whose answers they are.",
    )
    run_id: str | None = flag(
        "--run-id",
        "R",
        "Name of the run; resumes it if it exists. Generated if omitted.",
        Part.RECORD,
        commands=ALL_COMMANDS,
        required_help="Name of the run.",
    )
    dataset_file: Path | None = flag(
        "--dataset-file",
        "F",
        "Read the tasks from this file.",
        Part.IDENTITY,
        commands=ALL_COMMANDS,
    )
    dataset_name: str | None = flag(
        "--dataset-name",
        "N",
        "Use this dataset of the benchmark service.",
        Part.IDENTITY,
        commands=WITH_TASKS,
    )
    dataset_version: str | None = flag(
        "--dataset-version",
        "SELECTOR",
        "Use this version of the service's dataset, such as 1.2; the run stays on it.",
        Part.IDENTITY,
        commands=WITH_TASKS,
        default_text="the service's default, where it keeps versions",
    )
    problem: Path | None = flag(
        "--problem",
        "PATH",
        "File with the question, or with the task as a JSON object, of the one TASK_ID.",
        Part.IDENTITY,
    )
    task_file: Path | None = flag(
        "--task-file", "F", "File with the ids of the tasks to run, one per line.", Part.INVOCATION
    )
    limit: int | None = flag(
        "--limit",
        "N",
        "Use only the first N tasks of the dataset.",
        Part.IDENTITY,
        commands=WITH_TASKS,
        minimum=1,
    )
    regrade: bool = switch(
        "--regrade",
        "Also repeat the evaluations that exist.",
        Part.INVOCATION,
        commands=("evaluate",),
    )
    force: bool = switch(
        "--force",
        "Score again, and score an incomplete run: missing tasks count as 0.",
        Part.INVOCATION,
        commands=("score",),
    )
    repeats: int | None = flag(
        "--repeats",
        "K",
        "Generate each task K times; a higher number later adds to those that exist.",
        Part.RECORD,
        minimum=1,
        default_text="1, or as the run has",
    )
    until_score: float | None = _question(
        "--until-score",
        "T",
        "Stop once it is settled whether the score of all tasks is at least T, from 0 to 1.",
    )
    until_decided_against: str | None = _question(
        "--until-decided-against",
        "RUN",
        "Stop once it is settled whether the score is better or worse than that of a finished run.",
    )
    alpha: float | None = _question(
        "--alpha",
        "P",
        "Probability that what is settled contradicts the scores of all tasks.",
        default_text="0.05",
    )
    skip_eval: bool = switch("--skip-eval", "Generate only; evaluate nothing.", Part.OPERATIONAL)
    parallelism: int = flag(
        "--parallelism",
        "N",
        "Maximum number of generations at a time.",
        Part.OPERATIONAL,
        default=1,
        minimum=1,
        setting="default_parallelism",
    )
    timeout: float | None = flag(
        "--timeout",
        "SECONDS",
        "Time limit of a generation whose task sets none; 0 means no limit.",
        Part.OPERATIONAL,
        setting="default_timeout",
    )
    options: list[str] = flag(
        "--option",
        "KEY=VALUE",
        "Option of this benchmark; may be repeated.",
        Part.IDENTITY,
        commands=WITH_TASKS,
        default=list,
        secret=True,
    )
    results_dir: Path | None = flag(
        "--results-dir",
        "D",
        "Folder of the runs.",
        Part.INVOCATION,
        commands=ALL_COMMANDS,
        env="RESULTS_DIR",
        default_text="the project's results/",
    )
    dry_run: bool = switch(
        "--dry-run", "Show what the command would do, and why, without doing it.", Part.INVOCATION
    )
    from_run: str | None = flag(
        "--from",
        "R",
        "With --dry-run: forecast cost and time from what the generations of this run took.",
        Part.INVOCATION,
    )
    rerun: list[str] = flag(
        "--rerun",
        "TASK",
        "Also regenerate this task, with all its repeats; earlier attempts are kept.",
        Part.INVOCATION,
        default=list,
        panel="Resuming",
    )
    repeat: int | None = flag(
        "--repeat",
        "N",
        "Of the tasks of --rerun, regenerate only this repeat.",
        Part.INVOCATION,
        minimum=1,
        panel="Resuming",
    )
    retry_timeouts: bool = _resuming_switch(
        "--retry-timeouts", "Regenerate the tasks that ran out of time or turns."
    )
    accept_changed_tasks: bool = _resuming_switch(
        "--accept-changed-tasks",
        "Resume although tasks were changed, added or removed; redo only those.",
    )
    accept_code_change: bool = _resuming_switch(
        "--accept-code-change", "Resume with another generation version or commit of this runner."
    )
    max_cost: float | None = _limit(
        "--max-cost", "USD", "Start no new task once the run has cost this much.", minimum=0
    )
    max_errors: int | None = _limit(
        "--max-errors", "N", "Start no new task after this many generation errors.", minimum=1
    )
    no_durable: bool = switch(
        "--no-durable",
        "Do not flush each result to disk: faster, but a power failure may lose some.",
        Part.OPERATIONAL,
        commands=("run", "evaluate", "import"),
    )
    quiet: bool = switch("--quiet", "Show no progress.", Part.INVOCATION, commands=WITH_EVALUATION)
    json: bool = switch(
        "--json", "Print one JSON object instead of text.", Part.INVOCATION, commands=ALL_COMMANDS
    )
    max_tokens: int | None = _model_flag(
        "--max-tokens",
        "N",
        "Maximum number of tokens that the model may generate per call.",
        minimum=1,
    )
    temperature: float | None = _model_flag("--temperature", "F", "Sampling temperature.")
    top_p: float | None = _model_flag(
        "--top-p", "F", "Sample from the most likely tokens whose probabilities add up to F."
    )
    top_k: int | None = _model_flag("--top-k", "N", "Sample from the N most likely tokens.")
    reasoning_effort: str | None = _model_flag(
        "--reasoning-effort", "S", "Reasoning effort, such as low, medium or high."
    )
    custom_endpoint: str | None = _model_flag(
        "--custom-endpoint", "URL", "URL of the model's API.", env="CUSTOM_ENDPOINT", secret=True
    )
    custom_api_key: str | None = flag(
        "--custom-api-key",
        "KEY",
        "Key for the model's API; safer in the environment.",
        Part.INVOCATION,
        env="CUSTOM_API_KEY",
        panel=_MODEL,
        secret=True,
    )
    chat_completions: bool = _model_switch(
        "--chat-completions", "Use the OpenAI-compatible chat completions API."
    )
    disable_streaming: bool = _model_switch(
        "--disable-streaming", "Do not stream; needs --chat-completions."
    )

    @property
    def asks(self) -> bool:
        """True if the run is to stop once its question is settled."""
        return self.until_score is not None or self.until_decided_against is not None

    @property
    def llm_config(self) -> "LLMConfig":
        """The sampling and endpoint settings, as ``generate()`` gets them."""
        from benchmark_runner.llm import build_llm_config

        flags = flags_of("run", RunRequest)
        names = [declared.name for declared, found in flags if found.panel == _MODEL]
        return build_llm_config(**{name: getattr(self, name) for name in names})
