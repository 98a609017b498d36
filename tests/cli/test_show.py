"""``show``: one task with all its texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.cli.outcomes import run_to_all_ends

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


def facts(text: str) -> dict[str, str]:
    """The indented lines at the top, by their labels."""
    top, _, _ = text.partition("\n\n")
    return {line[2:10].strip(): line[11:].strip() for line in top.splitlines()[1:]}


class TestInWords:
    def test_texts_and_files_are_shown(self, project: RunnerProject) -> None:
        """Question, answer and result are shown with the files."""
        run_to_all_ends(project)

        ended = project.run("show", "r1", "right")

        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith("Task right of run r1: scored, counts 1\n")
        assert "\n\nQuestion\nsay yes\n" in ended.out
        assert "\n\nAnswer\nyes\n" in ended.out
        grade = '{\n  "pass_percentage": 1.0,\n  "reason": "as told"\n}'
        assert f"\n\nResult\n{grade}\n" in ended.out
        assert "\n  results/r1/right/generation.json\n" in ended.out
        assert facts(ended.out)["model"] == "sample-model"
        assert facts(ended.out)["evals"].startswith("by local (legacy API, version ")

    def test_tokens_costs_turns_and_times(self, project: RunnerProject) -> None:
        """Tokens, costs, turns and times are shown."""
        project.change_agent(
            (
                "return GenerationResult(answer=rest)",
                "return GenerationResult(answer=rest, cost=0.5, total_turns=7, usage=USAGE)",
            ),
            ("ROOT =", 'USAGE = {"input": 1000, "cache_read": 10}\nROOT ='),
        )
        project.run("run", "--run-id", "r1", "t1")
        project.run("run", "--run-id", "r1", "t1", "--rerun", "t1")

        shown = facts(project.run("show", "r1", "t1").out)

        assert shown["turns"] == "7"
        assert shown["tokens"] == "1,000 in, 10 read from the cache"
        assert shown["cost"] == "$0.50, $0.50 of earlier attempts"
        assert shown["took"].endswith("s evaluating")
        assert shown["started"].endswith(" UTC")

    def test_failure_is_shown_with_attempts(self, project: RunnerProject) -> None:
        """A failure is shown with its reason and the earlier attempts."""
        run_to_all_ends(project)

        ended = project.run("show", "r1", "broken")

        assert ended.out.startswith("Task broken of run r1: failed in generation\n")
        assert "\n\nError in generation\nValueError: no luck with broken\n" in ended.out
        (attempt,) = [line for line in ended.out.splitlines() if line.startswith("  attempt 1")]
        said = r"  attempt 1 error after [\d.]+ m?s: ValueError: no luck with broken"
        assert re.fullmatch(said, attempt)
        assert "\n\nAnswer: empty\n" in ended.out
        assert "\n\nResult: none\n" in ended.out
        assert "  results/r1/broken/agent_logs/traceback.log" in ended.out.splitlines()
        assert "  results/r1/broken/attempts/1/generation.json" in ended.out.splitlines()

    def test_evaluation_failure_is_distinct(self, project: RunnerProject) -> None:
        """A failed evaluation is shown as such."""
        run_to_all_ends(project)

        ended = project.run("show", "r1", "unfair")

        assert "failed in grading" in ended.out.splitlines()[0]
        assert "\nError in evaluation\n" in ended.out
        assert "no such rubric" in ended.out

    def test_missing_generation_is_shown(self, project: RunnerProject) -> None:
        """A task without a generation has nothing to show."""
        run_to_all_ends(project)

        ended = project.run("show", "r1", "missing")

        assert ended.code == 0
        assert ended.out.splitlines()[0] == "Task missing of run r1: not generated yet"
        assert "\nQuestion: none\n" in ended.out

    def test_long_texts_are_shown_completely(self, project: RunnerProject) -> None:
        """Long texts are shown completely."""
        long = "\n".join(f"line {number} {'x' * 200}" for number in range(2000))
        project.write_tasks([{"id": "t1", "question": f"say {long}", "answer": ""}])
        project.run("run", "--run-id", "r1")

        ended = project.run("show", "r1", "t1")

        assert f"\nAnswer\n{long}\n" in ended.out

    def test_closed_pipe_ends_it_quietly(self, project: RunnerProject) -> None:
        """A reader that closes the pipe ends the command quietly."""
        long = "x" * 1_000_000
        project.write_tasks([{"id": "t1", "question": f"say {long}", "answer": ""}])
        project.run("run", "--run-id", "r1")

        for command in ("show r1 t1", "export r1", "show r1 t1 --json"):
            ended = project.shell(f"sample-runner {command} | head -c 10 > /dev/null")
            assert (ended.code, ended.err) == (0, ""), command

    def test_many_files_are_cut(self, project: RunnerProject) -> None:
        """Of many files the first are listed; the JSON has all."""
        project.run("run", "--run-id", "r1", "t1")
        logs = project.results / "r1" / "t1" / "agent_logs"
        for number in range(30):
            (logs / f"{number:02}.log").touch()

        lines = project.run("show", "r1", "t1").out.splitlines()

        assert lines[-1] == "  … and 12 more in results/r1/t1"
        assert len(project.run("show", "r1", "t1", "--json").json["files"]) == 32

    def test_deep_folders_are_looked_through(self, project: RunnerProject) -> None:
        """Folders within folders of an agent are looked through, however many there are."""
        project.run("run", "--run-id", "r1", "t1")
        made = [project.results / "r1" / "t1" / "agent_logs"]
        try:
            for _ in range(1100):
                made.append(made[-1] / "d")
                made[-1].mkdir()
            assert project.run("show", "r1", "t1").code == 0
        finally:  # what removes the folder of a test calls itself for each
            for folder in reversed(made[1:]):
                folder.rmdir()


class TestAsJson:
    def test_json_has_everything(self, project: RunnerProject) -> None:
        """The JSON has everything."""
        run_to_all_ends(project)

        right = project.run("show", "r1", "right", "--json").json
        broken = project.run("show", "r1", "broken", "--json").json

        assert (right["command"], right["run_id"], right["task_id"]) == ("show", "r1", "right")
        assert (right["state"], right["score"]) == ("scored", 1)
        assert (right["question"], right["answer"]) == ("say yes", "yes")
        assert right["grade"] == {"pass_percentage": 1.0, "reason": "as told"}
        assert right["earlier_attempts"] == []
        assert str(project.results / "r1" / "right" / "eval.json") in right["files"]
        assert (broken["state"], broken["grade"]) == ("failed in generation", None)
        assert (broken["attempts"], broken["phase"]) == (2, "generate")
        (earlier,) = broken["earlier_attempts"]
        assert (earlier["attempt"], earlier["status"]) == (1, "error")
        assert earlier["error"] == "ValueError: no luck with broken"


class TestErrors:
    def test_unknown_task_suggests_similar_ones(self, project: RunnerProject) -> None:
        """An unknown task is refused with similar names."""
        run_to_all_ends(project)

        ended = project.run("show", "r1", "brokn")

        assert ended.code == 2
        assert ended.err.startswith("UsageError: run 'r1' has no task 'brokn'\n")
        assert "Did you mean broken or broken-2" in ended.err
        assert "List all: bin/sample-runner export r1" in ended.err

    def test_suggested_command_works(self, project: RunnerProject) -> None:
        """The command that the hint names works for any run id."""
        project.run("run", "--run-id", "-x")

        ended = project.run("show", "--", "-x", "t9")

        _, _, command = ended.err.strip().partition("List all: bin/")
        assert project.shell(command).out.startswith("run_id,task_id,")
