"""Runs against a service that misbehaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject
    from tests.cli.misbehaving.service import MisbehavingService

KEY = "s3cret-key"
OTHERS = ("t2", "t3")
MIB = 1024**2
GRADE = b'{"pass_percentage": 1.0}'


def run(project: RunnerProject, service: MisbehavingService, *flags: str) -> Ended:
    """Run with two tries a grade, and show that the key is in nothing that remains."""
    few = ["--service-attempts", "2", "--service-retry-time", "20", "--eval-timeout", "20"]
    where = ["--run-id", "r1", "--service-url", service.url]
    ended = project.run("run", *where, *few, *flags, VALS_AUTH_KEY=KEY)
    assert all(asked.headers["x-descope-api-key"] == KEY for asked in service.asked)
    assert KEY not in ended.out + ended.err
    for name in project.files():
        assert KEY.encode() not in (project.results / name).read_bytes(), name
    return ended


def has_eval(project: RunnerProject, task_id: str) -> bool:
    return (project.results / "r1" / task_id / "eval.json").exists()


def has_score(project: RunnerProject) -> bool:
    return (project.results / "r1" / "final_score.json").exists()


def assert_only_t1_failed(
    project: RunnerProject, service: MisbehavingService, ended: Ended, reason: str, asked: int
) -> None:
    """The one eval is an error that tells why; the run has no score."""
    assert ended.code == 1, ended.out
    assert "Evaluation failed for 1 task: t1\n" in ended.out
    assert reason in ended.out
    assert "No score yet: 1 failed" in ended.out
    failed = project.read("r1", "t1", "eval.json")
    assert (failed["status"], failed["result"]) == ("error", None)
    assert reason in failed["error"]
    for other in OTHERS:
        assert project.read("r1", other, "eval.json")["status"] == "evaluated"
        assert len(service.asked_for(other)) == 1
    assert len(service.asked_for("t1")) == asked
    assert not {"/final-score/", "/v1/score"} & {*service.paths()}
    assert not has_score(project)


def assert_resumes(project: RunnerProject, service: MisbehavingService) -> None:
    """A well service grades what is owed and no more, and nothing is generated again."""
    service.heal()
    graded = {task_id for task_id in OTHERS if has_eval(project, task_id)}
    before = len(service.asked)
    ended = run(project, service)
    assert ended.code == 0, ended.out + ended.err
    assert "Score    1 " in ended.out
    assert has_score(project)
    for task_id in ("t1", *OTHERS):
        assert project.read("r1", task_id, "eval.json")["status"] == "evaluated"
    asked_now = [asked.task_id for asked in service.asked[before:] if asked.task_id]
    assert sorted(asked_now) == sorted({"t1", *OTHERS} - graded)
    assert sorted(project.calls) == ["t1", "t2", "t3"]
