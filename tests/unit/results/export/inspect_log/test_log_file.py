"""The file of a log: its members, their order, and what is in no byte of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._redaction import Redactor
from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner.results.export.inspect_log import log_file_name
from benchmark_runner.results.run_view import open_view
from tests.fakes import FakeRunner
from tests.unit.results.export.inspect_log.logs import Log
from tests.unit.results.export.outcomes import KEY, every_outcome
from tests.unit.results.report.runs import MadeRun

if TYPE_CHECKING:
    from pathlib import Path


class TestMembers:
    def test_they_are_in_the_order_of_inspect(self, tmp_path: Path) -> None:
        """The header comes last, and the samples in the run's order."""
        log = Log(every_outcome(tmp_path))

        assert log.names[0] == "_journal/start.json"
        assert log.names[-4:] == [
            "_journal/summaries/1.json", "summaries.json", "reductions.json", "header.json",
        ]  # fmt: skip
        assert log.names[1:-4] == [
            "samples/right_epoch_1.json",
            "samples/right_epoch_2.json",
            *(f"samples/{name}_epoch_1.json" for name in ("wrong", "slow", "chatty", "broken")),
            *(f"samples/{name}_epoch_1.json" for name in ("unfair", "ungraded", "odd id.json")),
        ]
        assert len(log.names) == len({*log.names})
        assert log.count == len(log.samples) == 9

    def test_header_begins_as_the_journal(self, tmp_path: Path) -> None:
        """The header repeats the beginning of the log, and has no samples."""
        log = Log(every_outcome(tmp_path))

        start, header = log["_journal/start"], log["header"]
        assert start.keys() == {"version", "eval", "plan"}
        assert {name: header[name] for name in start} == start
        assert header["version"] == 2
        assert header.keys() == {*start, "status", "results", "stats", "error"}

    def test_summaries_are_in_batches_and_whole(self, tmp_path: Path) -> None:
        """The journal has the summaries in batches, and one member has them all."""
        run = MadeRun(tmp_path)
        for number in range(201):
            run.graded(f"t{number}", 1.0)

        log = Log(run.save())

        journal = [log[f"_journal/summaries/{number}"] for number in (1, 2, 3)]
        assert [*map(len, journal)] == [100, 100, 1]
        assert log["summaries"] == [summary for batch in journal for summary in batch]
        assert [each["id"] for each in log["summaries"]] == run.tasks

    def test_run_without_results_is_a_log(self, tmp_path: Path) -> None:
        """A run of which nothing is generated is a log without samples."""
        run = MadeRun(tmp_path)
        run.missing("t1")

        log = Log(run.save())

        assert (log.count, log.samples, log["summaries"], log.reduced) == (0, [], [], {})
        assert log["header"]["status"] == "cancelled"
        assert log.metrics == {}

    def test_two_exports_are_the_same(self, tmp_path: Path) -> None:
        """Two exports of a run have the same bytes."""
        view = every_outcome(tmp_path)

        assert Log(view).content == Log(view).content

    @pytest.mark.parametrize("task_id", ["naïve ✓", "a%2Fb #?&", "7", "x" * 200, "..x", "C:"])
    def test_odd_ids_name_their_members(self, tmp_path: Path, task_id: str) -> None:
        """A member has the name of its task, whatever characters it has."""
        run = MadeRun(tmp_path)
        run.graded(task_id, 1.0)

        log = Log(run.save())

        assert log.sample(task_id)["id"] == task_id
        assert log.reduced == {task_id: 1.0}
        assert log["header"]["eval"]["dataset"]["sample_ids"] == [task_id]

    def test_half_a_surrogate_pair_is_written(self, tmp_path: Path) -> None:
        """An answer that UTF-8 can't hold is in the log, but for that character."""
        run = MadeRun(tmp_path)
        run.graded("t1", {"score": 1.0, "reason": "\ud83d ok"}, answer="\ud83d ok")

        score = Log(run.save()).sample("t1")["scores"]["evaluation"]

        assert score["answer"] == score["explanation"] == "\ufffd ok"


class TestName:
    def test_it_is_as_inspect_has_it(self, tmp_path: Path) -> None:
        """The name of the file has the time, the task and its id, without other separators."""
        view = every_outcome(tmp_path)

        name = log_file_name(view, MEAN)

        created, task, task_id = name.removesuffix(".eval").split("_")
        assert (created, task) == ("2026-05-04T03-02-01-00-00", "my-bench")
        assert task_id == Log(view)["header"]["eval"]["task_id"]
        assert log_file_name(view, Reduction.parse("max")) != name


class TestSecrets:
    def test_key_is_in_no_byte(self, tmp_path: Path) -> None:
        """A key is masked in texts, results and errors, also where a text is cut."""
        run = MadeRun(tmp_path)
        run.graded(
            "t1", {"score": 1.0, f"to {KEY}": [KEY]}, question=f"{'x' * 1015}{KEY}", answer=KEY
        )
        run.failed("t2", f"ValueError: {'y' * 1015}{KEY}", metadata={"a": KEY}, stop_reason=KEY)
        run.artifacts.write_log("t2", "traceback.log", "z" * 13_320 + KEY + "z" * 20_000)
        run.save()

        log = Log(open_view(tmp_path, "r1", FakeRunner(), Redactor([KEY])))

        whole = b"".join(log.members.values()).decode()
        assert KEY not in whole
        assert KEY[:12] not in whole
        assert log.sample("t1")["scores"]["evaluation"]["metadata"]["result"] == {
            "score": 1.0, "to ***": ["***"],
        }  # fmt: skip
        assert json.loads(log.members["summaries.json"])[0]["input"].startswith("x" * 1015)
