"""The commands that are printed for a person to run next: resume, evaluate, reproduce.

They are made from the run's config, so that all commands print the same one, and they work in a
fresh shell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark_runner._part import Part
from benchmark_runner._redaction import without_user_info
from benchmark_runner._run.benchmark import Benchmark
from benchmark_runner._run.flags import Command, default_of, flags_of
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.cli.shell import command_line, short_path


@dataclass(frozen=True, slots=True)
class NextCommands:
    """The command lines on the runs of a benchmark."""

    benchmark: Benchmark
    results_dir: Path

    def inspect(self, command: str, *ids: str, flags: Sequence[str] = ()) -> str:
        """Return a command that only reads, such as ``show``."""
        return self._typed([command, *self._place_flags(""), *flags, *_positional(ids)])

    def on_run(self, command: str, run_id: str, service_url: str, *arguments: str) -> str:
        """Return a command on one run, with these arguments."""
        where = self._place_flags(service_url)
        return self._typed([command, "--run-id", run_id, *where, *arguments])

    def resume(
        self, config: RunConfig, *more: str, part: Sequence[str] = (), last: Command | None = None
    ) -> str:
        """Return the command that resumes a run.

        It is the command that evaluates if nothing can be generated: the answers were imported,
        or the tasks are those of ``run --problem``, which needs the file.

        Args:
            config: The run.
            more: More flags.
            part: The arguments that choose a part of its tasks.
            last: The command that ends, which the run's history may leave out.
        """
        if config.imported is not None or (config.task_source == "problem" and not part):
            return self.evaluate(config)
        repeated = self._repeated("run", config)
        if not skips_eval(config, last):
            repeated = [each for each in repeated if each != "--skip-eval"]
        url = self.service_url(config)
        return self.on_run("run", config.run_id, url, *repeated, *more, *part)

    def evaluate(self, config: RunConfig) -> str:
        """Return the command that evaluates the generations of a run."""
        repeated = self._repeated("evaluate", config)
        return self.on_run("evaluate", config.run_id, self.service_url(config), *repeated)

    def import_again(self, config: RunConfig) -> str | None:
        """Return the command that imports the answers; ``None`` if they are generated here."""
        if config.imported is None:
            return None
        file = short_path(Path(config.imported.file))
        given = ["--model", config.model, file]
        return self.on_run("import", config.run_id, self.service_url(config), *given)

    def reproduce(self, config: RunConfig, **changed: int | None) -> str | None:
        """Return the command that does the same in a new run, whose id is generated then.

        Secrets that were given are not in it. ``None`` for tasks of ``--problem``, whose files
        are not recorded, and for answers that were imported. ``changed`` are flags with another
        value, such as ``limit``.
        """
        source, sampling = config.task_source, config.sampling
        if source == "problem" or config.imported is not None:
            return None
        file = config.dataset_file
        given = {
            **sampling,
            "model": config.model,
            "dataset_file": short_path(Path(file)) if source == "file" and file else None,
            "dataset_name": config.dataset_name if source == "service" else None,
            "dataset_version": config.dataset_version if config.dataset_version_id else None,
            "limit": config.limit,
            "repeats": config.repeats if config.repeats > 1 else None,
            "chat_completions": sampling.get("native") is False,
            "disable_streaming": sampling.get("provider_config") == {"stream_completions": False},
            **changed,
        }
        flags = flags_of("run", RunRequest)
        arguments = [part for _, flag in flags for part in flag.typed(given.get(flag.key))]
        for name, value in config.options.items():
            arguments += ["--option", f"{name}={value}"]
        where = self._place_flags(self.service_url(config))
        return self._typed(["run", *arguments, *where, *self._repeated("run", config)])

    def service_url(self, config: RunConfig) -> str:
        """Return the URL of the run's service: that of the environment if it is the same."""
        here = self.benchmark.service_url(None)
        recorded = config.service_url
        return here if recorded is None or without_user_info(here) == recorded else recorded

    def _repeated(self, command: Command, config: RunConfig) -> list[str]:
        """Return the flags of the run's last invocation that are not frozen with the run."""
        arguments: list[str] = []
        service = ServiceSettings().for_api(self.benchmark.runner_class.EVALUATION_API)
        for declared, flag in flags_of(command, RunRequest, ServiceSettings):
            if flag.part is Part.OPERATIONAL:
                default = default_of(declared, flag, self.benchmark.settings)
                default = getattr(service, declared.name, default)
                value = config.operational.get(flag.key, default)
                arguments += flag.typed(value) if value != default else []
        return arguments

    def _place_flags(self, service_url: str) -> list[str]:
        """Return the flags that find run and service in a shell without this environment."""
        settings = self.benchmark.settings
        arguments: list[str] = []
        if self.results_dir != self.benchmark.project.results_path(settings.default_results_dir):
            arguments += ["--results-dir", short_path(self.results_dir)]
        if service_url and service_url != settings.default_service_url:
            arguments += ["--service-url", without_user_info(service_url)]
        return arguments

    def _typed(self, arguments: Sequence[str]) -> str:
        script = f"{self.benchmark.runner_class.NAME}-runner"
        return command_line(arguments, script, self.benchmark.project.root)


def skips_eval(config: RunConfig, last: str | None = None) -> bool:
    """Return True if the last command was ``run --skip-eval``; see :meth:`NextCommands.resume`."""
    last = last or (config.history[-1].command if config.history else "run")
    return last == "run" and config.operational.get("skip_eval") is True


def part_arguments(request: RunRequest) -> list[str]:
    """Return the arguments that choose the tasks again, as they were typed."""
    arguments = ["--problem", str(request.problem)] if request.problem else []
    arguments += ["--task-file", str(request.task_file)] if request.task_file else []
    return [*arguments, *_positional(request.task_ids)]


def _positional(ids: Sequence[str]) -> list[str]:
    # After "--" an id may start with a hyphen.
    return ["--", *ids] if any(name.startswith("-") for name in ids) else [*ids]
