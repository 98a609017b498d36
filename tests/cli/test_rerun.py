"""Generating again what has a generation: ``--rerun TASK`` and ``--retry-timeouts``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.files import contents

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService

RUN = ["run", "--run-id", "r1"]
# An agent that kills its process at t1, while the file is there.
DEADLY = """\
        if task.id == "t1" and (ROOT / "deadly").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        word, _, rest"""


@pytest.fixture
def finished(project: RunnerProject) -> RunnerProject:
    """A run of t3, t1 and t2."""
    project.change_agent(("        word, _, rest", DEADLY))
    assert project.run(*RUN).code == 0
    return project


def attempts(project: RunnerProject, task_id: str) -> int:
    return project.read("r1", task_id, "generation.json")["attempts"]


def graded(scripted: ScriptedService) -> list[str]:
    return [body["task_id"] for path, body in scripted.bodies if path == "/evaluate-response/"]


class TestRerun:
    def test_earlier_attempt_is_kept(self, finished: RunnerProject) -> None:
        """The task is redone, and the earlier attempt is kept completely."""
        folder = finished.results / "r1" / "t1"
        earlier = {name: (folder / name).read_bytes() for name in ("generation.json", "eval.json")}
        untouched = contents(finished.results / "r1" / "t3")
        ended = finished.run(*RUN, "--rerun", "t1")
        assert ended.code == 0, ended.err
        assert finished.calls[3:] == ["t1"]
        assert {name: (folder / "attempts" / "1" / name).read_bytes() for name in earlier} == (
            earlier
        )
        assert attempts(finished, "t1") == 2
        assert contents(finished.results / "r1" / "t3") == untouched

    def test_own_evaluation_and_score_are_redone(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """Only its own evaluation and the score are made again."""
        flags = ["--service-url", scripted.url]
        assert project.run(*RUN, *flags).code == 0
        scripted.answers["/final-score/"] = (
            200,
            {"tasks_evaluated": ["t1", "t2", "t3"], "final_score": 0.25},
        )
        assert project.run(*RUN, *flags, "--rerun", "t1").code == 0
        assert sorted(graded(scripted)) == ["t1", "t1", "t2", "t3"]
        assert project.read("r1", "final_score.json")["final_score"] == 0.25

    def test_each_rerun_is_another_attempt(self, finished: RunnerProject) -> None:
        """Each --rerun is another attempt."""
        for _ in range(2):
            assert finished.run(*RUN, "--rerun", "t1").code == 0
        assert finished.calls[3:] == ["t1", "t1"]
        assert attempts(finished, "t1") == 3
        kept = finished.results / "r1" / "t1" / "attempts"
        assert sorted(path.name for path in kept.iterdir()) == ["1", "2"]
        assert finished.read("r1", "t1", "attempts", "2", "generation.json")["attempts"] == 2

    def test_several_tasks_may_be_named(self, finished: RunnerProject) -> None:
        """Several tasks may be named, and one twice."""
        flags = ["--rerun", "t1", "--rerun", "t3", "--rerun", "t1"]
        assert finished.run(*RUN, *flags).code == 0
        assert sorted(finished.calls[3:]) == ["t1", "t3"]
        assert (attempts(finished, "t1"), attempts(finished, "t2")) == (2, 1)

    def test_skip_eval_removes_evaluation_and_score(self, finished: RunnerProject) -> None:
        """With --skip-eval the old evaluation and score are removed."""
        assert finished.run(*RUN, "--rerun", "t1", "--skip-eval").code == 0
        assert not (finished.results / "r1" / "t1" / "eval.json").exists()
        assert not (finished.results / "r1" / "final_score.json").exists()
        ended = finished.run(*RUN)
        assert "0 to generate, 1 to evaluate, 2 done before" in ended.out
        assert finished.calls[3:] == ["t1"]

    @pytest.mark.parametrize("named", [[], ["t1"]])
    def test_unknown_task_is_refused(self, finished: RunnerProject, named: list[str]) -> None:
        """An unknown task is refused, and nothing is done."""
        before = contents(finished.results)
        ended = finished.run(*RUN, "--rerun", "t1", "--rerun", "t9", *named)
        assert ended.code == 2
        assert "1 unknown task id: t9" in ended.err
        assert "t3, t1, t2" in ended.err
        assert contents(finished.results) == before
        assert len(finished.calls) == 3

    def test_chosen_and_rerun_tasks_are_run(self, project: RunnerProject) -> None:
        """With chosen tasks both are run and nothing else."""
        assert project.run(*RUN, "t1").code == 0
        assert project.run(*RUN, "--rerun", "t1", "t2").code == 0
        assert sorted(project.calls) == ["t1", "t1", "t2"]
        assert not (project.results / "r1" / "t3").exists()

    def test_rerun_alone_runs_the_rest_too(self, project: RunnerProject) -> None:
        """Alone it runs the rest of the run, too."""
        assert project.run(*RUN, "t1").code == 0
        assert project.run(*RUN, "--rerun", "t1").code == 0
        assert sorted(project.calls) == ["t1", "t1", "t2", "t3"]

    def test_missing_task_is_generated_once(self, project: RunnerProject) -> None:
        """A task without a generation is generated once."""
        assert project.run(*RUN, "--rerun", "t1").code == 0
        assert sorted(project.calls) == ["t1", "t2", "t3"]
        assert attempts(project, "t1") == 1

    def test_a_problem_is_redone_too(self, project: RunnerProject) -> None:
        """A problem is redone, too."""
        (project.root / "p.txt").write_text("say one")
        flags = ["--skip-eval", "--problem", "p.txt", "p1"]
        assert project.run(*RUN, *flags).code == 0
        ended = project.run(*RUN, "--rerun", "p1", *flags)
        assert ended.code == 0, ended.err
        assert project.calls == ["p1", "p1"]
        assert attempts(project, "p1") == 2
        assert "--rerun" not in ended.resume_command

    def test_other_problem_cannot_be_redone(self, project: RunnerProject) -> None:
        """With a problem no other task can be redone."""
        for task_id in ("p1", "p2"):
            (project.root / f"{task_id}.txt").write_text("say one")
            flags = ["--skip-eval", "--problem", f"{task_id}.txt", task_id]
            assert project.run(*RUN, *flags).code == 0
        ended = project.run(*RUN, "--rerun", "p1", *flags)
        assert ended.code == 2
        assert "1 unknown task id: p1" in ended.err
        assert project.calls == ["p1", "p2"]


class TestRetryTimeouts:
    @pytest.fixture
    def out_of_time(self, project: RunnerProject) -> RunnerProject:
        """A run with a task out of time, one out of turns, one that failed, and one solved."""
        project.write_tasks(
            [
                {"id": "slow", "question": "wait slow", "answer": "slow", "timeout": 0.1},
                {"id": "chatty", "question": "out-of-turns chatty", "answer": "chatty"},
                {"id": "good", "question": "say good", "answer": "good"},
            ]
        )
        assert project.run(*RUN).code == 0
        statuses = [
            project.read("r1", task_id, "generation.json")["status"]
            for task_id in ("slow", "chatty")
        ]
        assert statuses == ["max_time", "max_turns"]
        project.heal()
        return project

    def test_timeouts_are_done_without_the_flag(self, out_of_time: RunnerProject) -> None:
        """Without --retry-timeouts outcomes such as timeouts are done."""
        assert out_of_time.run(*RUN).code == 0
        assert len(out_of_time.calls) == 3

    def test_timeouts_are_redone_with_the_flag(self, out_of_time: RunnerProject) -> None:
        """With --retry-timeouts tasks without enough time or turns are redone."""
        assert out_of_time.read("r1", "final_score.json")["final_score"] == pytest.approx(1 / 3)
        ended = out_of_time.run(*RUN, "--retry-timeouts")
        assert ended.code == 0, ended.err
        assert sorted(out_of_time.calls[3:]) == ["chatty", "slow"]
        for task_id, status in (("slow", "max_time"), ("chatty", "max_turns")):
            assert attempts(out_of_time, task_id) == 2
            kept = out_of_time.read("r1", task_id, "attempts", "1", "generation.json")
            assert kept["status"] == status
            assert out_of_time.read("r1", task_id, "eval.json")["status"] == "evaluated"
        assert out_of_time.read("r1", "final_score.json")["final_score"] == 1.0
        assert "--retry-timeouts" not in ended.resume_command

    def test_only_chosen_timeouts_are_redone(self, out_of_time: RunnerProject) -> None:
        """Only the chosen tasks are redone."""
        assert out_of_time.run(*RUN, "--retry-timeouts", "slow").code == 0
        assert out_of_time.calls[3:] == ["slow"]
        assert out_of_time.read("r1", "chatty", "eval.json")["status"] == "did_not_complete"

    def test_repeated_timeout_is_done_again(self, out_of_time: RunnerProject) -> None:
        """A task that runs out of time again is done again."""
        (out_of_time.root / "healed").unlink()
        assert out_of_time.run(*RUN, "--retry-timeouts").code == 0
        assert attempts(out_of_time, "slow") == 2
        assert out_of_time.read("r1", "slow", "generation.json")["status"] == "max_time"


class TestInterrupted:
    def test_resume_after_a_kill_does_the_rest_once(self, finished: RunnerProject) -> None:
        """After a kill a plain resume does the rest exactly once."""
        (finished.root / "deadly").touch()
        flags = ["--rerun", "t1", "--rerun", "t2", "--rerun", "t3", "--parallelism", "1"]
        assert finished.execute(*RUN, *flags).code == -9
        assert finished.calls[3:] == ["t3", "t1"]
        (finished.root / "deadly").unlink()
        ended = finished.run(*RUN)
        assert ended.code == 0, ended.err
        assert sorted(finished.calls[5:]) == ["t1", "t2"]
        assert attempts(finished, "t3") == attempts(finished, "t2") == 2
        for task_id in ("t1", "t2", "t3"):
            kept = finished.results / "r1" / task_id / "attempts" / "1"
            assert {path.name for path in kept.iterdir()} == {
                "generation.json",
                "eval.json",
                "agent_logs",
            }
        assert finished.run(*RUN).code == 0
        assert len(finished.calls) == 7

    def test_failed_rerun_is_resumed_without_the_flag(self, finished: RunnerProject) -> None:
        """A rerun that failed is resumed without the flag."""
        finished.change_agent(
            ("os.kill(os.getpid(), signal.SIGKILL)", 'raise ValueError("no luck")')
        )
        (finished.root / "deadly").touch()
        ended = finished.run(*RUN, "--rerun", "t1", "--rerun", "t2")
        assert ended.code == 1
        (finished.root / "deadly").unlink()
        command = ended.resume_command
        assert "--rerun" not in command
        assert finished.shell(command).code == 0
        assert sorted(finished.calls[3:]) == ["t1", "t1", "t2"]
        assert attempts(finished, "t1") == 3
