"""A run whose folder, or whose lock, is removed while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

#: At its fifth call, the agent removes something, while another one is at work.
REMOVES = """\
        if len((ROOT / "calls.txt").read_text().split()) == 5 and not (ROOT / "healed").exists():
            import shutil

            def remove(folder):  # at once, as others write into it
                folder.rename(ROOT / "removed")
                shutil.rmtree(ROOT / "removed")

            run = ROOT / "results" / "r1"
            {removes}
        match word:
"""
TASKS = [{"id": f"t{n}", "question": f"say {n}", "answer": f"{n}"} for n in range(30)]
RUN = ("run", "--run-id", "r1", "--parallelism", "2")


def make_agent(project: RunnerProject, removes: str) -> None:
    project.write_tasks(TASKS)
    project.change_agent(("        match word:\n", REMOVES.format(removes=removes)))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "removes",
    [
        "remove(run)",
        "remove(run.parent)",
        "run.rename(run.with_name('elsewhere'))",
        "remove(run); run.mkdir(exist_ok=True); (run / '.lock').touch()",
        "(run / '.lock').unlink()",
        "(run / '.lock').unlink(); (run / '.lock').touch()",
    ],
    ids=["folder", "results", "moved", "replaced", "lock", "other lock"],
)
@pytest.mark.parametrize("flags", [(), ("--skip-eval",)], ids=["", "skip-eval"])
def test_run_stops_and_can_be_resumed(
    project: RunnerProject, removes: str, flags: tuple[str, ...]
) -> None:
    """The run stops at once, and its resume command works: nothing that is kept is redone."""
    make_agent(project, removes)
    ended = project.run(*RUN, *flags)
    assert ended.code == 1
    assert "RunLockedError: " in ended.err
    assert "was removed or replaced" in ended.err
    assert len(project.calls) <= 8
    kept = {file.parent.name for file in project.results.glob("r1/*/generation.json")}
    assert kept
    project.heal()
    before = len(project.calls)
    resumed = project.shell(ended.resume_command)
    assert resumed.code == 0, resumed.err
    assert not kept & {*project.calls[before:]}
    if not flags:
        assert project.read("r1", "final_score.json")["final_score"] == 1.0


def test_answer_of_a_problem_is_kept(project: RunnerProject) -> None:
    """With --problem, the only answer is kept although the lock was removed."""
    (project.root / "question.txt").write_text("say 1")
    unlink = "(ROOT / 'results' / 'r1' / '.lock').unlink(missing_ok=True)"
    project.change_agent(
        ("        match word:\n", f"        {unlink}\n        match word:\n"),
    )
    ended = project.run("run", "--run-id", "r1", "--problem", "question.txt", "t0", "--skip-eval")
    assert ended.code == 0
    assert project.read("r1", "t0", "generation.json")["data"] == "1"


@pytest.mark.parametrize("harm", ["unlink()", "write_text('{')"])
def test_config_is_written_again(project: RunnerProject, harm: str) -> None:
    """Settings of a run that are removed or damaged while it runs are there at its end."""
    make_agent(project, f"(run / 'run_config.json').{harm}")
    assert project.run(*RUN).code == 0
    assert project.read("r1", "run_config.json")["tasks"] == [task["id"] for task in TASKS]


def test_last_tasks_leave_a_resumable_run(project: RunnerProject) -> None:
    """A folder that is removed during the last tasks leaves a run that can be resumed."""
    make_agent(project, "remove(run)")
    project.write_tasks(TASKS[:5])
    ended = project.run("run", "--run-id", "r1", "--parallelism", "1")
    assert ended.code == 1
    project.heal()
    resumed = project.shell(ended.resume_command)
    assert resumed.code == 0, resumed.err
    assert project.calls.count("t4") == 1
