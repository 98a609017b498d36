"""What a run makes of a benchmark service that fails, for each row of the status table.

One task of three is not graded as it should be. It never gets a score for that, the others are
graded, and the same command finishes the run once the service is well, without generating again.
"""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from tests.cli.misbehaving.runs import (
    assert_only_t1_failed,
    assert_resumes,
    has_eval,
    has_score,
    run,
)
from tests.cli.misbehaving.service import MisbehavingService, answers, goes_deaf, healthy

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.cli.misbehaving.service import Fault

LONG = [{"loc": ["body", "response"], "msg": "m" * 600, "type": "missing"}]


class TestRefusedForGood:
    """400, 404, 413, 422 and their like: asked once, and the service's words are the reason."""

    @pytest.mark.sampled(4)
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
    def test_permanent_error_is_asked_once(
        self, benchmark: RunnerProject, service: MisbehavingService, status: int, kind: str
    ) -> None:
        """A permanent error is that task's error and is not retried."""
        service.faults["t1"] = [answers(status, "no such thing")]
        ended = run(benchmark, service)
        reason = f"HTTP {status}: no such thing (asked with ***)"
        assert_only_t1_failed(benchmark, service, ended, reason, asked=1)
        assert kind in ended.out
        assert_resumes(benchmark, service)

    def test_422_is_shown_completely(
        self, project: RunnerProject, service: MisbehavingService
    ) -> None:
        """The detail of a 422 is shown completely."""
        service.faults["t1"] = [answers(422, LONG)]
        ended = run(project, service)
        reason = json.dumps(LONG, separators=(",", ":"))
        assert_only_t1_failed(project, service, ended, reason, asked=1)

    @pytest.mark.parametrize("status", [302, 307])
    def test_redirect_is_not_followed(
        self, benchmark: RunnerProject, service: MisbehavingService, status: int
    ) -> None:
        """A redirect is not followed, and its target gets nothing."""
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
    def test_refusal_stops_the_run(
        self,
        benchmark: RunnerProject,
        service: MisbehavingService,
        fault: Fault,
        kind: str,
        reason: str,
        way_out: str,
    ) -> None:
        """A refused key or quota stops the run with a hint."""
        service.faults["t1"] = [fault]
        ended = run(benchmark, service, "--parallelism", "1", "--eval-parallelism", "1")
        assert ended.code == 1
        assert f"{kind}: could not evaluate task 't1'" in ended.err
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

    def test_409_is_retried_beyond_the_attempts(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        """A task that is being evaluated is waited for beyond the attempts."""
        busy = answers(409, "already being graded", retry_after="0")
        service.faults["t1"] = [busy, busy, busy, healthy]
        assert run(benchmark, service).code == 0
        assert len(service.asked_for("t1")) == 4
        assert has_score(benchmark)

    def test_409_is_waited_for_as_an_evaluation(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        """A task that is being evaluated is waited for as long as an evaluation may take."""
        service.faults["t1"] = [answers(409, "already being graded", retry_after="1"), healthy]
        assert run(benchmark, service, "--service-retry-time", "0.5").code == 0
        assert len(service.asked_for("t1")) == 2

    def test_lasting_409_is_given_up(
        self, project: RunnerProject, service: MisbehavingService
    ) -> None:
        """A task that is being evaluated for too long is given up."""
        service.faults["t1"] = [answers(409, "already being graded", retry_after="1")]
        ended = run(project, service, "--service-retry-time", "0.5", "--eval-timeout", "0.5")
        reason = "HTTP 409: already being graded (asked with ***)"
        assert_only_t1_failed(project, service, ended, reason, asked=1)
        assert_resumes(project, service)

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize(
        "headers",
        [
            {"retry_after": "1"},
            {"date": formatdate(1, usegmt=True), "retry_after": formatdate(2, usegmt=True)},
        ],
        ids=["seconds", "date"],
    )
    def test_short_retry_after_is_waited_for(
        self, benchmark: RunnerProject, service: MisbehavingService, headers: dict[str, str]
    ) -> None:
        """A short Retry-After is waited for."""
        service.faults["t1"] = [answers(429, "too fast", **headers), healthy]
        assert run(benchmark, service).code == 0
        first, second = service.asked_for("t1")
        assert second.at - first.at >= 1
        assert has_score(benchmark)

    def test_429_without_advice_is_retried(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        """A lack of capacity is retried."""
        service.faults["t1"] = [answers(429, "no capacity"), healthy]
        assert run(benchmark, service).code == 0
        assert len(service.asked_for("t1")) == 2

    def test_lasting_429_is_the_tasks_error(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        """A lasting lack of capacity is that task's error."""
        service.faults["t1"] = [answers(429, "no capacity")]
        ended = run(benchmark, service)
        reason = "HTTP 429: no capacity (asked with ***) (after several attempts)"
        assert_only_t1_failed(benchmark, service, ended, reason, asked=2)
        assert_resumes(benchmark, service)


class TestTrouble:
    """408, 425, 500, 502, 503, 504: asked again a few times, and then that task's error."""

    @pytest.mark.sampled(4)
    @pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
    def test_lasting_server_error_is_the_tasks_error(
        self, benchmark: RunnerProject, service: MisbehavingService, status: int
    ) -> None:
        """A server error that lasts is that task's error."""
        service.faults["t1"] = [answers(status, "judge down")]
        ended = run(benchmark, service)
        reason = f"HTTP {status}: judge down (asked with ***) (after several attempts)"
        assert_only_t1_failed(benchmark, service, ended, reason, asked=2)
        assert "ServiceUnavailableError" in ended.out
        assert_resumes(benchmark, service)

    def test_passing_server_error_is_not_shown(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        """A server error that passes is retried and not shown."""
        service.faults["t1"] = [answers(503), healthy]
        ended = run(benchmark, service)
        assert (ended.code, len(service.asked_for("t1"))) == (0, 2)
        assert "failed for" not in ended.out

    def test_connection_lost_with_a_500(
        self, benchmark: RunnerProject, service: MisbehavingService
    ) -> None:
        """A connection that dies with a 500 takes no other request along."""
        service.faults["t1"] = [goes_deaf(answers(500)), healthy]
        ended = run(benchmark, service, "--eval-parallelism", "1")
        assert ended.code == 0, ended.out
        assert len(service.asked_for("t1")) == 2
        assert service.lost == 0
