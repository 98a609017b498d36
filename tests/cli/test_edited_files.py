"""Files of a run that another program has written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


def test_byte_order_mark_costs_nothing(project: RunnerProject) -> None:
    """Files that an editor saved with a byte order mark are read, and nothing is done again."""
    assert project.run("run", "--run-id", "r1").code == 0
    run = project.results / "r1"
    for file in (run / "run_config.json", run / "final_score.json", run / "t1" / "eval.json"):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0, ended.err
    assert len(project.calls) == 3
    assert not list(run.rglob("*.corrupt-*"))


def test_half_a_pair_of_others_costs_nothing(project: RunnerProject) -> None:
    """An escaped half of a surrogate pair, as Python writes it, is read, and nothing is redone."""
    assert project.run("run", "--run-id", "r1", "--skip-eval").code == 0
    file = project.results / "r1" / "t1" / "generation.json"
    file.write_bytes(file.read_bytes().replace(b'"one"', rb'"one \ud83d"'))
    assert project.run("run", "--run-id", "r1").code == 0
    assert len(project.calls) == 3
    assert project.read("r1", "t1", "eval.json")["status"] == "evaluated"


def test_damaged_config_alone_does_not_stop_it(project: RunnerProject) -> None:
    """A damaged run_config.json of a run without generations is set aside, and the run starts."""
    folder = project.results / "r1"
    folder.mkdir(parents=True)
    (folder / "run_config.json").write_text("{")
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0, ended.err
    assert (folder / "run_config.json.corrupt-1").read_text() == "{"
