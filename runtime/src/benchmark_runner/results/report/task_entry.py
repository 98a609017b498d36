"""The entries of tasks in the table of a run's page."""

from dataclasses import dataclass, replace
from pathlib import Path

from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results import phrases
from benchmark_runner.results.report.run_figures import Grouping
from benchmark_runner.results.report.task_table import Column, Detail, Entry, Link, link_to
from benchmark_runner.results.report.task_transcript import TaskTranscripts
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.service_figures import weighted_score
from benchmark_runner.results.task_repeats import Outcome, TaskRepeats
from benchmark_runner.results.task_row import TaskRow

__all__ = ["TaskEntries"]

_SUMMED = ("generation_seconds", "cost", "input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class TaskEntries:
    """The entries of a run's tasks, whose links start at the page ``file``."""

    view: RunView
    grouping: Grouping | None
    file: Path
    transcripts: TaskTranscripts

    @property
    def columns(self) -> list[Column]:
        """The columns of the table."""
        by = self.grouping.by if self.grouping else None
        has_repeats = self.view.config.repeats > 1
        outcome = Column("Repeats", "strip") if has_repeats else Column("State", "state")
        return [
            replace(outcome, filtered=True),
            Column("Score", "score"),
            *([Column("Spread", "spread", wide=True)] if has_repeats else []),
            *([Column(by, "text", filtered=True, wide=True)] if by else []),
            Column("Time", "seconds", wide=True),
            Column("Cost", "dollars", wide=True),
            Column("Tokens in", "count", wide=True),
            Column("Tokens out", "count", wide=True),
        ]

    def of(self, task: TaskRepeats, files: list[TaskFiles]) -> Entry:
        """Return the entry of a task, with the files of its repeats."""
        question = next((text for each in files if (text := _question(each))), None)
        errors = dict.fromkeys(row.error for row in task.rows if row.error)
        group = self._group_of(task.task_id)
        has_repeats = self.view.config.repeats > 1
        outcome = [task.strip] if has_repeats else [task.rows[0].state]
        spread = [task.spread] if has_repeats else []
        totals = [task.total(column) for column in _SUMMED]
        details = [*map(self._detail, task.rows, task.outcomes, files)]
        opened = details[0]
        if has_repeats:
            texts = {} if question is None else {"Question": question}
            opened = Detail(facts=_facts_of_task(task), texts=texts)
        return Entry(
            task_id=task.task_id,
            preview=question or "",
            error="\n".join(errors),
            cells=[*outcome, task.score, *spread, *group.values(), *totals],
            facts={**opened.facts, **group},
            texts=opened.texts,
            links=opened.links,
            whole=opened.whole or f"{task.task_id}/",
            transcript=opened.transcript,
            repeats=details if has_repeats else (),
        )

    def _group_of(self, task_id: str) -> dict[str, str]:
        grouping = self.grouping
        return {grouping.by: grouping.group_of.get(task_id, "")} if grouping else {}

    def _detail(self, row: TaskRow, outcome: Outcome, files: TaskFiles) -> Detail:
        has_repeats = self.view.config.repeats > 1
        folder = self.view.artifacts.of_repeat(row.repeat).task_dir(row.task_id)
        generation = files.generation
        texts = {
            "Error": row.error,
            "Question": None if has_repeats else _question(files),
            "Answer": generation.data if generation else None,
            "Result": phrases.pretty_json(files.result_text),
        }
        return Detail(
            title=f"Repeat {row.repeat}: {outcome.text}",
            facts=_facts(row, files),
            texts={name: text for name, text in texts.items() if text is not None},
            links=self._links(folder, files),
            whole=f"{folder.relative_to(self.view.artifacts.run_dir).as_posix()}/",
            transcript=self.transcripts.of(files.key),
        )

    def _links(self, folder: Path, files: TaskFiles) -> list[Link]:
        folders = {"Logs": folder / "agent_logs", "Files": folder}
        links = [link_to(name, path, self.file) for name, path in folders.items() if path.is_dir()]
        if (artifact := files.artifact_path) is not None:
            links.insert(0, link_to("Artifact", artifact, self.file, end=""))
        return links


def _question(files: TaskFiles) -> str | None:
    return files.generation.question if files.generation else None


def _facts_of_task(task: TaskRepeats) -> dict[str, str]:
    seconds, cost = task.total("generation_seconds"), task.total("cost")
    return {
        "Repeats": task.outcomes_text,
        "Counts": phrases.task_score_text(task),
        "Took": "" if seconds is None else f"{phrases.duration(seconds)} generating, in all",
        "Cost": "" if cost is None else f"{phrases.amount(cost, '$')} in all",
    }


def _facts(row: TaskRow, files: TaskFiles) -> dict[str, str]:
    weighted = weighted_score(files.evaluation)
    seconds = {"generating": row.generation_seconds, "evaluating": row.grading_seconds}
    took = (f"{phrases.duration(n)} {what}" for what, n in seconds.items() if n is not None)
    return {
        "Counts": "" if row.score is None else phrases.number(row.score),
        "Weighted": "" if weighted is None else phrases.number(weighted),
        "Artifact": phrases.artifact_text(files.artifact),
        "SHA-256": "" if files.artifact is None else files.artifact.sha256,
        "Took": ", ".join(took),
        "Tokens": phrases.token_text(phrases.tokens_of(row)),
        "Cost": phrases.cost_text(row),
        "Turns": "" if row.total_turns is None else f"{row.total_turns:,}",
        "Attempts": f"{row.attempts:,}" if row.attempts > 1 else "",
        "Started": phrases.moment_text(row.started_at) if row.started_at else "",
        "Ended": phrases.moment_text(row.ended_at) if row.ended_at else "",
        "Evaluated by": str(row.graded_by) if row.graded_by else "",
        "Failure": phrases.failure_text(row.kind, row.retryable),
        "What to do": row.hint or "",
        "Result on disk": "that of another generation, which counts for nothing"
        if row.stale_eval
        else "",
        "Can't be read": "one of its files" if row.unreadable else "",
    }
