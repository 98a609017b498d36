"""Connections that break, and answers that are no grade."""

from __future__ import annotations

from gzip import compress
from typing import TYPE_CHECKING

import pytest

from tests.cli.misbehaving.runs import (
    GRADE,
    MIB,
    OTHERS,
    assert_only_t1_failed,
    assert_resumes,
    has_score,
    run,
)
from tests.cli.misbehaving.service import (
    MisbehavingService,
    bomb,
    cut_off,
    drip,
    goes_deaf,
    half,
    hang,
    healthy,
    huge,
    reset,
    says,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import RunnerProject
    from tests.cli.misbehaving.service import Fault


class TestConnection:
    """Connections that break, and answers that don't come: asked again a few times."""

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (reset, "ReadError"),
            (cut_off, "RemoteProtocolError: connection ended within the answer"),
        ],
    )
    def test_broken_connection_is_the_tasks_error(
        self, benchmark: RunnerProject, service: MisbehavingService, fault: Fault, reason: str
    ) -> None:
        """A connection that keeps breaking is that task's error."""
        service.faults["t1"] = [fault]
        ended = run(benchmark, service)
        assert_only_t1_failed(benchmark, service, ended, reason, asked=2)
        assert "ServiceUnavailableError" in ended.out
        assert_resumes(benchmark, service)

    @pytest.mark.parametrize("fault", [reset, cut_off])
    def test_connection_that_breaks_once_is_retried(
        self, benchmark: RunnerProject, service: MisbehavingService, fault: Fault
    ) -> None:
        """A connection that breaks once is retried and not shown."""
        service.faults["t1"] = [fault, healthy]
        assert run(benchmark, service).code == 0
        assert len(service.asked_for("t1")) == 2

    def test_connection_that_breaks_early_is_retried(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        """A connection that breaks before the request is read is retried."""
        service.on_arrival = [reset]
        assert run(benchmark, service).code == 0
        assert all(len(service.asked_for(task_id)) == 1 for task_id in ("t1", *OTHERS))
        assert has_score(benchmark)

    def test_broken_kept_connection_is_replaced(
        self, project: RunnerProject, service: MisbehavingService
    ) -> None:
        """A kept connection that breaks when it is used again is not noticed."""
        service.faults["t1"] = [goes_deaf(says(GRADE))]
        assert run(project, service, "--eval-parallelism", "1").code == 0
        assert service.lost == 1
        assert all(len(service.asked_for(task_id)) == 1 for task_id in ("t1", *OTHERS))

    def test_always_broken_connection_is_the_error(
        self, project: RunnerProject, service: MisbehavingService
    ) -> None:
        """A connection that always breaks early is that task's error."""
        project.write_tasks([{"id": name, "question": f"say {name}"} for name in ("t1", *OTHERS)])
        assert run(project, service, *OTHERS).code == 0
        service.on_arrival = [reset, reset]
        ended = run(project, service)
        assert_only_t1_failed(project, service, ended, "(after several attempts)", asked=0)
        assert_resumes(project, service)

    def test_missing_answer_is_the_tasks_error(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        """An answer that never comes is that task's error."""
        assert run(benchmark, service, *OTHERS).code == 0
        service.faults["t1"] = [hang]
        ended = run(benchmark, service, "--eval-timeout", "0.2")
        assert_only_t1_failed(
            benchmark, service, ended, "and before that none within 0.2 s", asked=2
        )
        assert_resumes(benchmark, service)

    def test_slow_answer_is_waited_for(
        self, project: RunnerProject, service: MisbehavingService
    ) -> None:
        """An answer that comes byte by byte is waited for."""
        service.faults["t1"] = [drip(GRADE, 0.01)]
        assert run(project, service).code == 0
        assert project.read("r1", "t1", "eval.json")["result"] == {"pass_percentage": 1.0}


class TestOddGrade:
    """A grade in an unusual form: read the first time, and never paid for again."""

    @pytest.mark.parametrize(
        ("change", "headers"),
        [
            (lambda grade: b"\xef\xbb\xbf" + grade, {}),
            (lambda grade: grade.replace(b"note", b"\\ud83d"), {}),
            (lambda grade: grade.replace(b"note", b"\xed\xa0\xbd"), {}),
            (
                lambda grade: compress(grade[:9]) + compress(grade[9:]),
                {"content_encoding": "gzip"},
            ),
            (compress, {"content_encoding": "x-gzip"}),
        ],
        ids=["BOM", "half a pair", "half a pair in bytes", "two members", "x-gzip"],
    )
    def test_odd_grade_is_paid_for_once(
        self,
        benchmark: RunnerProject,
        service: MisbehavingService,
        change: Callable[[bytes], bytes],
        headers: dict[str, str],
    ) -> None:
        """A grade with a byte order mark, several gzip members and the like is read."""
        grade = b'{"status": "evaluated", "pass_percentage": 1, "result": {"a": "note"}}'
        service.faults["t1"] = [says(change(grade), **headers)]
        assert run(benchmark, service).code == 0
        evaluated = benchmark.read("r1", "t1", "eval.json")
        assert evaluated["status"] == "evaluated"
        assert run(benchmark, service).code == 0
        assert len(service.asked_for("t1")) == 1
        assert benchmark.read("r1", "t1", "eval.json") == evaluated


class TestNotAGrade:
    """A 200 that holds no grade: the error of that task, which no second try heals."""

    @pytest.mark.sampled(8)
    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (says(b""), "it is not valid JSON"),
            (says(b"<html>It works!</html>"), "it is not valid JSON"),
            (says(b'{"pass_percen'), "it is not valid JSON"),
            (half, "it is not valid JSON"),
            (says(b'{"status": "evaluated", "result": NaN}'), "it is not valid JSON"),
            (says(b'{"status": "evaluated", "result": [-Infinity]}'), "it is not valid JSON"),
            (says(b'{"status": "evaluated", "result": 1e999}'), "a number that is not finite"),
            (
                says(b'{"task_id": "t2", "status": "evaluated", "result": 1}'),
                "the answer is about task 't2'",
            ),
            (says(b"\x1f\x8b and no gzip", content_encoding="gzip"), "it can't be decompressed"),
            (says(compress(GRADE)[:-9], content_encoding="gzip"), "ends in the middle"),
            (says(b"1", content_encoding="br"), "it is compressed as 'br'"),
            (bomb(40 * MIB), "it is larger than 32 MiB"),
        ],
        ids=[
            "empty",
            "no JSON",
            "half of it",
            "half and closed",
            "NaN",
            "Infinity",
            "1e999",
            "another task",
            "no gzip",
            "half of gzip",
            "brotli",
            "huge when decompressed",
        ],
    )
    def test_invalid_answer_is_never_a_score(
        self, benchmark: RunnerProject, service: MisbehavingService, fault: Fault, reason: str
    ) -> None:
        """An invalid answer is that task's error and never a score."""
        service.faults["t1"] = [fault]
        ended = run(benchmark, service)
        assert_only_t1_failed(benchmark, service, ended, reason, asked=1)
        assert "BadResponseError" in ended.out
        assert_resumes(benchmark, service)

    @pytest.mark.parametrize(
        "content", [b"[]", b'{"pass_percentage": 1.0}', b'{"status": "splendid"}', b"null"]
    )
    def test_v1_answer_of_other_shape_is_an_error(
        self, project: RunnerProject, service: MisbehavingService, content: bytes
    ) -> None:
        """A v1 answer of another shape is that task's error."""
        project.set_in_class('EVALUATION_API = "v1"')
        service.faults["t1"] = [says(content)]
        ended = run(project, service)
        assert_only_t1_failed(project, service, ended, "BadResponseError", asked=1)
        assert_resumes(project, service)

    def test_huge_answer_is_not_read_completely(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        """A huge answer is not read completely."""
        service.faults["t1"] = [huge(200 * MIB)]
        ended = run(benchmark, service)
        assert_only_t1_failed(benchmark, service, ended, "it is larger than 32 MiB", asked=1)
        assert 32 * MIB <= service.sent < 100 * MIB
        assert_resumes(benchmark, service)
