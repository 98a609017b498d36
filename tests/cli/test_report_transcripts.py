"""``report``: the transcripts of the tasks, beside the page or in it."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.results.report.agents import put, step, trajectory, usual
from tests.unit.results.report.pages import Parsed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject


@pytest.fixture
def agents(project: RunnerProject) -> RunnerProject:
    """A project with a run of two tasks with trajectories, and one without."""
    names = ("t1", "t2", "silent")
    project.write_tasks([{"id": name, "question": "say yes", "answer": "yes"} for name in names])
    project.run("run", "--run-id", "r1")
    for name in names[:2]:
        put(project.results / "r1" / name / "agent_logs", usual())
    return project


def content_of(file: Path) -> list[dict[str, Any]]:
    """The sections of a transcript."""
    data = next(each.text for each in Parsed(file.read_bytes()).all("script") if each.attributes)
    return json.loads(gzip.decompress(b64decode(data)))


def test_folder_is_beside_the_page(agents: RunnerProject) -> None:
    """The transcripts are in a folder beside the page, whose path is printed."""
    ended = agents.run("report", "r1")

    assert ended.out == (
        "Report  results/r1/report.html\nTranscripts  results/r1/report_transcripts\n"
    )
    folder = agents.results / "r1" / "report_transcripts"
    assert sorted(path.name for path in folder.iterdir()) == ["t1.html", "t2.html"]
    assert len(content_of(folder / "t1.html")[0]["steps"]) == 6


def test_two_versions_are_shown_once(agents: RunnerProject) -> None:
    """A trajectory that stands under both names in a folder has one section."""
    put(agents.results / "r1" / "t1" / "agent_logs", usual(), "trajectory_atif.json")

    agents.run("report", "r1")

    assert len(content_of(agents.results / "r1" / "report_transcripts" / "t1.html")) == 1


def test_output_takes_its_folder_along(agents: RunnerProject) -> None:
    """With --output the folder is beside the page there, and links lead into it."""
    (agents.root / "there").mkdir()

    ended = agents.run("report", "r1", "--output", "there/my.html")

    assert "Transcripts  there/my_transcripts\n" in ended.out
    page = Parsed((agents.root / "there" / "my.html").read_bytes())
    found = page.table.details[0]["transcript"]["file"]
    assert found == "./my_transcripts/t1.html"
    assert not (agents.results / "r1" / "report_transcripts").exists()


def test_single_file_holds_them(agents: RunnerProject) -> None:
    """--single-file puts them into the page, and removes the folder of an earlier report."""
    agents.run("report", "r1")

    ended = agents.run("report", "r1", "--single-file", "--json")

    assert ended.json["transcripts"] == {"count": 2, "folder": None, "left_out": []}
    assert not (agents.results / "r1" / "report_transcripts").exists()
    page = Parsed((agents.results / "r1" / "report.html").read_bytes())
    ids = [each.attributes.get("id") for each in page.all("script")]
    assert [each for each in ids if each and each.startswith("transcript-")] == [
        "transcript-0", "transcript-1",
    ]  # fmt: skip


def test_what_does_not_fit_is_named(agents: RunnerProject) -> None:
    """A page that is limited says which transcripts it lacks, and so does the command."""
    ended = agents.run("report", "r1", "--single-file", "--max-size", "0.01")

    note = "2 transcripts left out, as the size of the page is limited to 0.01 MB: t1, t2"
    assert ended.out.splitlines()[1] == note
    assert note in Parsed((agents.results / "r1" / "report.html").read_bytes()).words


def test_size_is_that_of_a_single_file(agents: RunnerProject) -> None:
    """--max-size without --single-file is refused."""
    ended = agents.run("report", "r1", "--max-size", "10")

    assert ended.code == 2
    assert "--max-size needs --single-file" in ended.err


def test_json_has_the_folder(agents: RunnerProject) -> None:
    """The JSON has the number of transcripts and their folder."""
    found = agents.run("report", "r1", "--json").json["transcripts"]

    assert found["count"] == 2
    assert found["folder"].endswith("results/r1/report_transcripts")


def test_run_without_trajectories_has_no_folder(project: RunnerProject) -> None:
    """A run without trajectories has no folder, and the report of several runs has none."""
    project.run("run", "--run-id", "a")
    project.run("run", "--run-id", "b")

    assert project.run("report", "a").out == "Report  results/a/report.html\n"
    assert project.run("report", "a", "b", "--json").json["transcripts"] is None
    assert list(project.results.glob("**/*_transcripts")) == []


def test_report_again_replaces_the_files(agents: RunnerProject) -> None:
    """A report that is made again has the new transcripts, and none of what is gone."""
    agents.run("report", "r1")
    put(agents.results / "r1" / "t1" / "agent_logs", trajectory(step(1, message="New.")))
    (agents.results / "r1" / "t2" / "agent_logs" / "trajectory.json").unlink()

    agents.run("report", "r1")

    folder = agents.results / "r1" / "report_transcripts"
    assert [path.name for path in folder.iterdir()] == ["t1.html"]
    assert content_of(folder / "t1.html")[0]["steps"][0]["parts"][0]["text"] == ["New."]


def test_folder_of_a_task_is_refused(agents: RunnerProject) -> None:
    """A page whose transcripts would be in the folder of a task is refused."""
    agents.write_tasks([{"id": "my_transcripts", "question": "say yes", "answer": "yes"}])
    agents.run("run", "--run-id", "r2")

    ended = agents.run("report", "r2", "--output", agents.results / "r2" / "my.html")

    assert ended.code == 2
    assert "a task has the name of the folder of the transcripts: my_transcripts" in ended.err


def test_secrets_are_masked(agents: RunnerProject) -> None:
    """Secrets are masked in the transcripts, before they are compressed."""
    secret = "sk-do-not-tell-anybody-42"
    turn = step(1, message=f"The key is {secret}.", reasoning_content=f"{secret}\x1b[0m")
    put(agents.results / "r1" / "t1" / "agent_logs", trajectory(turn))

    agents.run("report", "r1", OPENAI_API_KEY=secret)

    found = json.dumps(content_of(agents.results / "r1" / "report_transcripts" / "t1.html"))
    assert "The key is ***." in found
    assert "anybody" not in found


def test_run_stays_as_it_is(agents: RunnerProject) -> None:
    """A resume of a run with transcripts has nothing to do."""
    agents.run("report", "r1")
    calls = len(agents.calls)

    assert agents.run("run", "--run-id", "r1").code == 0
    assert len(agents.calls) == calls
    assert agents.run("runs", "--json").json["runs"][0]["run_id"] == "r1"
