"""What the commands that look do alike: find the runs, open one, name the commands that follow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._redaction import Redactor, without_user_info
from benchmark_runner._run.benchmark import ServiceSettings, open_benchmark
from benchmark_runner._run.options import public_texts
from benchmark_runner.checkpoint import field_words
from benchmark_runner.cli.console import mask_with
from benchmark_runner.cli.flags import known_secrets, where_arguments
from benchmark_runner.cli.options import (
    DEFAULT_EVAL_PARALLELISM,
    DEFAULT_EVAL_TIMEOUT,
    DEFAULT_SERVICE_ATTEMPTS,
    DEFAULT_SERVICE_RETRY_TIME,
)
from benchmark_runner.cli.shell import command_line, short_path
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.errors import UsageError
from benchmark_runner.llm import LLMConfig
from benchmark_runner.results.grouping import load_task_fields
from benchmark_runner.results.run_view import open_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from benchmark_runner._run.benchmark import Benchmark
    from benchmark_runner._run.cli_defaults import CliSettings
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.results.grouping import TaskFields
    from benchmark_runner.results.run_view import RunView


@dataclass(frozen=True, slots=True)
class Looking:
    """A benchmark whose runs are looked at.

    Attributes:
        benchmark: The author's benchmark.
        runner: The author's runner, which says what a grade counts.
        results_dir: Where runs are kept.
        redactor: Masks in all that is printed what is secret.
    """

    benchmark: Benchmark
    runner: BenchmarkRunner
    results_dir: Path
    redactor: Redactor

    def open(self, run_id: str) -> RunView:
        """Open a run.

        Raises:
            UsageError: there is no such run; the hint says what there is.
            ArtifactError: its config can't be read.
        """
        try:
            view = open_view(self.results_dir, run_id, self.runner, self.redactor)
        except UsageError as error:
            error.hint = f"{error.hint or ''} List the runs: {self.command_line('runs')}".lstrip()
            raise
        config = view.config
        self.redactor.spare(public_texts(config, config.task_hashes.items(), view.artifacts))
        return view

    def command_line(self, command: str, *ids: str) -> str:
        """A command that looks; it works in a fresh shell."""
        where = where_arguments(self.benchmark, self.results_dir, "")
        return self._typed([command, *where, *_positional(ids)])

    def resume_command(self, view: RunView, *more: str) -> str:
        """The command that goes on with a run, as ``run`` prints it when it ends.

        Only ``run --problem`` can generate for a run of such tasks, and that needs the file: of
        those it is the command that has the generations graded.

        Args:
            view: The run.
            more: Flags that change what is done.
        """
        if view.config.task_source == "problem":
            return self.evaluate_command(view)
        in_order = _defaults_of_run(self.benchmark.settings)
        return self._typed([*self._on("run", view), *view.resume_arguments(in_order), *more])

    def evaluate_command(self, view: RunView) -> str:
        """The command that has the generations of a run graded."""
        flags = view.resume_arguments(_GRADING_DEFAULTS)
        return self._typed([*self._on("evaluate", view), *flags])

    def reproduce_command(self, view: RunView) -> str | None:
        """The command that does the same in a new run, whose id is made up then.

        Secrets that were given are not in it. ``None`` for tasks of ``--problem``: nobody has
        noted their files.

        Args:
            view: The run.
        """
        config, settings = view.config, self.benchmark.settings
        match config.task_source:
            case "problem":
                return None
            case "service":
                source = ["--dataset-name", config.dataset_name or ""]
            case "file":
                file = config.dataset_file
                source = ["--dataset-file", short_path(Path(file))] if file else []
        limit = ["--limit", str(config.limit)] if config.limit else []
        options = [f"{name}={value}" for name, value in config.options.items()]
        given = [part for option in options for part in ("--option", option)]
        where = where_arguments(self.benchmark, self.results_dir, self._service_url(view))
        more = view.resume_arguments(_defaults_of_run(settings))
        command = ["run", "--model", config.model, *source, *limit]
        return self._typed([*command, *_sampling_flags(config.sampling), *given, *where, *more])

    def task_fields(self, view: RunView, names: Sequence[str]) -> TaskFields:
        """Load fields of a run's tasks, as a resume loads the tasks.

        Raises:
            BenchmarkRunnerError: they can't be had; see :func:`load_task_fields`.
        """
        service = ServiceSettings(
            url=self._service_url(view),
            eval_parallelism=1,
            eval_timeout=DEFAULT_EVAL_TIMEOUT,
            retry=RetryPolicy(attempts=3),
            allow_insecure_http=bool(view.config.operational.get("allow_insecure_http")),
        )

        async def load() -> TaskFields:
            try:
                connect = partial(service.connect, self.benchmark)
                return await load_task_fields(view, names, connect)
            finally:
                await view.runner.aclose()

        return asyncio.run(load())

    def _service_url(self, view: RunView) -> str:
        """The run's service, with the password of the environment's URL if that is the same."""
        here = self.benchmark.service_url(None)
        noted = view.config.service_url
        return here if noted is None or without_user_info(here) == noted else noted

    def _on(self, command: str, view: RunView) -> list[str]:
        where = where_arguments(self.benchmark, self.results_dir, self._service_url(view))
        return [command, "--run-id", view.run_id, *where]

    def _typed(self, arguments: Sequence[str]) -> str:
        script = f"{self.benchmark.runner_class.NAME}-runner"
        return command_line(arguments, script, self.benchmark.project.root)


#: Flags of ``evaluate`` that a resume repeats, by the names under which they are noted.
_GRADING_DEFAULTS: dict[str, JsonValue] = {
    "no_durable": False,
    "eval_parallelism": DEFAULT_EVAL_PARALLELISM,
    "eval_timeout": DEFAULT_EVAL_TIMEOUT,
    "service_attempts": DEFAULT_SERVICE_ATTEMPTS,
    "service_retry_time": DEFAULT_SERVICE_RETRY_TIME,
    "allow_insecure_http": False,
}
#: Those of ``run``, in the order in which it prints them itself.
_FLAGS_OF_RUN = (
    "skip_eval",
    "parallelism",
    "timeout",
    "max_cost",
    "max_errors",
    *_GRADING_DEFAULTS,
)


#: Sampling settings that have a flag of their own name.
_SAMPLING_FLAGS = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "reasoning_effort",
    "custom_endpoint",
)


def _sampling_flags(sampling: Mapping[str, JsonValue]) -> list[str]:
    flags: list[str] = []
    for name in _SAMPLING_FLAGS:
        if (value := sampling.get(name)) is not None:
            flags += [f"--{name.replace('_', '-')}", str(value)]
    flags += ["--chat-completions"] if sampling.get("native") is False else []
    streams_not = sampling.get("provider_config") == {"stream_completions": False}
    return [*flags, "--disable-streaming"] if streams_not else flags


def _defaults_of_run(settings: CliSettings) -> dict[str, JsonValue]:
    """The flags of ``run`` that are repeated, in its order, each with what needs no flag."""
    defaults = _GRADING_DEFAULTS | {
        "skip_eval": False,
        "parallelism": settings.default_parallelism,
        "timeout": settings.default_timeout,
        "max_cost": None,
        "max_errors": None,
    }
    return {name: defaults[name] for name in _FLAGS_OF_RUN}


def look(settings: CliSettings, results_dir: Path | None) -> Looking:
    """Open the benchmark whose runs are to be looked at.

    Args:
        settings: What ``make_cli()`` was told.
        results_dir: Where runs are kept, if that was given.

    Raises:
        RunnerDefinitionError: the author's runner can't be used as it is written.
    """
    benchmark = open_benchmark(settings)
    url = benchmark.service_url(None)
    redactor = Redactor(known_secrets(LLMConfig(), url), reserved=field_words)
    mask_with(redactor)
    runner = benchmark.runner(url, DEFAULT_EVAL_PARALLELISM)
    return Looking(benchmark, runner, benchmark.results_dir(results_dir), redactor)


def _positional(ids: Sequence[str]) -> list[str]:
    # After "--" an id may start with a hyphen.
    return ["--", *ids] if any(name.startswith("-") for name in ids) else [*ids]
