"""A run that is open for a command, and the freezing of its settings and tasks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from benchmark_runner._run.identity import TaskChanges
from benchmark_runner._run.plan import Reason
from benchmark_runner.checkpoint import load_run_config, save_run_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pydantic import JsonValue

    from benchmark_runner._run.task_source import TaskSource
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.llm import LLMConfig


@dataclass(frozen=True, slots=True)
class Session:
    """A run that is open for a command.

    Attributes:
        runner: The author's runner, with the frozen tasks registered.
        artifacts: The files of the run.
        config: The run's settings and tasks, without their hashes; not on disk yet if it is new.
        task_hashes: Returns the ids and hashes of the tasks whose content is known.
        llm_config: The run's settings for ``generate()``, with the key of this command.
        source: The source of its tasks.
        chosen: The ids of the tasks that the command is for, in the run's order.
        resumed: True if the run existed before.
        redo: The reasons to generate tasks again although their generation is usable.
        changes: The accepted changes of its tasks.
        facts: The facts of this command for the run's history.
    """

    runner: BenchmarkRunner
    artifacts: RunArtifacts
    config: RunConfig
    task_hashes: Callable[[], Iterable[tuple[str, str]]]
    llm_config: LLMConfig
    source: TaskSource
    chosen: Sequence[str]
    resumed: bool
    redo: Mapping[str, Reason] = field(default_factory=dict[str, Reason])
    changes: TaskChanges = field(default_factory=TaskChanges)
    facts: Mapping[str, JsonValue] = field(default_factory=dict[str, "JsonValue"])

    @property
    def is_part(self) -> bool:
        """True if the command is for some of the run's tasks only."""
        return len(self.chosen) < len(self.config.tasks)

    def freeze(self, command: str, facts: Mapping[str, JsonValue]) -> RunConfig:
        """Write ``run_config.json``, with this command in its history.

        Args:
            command: The name of the command.
            facts: More facts for the history.

        Returns:
            What was written, without the hashes of the tasks.
        """
        config, hashes = self.config, self.task_hashes()
        if self.source.kind != "problem":
            return self._write(config, hashes, command, facts)
        with self.artifacts.config_locked():
            # Another process may have added its --problem to the same run meanwhile.
            if now := load_run_config(self.artifacts):
                mine = dict(hashes)
                added = [task_id for task_id in mine if task_id not in now.task_hashes]
                config = now.model_copy(update={"tasks": [*now.tasks, *added]})
                hashes = (now.task_hashes | mine).items()
            return self._write(config, hashes, command, facts)

    def is_frozen(self) -> bool:
        """Return True if ``run_config.json`` is up to date."""
        on_disk = load_run_config(self.artifacts)
        return (
            on_disk is not None
            and on_disk.without_hashes() == self.config
            and all(on_disk.task_hashes.get(task_id) == now for task_id, now in self.task_hashes())
        )

    def _write(
        self,
        config: RunConfig,
        hashes: Iterable[tuple[str, str]],
        command: str,
        facts: Mapping[str, JsonValue],
    ) -> RunConfig:
        accepted = asdict(self.changes) if self.changes else {}
        config = config.invoked(command, {**self.facts, **facts}, accepted=accepted)
        save_run_config(self.artifacts, config, hashes)
        return config.without_hashes()
