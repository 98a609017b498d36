"""What a run makes of a benchmark service that fails, for each row of the status table.

One task of three is not graded as it should be. It never gets a score for that, the others are
graded, and the same command finishes the run once the service is well, without generating again.
"""

from __future__ import annotations

import json
from email.utils import formatdate
from gzip import compress
from typing import TYPE_CHECKING

import pytest

from tests.cli.misbehaving import (
    MisbehavingService,
    answers,
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
    from collections.abc import Iterator

    from tests.cli.conftest import Ended, RunnerProject
    from tests.cli.misbehaving import Fault

KEY = "s3cret-key"
OTHERS = ("t2", "t3")
MIB = 1024**2
LONG = [{"loc": ["body", "response"], "msg": "m" * 600, "type": "missing"}]
GRADE = b'{"pass_percentage": 1.0}'


@pytest.fixture
def service() -> Iterator[MisbehavingService]:
    with MisbehavingService() as service:
        yield service


@pytest.fixture(params=["legacy", "v1"])
def benchmark(request: pytest.FixtureRequest, project: RunnerProject) -> RunnerProject:
    """The project, grading by one and by the other API."""
    project.set_in_class(f"EVALUATION_API = {request.param!r}")
    return project


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
    assert "Grading failed for 1 task: t1\n" in ended.out
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


class TestRefusedForGood:
    """400, 404, 413, 422 and their like: asked once, and the service's words are the reason."""

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, "RejectedRequestError"),
            (404, "NotFoundError"),
            (413, "RejectedRequestError"),
            (422, "RejectedRequestError"),
            (501, "UnsupportedError"),
        ],
    )
    def test_the_task_has_an_error_and_is_not_asked_for_again(
        self, benchmark: RunnerProject, service: MisbehavingService, status: int, kind: str
    ) -> None:
        service.faults["t1"] = [answers(status, "no such thing")]
        ended = run(benchmark, service)
        reason = f"HTTP {status}: no such thing (asked with ***)"
        assert_only_t1_failed(benchmark, service, ended, reason, asked=1)
        assert kind in ended.out
        assert_resumes(benchmark, service)

    def test_a_422_is_shown_whole(
        self, project: RunnerProject, service: MisbehavingService
    ) -> None:
        service.faults["t1"] = [answers(422, LONG)]
        ended = run(project, service)
        reason = json.dumps(LONG, separators=(",", ":"))
        assert_only_t1_failed(project, service, ended, reason, asked=1)

    @pytest.mark.parametrize("status", [302, 307])
    def test_a_redirect_is_not_followed_and_its_target_gets_nothing(
        self, benchmark: RunnerProject, service: MisbehavingService, status: int
    ) -> None:
        with MisbehavingService() as elsewhere:
            target = f"{elsewhere.url}/evaluate-response/"
            service.faults["t1"] = [answers(status, location=target)]
            ended = run(benchmark, service)
            reason = f"it redirects to {elsewhere.url} (HTTP {status}"
            assert_only_t1_failed(benchmark, service, ended, reason, asked=1)
            assert elsewhere.asked == []
        assert_resumes(benchmark, service)


class TestRefusedForAll:
    """401, 403 and a used-up quota: the run stops, and what was generated is owed its grade."""

    @pytest.mark.parametrize(
        ("fault", "kind", "reason", "way_out"),
        [
            (
                answers(401, "Unauthorized"),
                "AuthenticationError",
                "it does not accept the key in VALS_AUTH_KEY (HTTP 401: Unauthorized",
                "Check the key in VALS_AUTH_KEY.",
            ),
            (
                answers(403, "Dataset not allowed"),
                "PermissionDeniedError",
                "it does not allow this to the key in VALS_AUTH_KEY (HTTP 403: Dataset",
                "Ask for access to the dataset",
            ),
            (
                answers(
                    429,
                    "Evaluation request limit of 1 per week reached; "
                    "try again after 2099-11-30T00:00:00Z.",
                    retry_after="561600",
                ),
                "QuotaExceededError",
                "the evaluation quota is used up until 2099-11-30T00:00:00+00:00",
                "Run the same command again after 2099-11-30T00:00:00+00:00",
            ),
        ],
        ids=["401", "403", "quota"],
    )
    def test_the_run_stops_and_says_how_to_go_on(
        self,
        benchmark: RunnerProject,
        service: MisbehavingService,
        fault: Fault,
        kind: str,
        reason: str,
        way_out: str,
    ) -> None:
        service.faults["t1"] = [fault]
        ended = run(benchmark, service, "--parallelism", "1", "--eval-parallelism", "1")
        assert ended.code == 1
        assert f"{kind}: could not grade task 't1'" in ended.err
        assert reason in ended.err
        assert way_out in ended.err
        assert len(service.asked_for("t1")) == 1
        assert service.asked_for("t2") == []
        assert has_eval(benchmark, "t3")
        assert not has_eval(benchmark, "t1")
        assert not has_score(benchmark)
        assert_resumes(benchmark, service)


class TestBusy:
    """409 and 429: wait as long as was asked, or back off, within a bound."""

    def test_a_task_that_is_being_graded_is_waited_for_beyond_the_attempts(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        busy = answers(409, "already being graded", retry_after="0")
        service.faults["t1"] = [busy, busy, busy, healthy]
        assert run(benchmark, service).code == 0
        assert len(service.asked_for("t1")) == 4
        assert has_score(benchmark)

    def test_a_task_that_is_being_graded_for_ever_is_given_up_in_time(
        self, project: RunnerProject, service: MisbehavingService
    ) -> None:
        service.faults["t1"] = [answers(409, "already being graded", retry_after="1")]
        ended = run(project, service, "--service-retry-time", "0.5")
        reason = "HTTP 409: already being graded (asked with ***)"
        assert_only_t1_failed(project, service, ended, reason, asked=1)
        assert_resumes(project, service)

    @pytest.mark.parametrize(
        "headers",
        [
            {"retry_after": "1"},
            {"date": formatdate(1, usegmt=True), "retry_after": formatdate(2, usegmt=True)},
        ],
        ids=["seconds", "date"],
    )
    def test_a_short_wait_that_was_asked_for_is_kept(
        self, benchmark: RunnerProject, service: MisbehavingService, headers: dict[str, str]
    ) -> None:
        service.faults["t1"] = [answers(429, "too fast", **headers), healthy]
        assert run(benchmark, service).code == 0
        first, second = service.asked_for("t1")
        assert second.at - first.at >= 1
        assert has_score(benchmark)

    def test_without_capacity_it_is_asked_again(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        service.faults["t1"] = [answers(429, "no capacity"), healthy]
        assert run(benchmark, service).code == 0
        assert len(service.asked_for("t1")) == 2

    def test_a_lasting_lack_of_capacity_is_that_tasks_error(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        service.faults["t1"] = [answers(429, "no capacity")]
        ended = run(benchmark, service)
        reason = "HTTP 429: no capacity (asked with ***) (after several attempts)"
        assert_only_t1_failed(benchmark, service, ended, reason, asked=2)
        assert_resumes(benchmark, service)


class TestTrouble:
    """500, 502, 503, 504: asked again a few times, and then that task's error."""

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_trouble_that_lasts_is_that_tasks_error(
        self, benchmark: RunnerProject, service: MisbehavingService, status: int
    ) -> None:
        service.faults["t1"] = [answers(status, "judge down")]
        ended = run(benchmark, service)
        reason = f"HTTP {status}: judge down (asked with ***) (after several attempts)"
        assert_only_t1_failed(benchmark, service, ended, reason, asked=2)
        assert "ServiceUnavailableError" in ended.out
        assert_resumes(benchmark, service)

    def test_trouble_that_passes_is_not_seen(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        service.faults["t1"] = [answers(503), healthy]
        ended = run(benchmark, service)
        assert (ended.code, len(service.asked_for("t1"))) == (0, 2)
        assert "failed for" not in ended.out

    def test_a_connection_that_dies_with_a_500_takes_no_other_request_along(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        service.faults["t1"] = [goes_deaf(answers(500)), healthy]
        ended = run(benchmark, service, "--eval-parallelism", "1")
        assert ended.code == 0, ended.out
        assert len(service.asked_for("t1")) == 2
        assert service.lost == 0


class TestConnection:
    """Connections that break, and answers that don't come: asked again a few times."""

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (reset, "ReadError"),
            (cut_off, "RemoteProtocolError: the connection ended within the answer"),
        ],
    )
    def test_one_that_breaks_is_that_tasks_error(
        self, benchmark: RunnerProject, service: MisbehavingService, fault: Fault, reason: str
    ) -> None:
        service.faults["t1"] = [fault]
        ended = run(benchmark, service)
        assert_only_t1_failed(benchmark, service, ended, reason, asked=2)
        assert "ServiceUnavailableError" in ended.out
        assert_resumes(benchmark, service)

    @pytest.mark.parametrize("fault", [reset, cut_off])
    def test_one_that_breaks_once_is_not_seen(
        self, benchmark: RunnerProject, service: MisbehavingService, fault: Fault
    ) -> None:
        service.faults["t1"] = [fault, healthy]
        assert run(benchmark, service).code == 0
        assert len(service.asked_for("t1")) == 2

    def test_one_that_breaks_before_the_request_is_read_is_asked_again(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        service.on_arrival = [reset]
        assert run(benchmark, service).code == 0
        assert all(len(service.asked_for(task_id)) == 1 for task_id in ("t1", *OTHERS))
        assert has_score(benchmark)

    def test_a_kept_one_that_breaks_when_it_is_used_again_is_not_seen(
        self, project: RunnerProject, service: MisbehavingService
    ) -> None:
        service.faults["t1"] = [goes_deaf(says(GRADE))]
        assert run(project, service, "--eval-parallelism", "1").code == 0
        assert service.lost == 1
        assert all(len(service.asked_for(task_id)) == 1 for task_id in ("t1", *OTHERS))

    def test_one_that_always_breaks_before_the_request_is_read_is_that_tasks_error(
        self, project: RunnerProject, service: MisbehavingService
    ) -> None:
        project.write_tasks([{"id": name, "question": f"say {name}"} for name in ("t1", *OTHERS)])
        assert run(project, service, *OTHERS).code == 0
        service.on_arrival = [reset, reset]
        ended = run(project, service)
        assert_only_t1_failed(project, service, ended, "(after several attempts)", asked=0)
        assert_resumes(project, service)

    def test_an_answer_that_never_comes_is_that_tasks_error(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        assert run(benchmark, service, *OTHERS).code == 0
        service.faults["t1"] = [hang]
        ended = run(benchmark, service, "--eval-timeout", "0.2")
        assert_only_t1_failed(benchmark, service, ended, "no answer within 0.2 s", asked=2)
        assert_resumes(benchmark, service)

    def test_an_answer_that_comes_byte_by_byte_is_waited_for(
        self, project: RunnerProject, service: MisbehavingService
    ) -> None:
        service.faults["t1"] = [drip(GRADE, 0.01)]
        assert run(project, service).code == 0
        assert project.read("r1", "t1", "eval.json")["result"] == {"pass_percentage": 1.0}


class TestNotAGrade:
    """A 200 that holds no grade: the error of that task, which no second try heals."""

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
                "it is about task 't2'",
            ),
            (says(b"not compressed", content_encoding="gzip"), "it can't be decompressed"),
            (says(compress(GRADE)[:-9], content_encoding="gzip"), "ends in the middle"),
            (says(b"1", content_encoding="br"), "it is compressed as 'br'"),
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
        ],
    )
    def test_it_is_that_tasks_error_and_never_a_score(
        self, benchmark: RunnerProject, service: MisbehavingService, fault: Fault, reason: str
    ) -> None:
        service.faults["t1"] = [fault]
        ended = run(benchmark, service)
        assert_only_t1_failed(benchmark, service, ended, reason, asked=1)
        assert "BadResponseError" in ended.out
        assert_resumes(benchmark, service)

    @pytest.mark.parametrize(
        "content", [b"[]", b'{"pass_percentage": 1.0}', b'{"status": "splendid"}', b"null"]
    )
    def test_a_v1_grade_of_another_shape_is_that_tasks_error(
        self, project: RunnerProject, service: MisbehavingService, content: bytes
    ) -> None:
        project.set_in_class('EVALUATION_API = "v1"')
        service.faults["t1"] = [says(content)]
        ended = run(project, service)
        assert_only_t1_failed(project, service, ended, "BadResponseError", asked=1)
        assert_resumes(project, service)

    def test_a_huge_one_is_not_read_to_its_end(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        service.faults["t1"] = [huge(200 * MIB)]
        ended = run(benchmark, service)
        assert_only_t1_failed(benchmark, service, ended, "it is larger than 32 MiB", asked=1)
        assert 32 * MIB <= service.sent < 100 * MIB
        assert_resumes(benchmark, service)

    def test_one_that_becomes_huge_is_that_tasks_error(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        service.faults["t1"] = [bomb(40 * MIB)]
        ended = run(benchmark, service)
        assert_only_t1_failed(benchmark, service, ended, "it is larger than 32 MiB", asked=1)
        assert_resumes(benchmark, service)
