"""The figures that a newer service says beside the score, in the commands that show a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.results.test_service_figures import WHOLE

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


def score_with(scripted: ScriptedService, metadata: object) -> None:
    answer = {"tasks_evaluated": ["t1", "t2", "t3"], "final_score": 1.0, "metadata": metadata}
    scripted.answers["/final-score/"] = (200, answer)
    scripted.answers["/evaluate-response/"] = (
        200,
        {"pass_percentage": 1.0, "pass_percentage_with_weight": 0.625},
    )


def test_figures_are_shown(project: RunnerProject, scripted: ScriptedService) -> None:
    """The status, the task and the report show the figures."""
    score_with(scripted, {"vals_format.v1": WHOLE, "mean_weighted_pass_percentage": 0.75})
    assert project.run("run", "--run-id", "r1", "--service-url", scripted.url).code == 0
    status = project.run("status", "r1").out
    assert "Weighted 0.75, the service's weighted mean\n" in status
    assert "  overall  accuracy 0.25\n  math     accuracy 0.5 ± 0.12, f1 1\n" in status
    assert "Category math 2, code 1\n" in status
    facts = project.run("status", "r1", "--json").json["service_figures"]
    assert facts["categories"] == {"math": 2, "code": 1}
    assert "  weighted 0.625\n" in project.run("show", "r1", "t1").out
    assert project.run("show", "r1", "t1", "--json").json["weighted_score"] == 0.625
    page = project.root / "report.html"
    assert project.run("report", "r1", "--output", page).code == 0
    text = page.read_text()
    assert "accuracy 0.5 ± 0.12, f1 1" in text
    assert "weighted mean is 0.75" in text


def test_hostile_figures_break_nothing(project: RunnerProject, scripted: ScriptedService) -> None:
    """Metadata of any kind leaves the commands as they are, and is shown as text."""
    name = "<script>alert(1)</script>\x1b[31m"
    said = {"results": {name: {"scores": {name: {"value": 0.5}}}}, "tasks": [{"category": name}]}
    score_with(scripted, {"vals_format.v1": said, "mean_weighted_pass_percentage": [1]})
    assert project.run("run", "--run-id", "r1", "--service-url", scripted.url).code == 0
    status = project.run("status", "r1")
    assert status.code == 0
    assert "\x1b" not in status.out
    page = project.root / "report.html"
    assert project.run("report", "r1", "--output", page).code == 0
    assert "<script>alert(1)" not in page.read_text()
