from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner.local import bodies

if TYPE_CHECKING:
    from tests.unit.local.sample_service import Wire


class TestPathsAndBodies:
    @pytest.mark.parametrize("path", ["/evaluate-response", "/final-score"])
    def test_legacy_path_without_slash_redirects(self, wire: Wire, path: str) -> None:
        """A legacy path without its slash is redirected."""
        answer = wire("POST", path, json={})
        assert answer.status_code == 307
        assert httpx.URL(answer.headers["location"]).path == f"{path}/"

    def test_unknown_paths_are_answered_in_json(self, wire: Wire) -> None:
        """Unknown paths and methods are answered in JSON."""
        assert wire("GET", "/none").json() == {"detail": "Not Found"}
        answer = wire("GET", "/v1/evaluate")
        assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})

    @pytest.mark.parametrize(
        ("path", "content", "place", "kind"),
        [
            ("/evaluate-response/", b"", ["body"], "missing"),
            ("/evaluate-response/", b"{", ["body"], "json_invalid"),
            ("/evaluate-response/", b'{"task_id": "1"}', ["body", "response"], "missing"),
            ("/evaluate-response/", b'{"task_id":"1","response":NaN}', ["body"], "json_invalid"),
            ("/final-score/", b'{"evaluation_results": []}', ["body", "evaluation_results"], None),
            (
                "/final-score/",
                b'{"evaluation_results": {"1": 5}, "dataset": "validation"}',
                ["body", "evaluation_results", "1"],
                None,
            ),
            ("/v1/evaluate", b'{"run_id": "r", "task_id": "1"}', ["body", "payload"], "missing"),
            (
                "/v1/score",
                b'{"run_id":"r","dataset":"validation","evaluation_results":{"1":{"result":1}}}',
                ["body", "evaluation_results", "1", "status"],
                "missing",
            ),
        ],
    )
    def test_invalid_body_is_a_422(
        self, wire: Wire, path: str, content: bytes, place: list[str], kind: str | None
    ) -> None:
        """A body that does not fit is a 422 that names the place."""
        answer = wire("POST", path, content=content)
        assert answer.status_code == 422
        fault = answer.json()["detail"][0]
        assert fault["loc"] == place
        assert kind in (None, fault["type"])
        assert fault["msg"]

    def test_too_large_body_is_a_413(self, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body that is too large is a 413."""
        monkeypatch.setattr(bodies, "MAX_BODY", 1000)
        body = {"task_id": "1", "response": "x" * 1000, "dataset": "validation"}
        assert wire("POST", "/evaluate-response/", json=body).status_code == 413

    @pytest.mark.parametrize("size", [bodies.MAX_BODY + 1, 10**15])
    def test_declared_size_is_refused_unread(self, wire: Wire, size: int) -> None:
        """A body that declares too large a size is refused before it is read."""
        # Nothing of it is ever sent.
        assert wire.answer_to(f"content-length: {size}\r\n\r\n").startswith("HTTP/1.1 413 ")

    def test_largest_body_is_waited_for(self, wire: Wire) -> None:
        """A body of the largest size is waited for."""
        headers = f"content-length: {bodies.MAX_BODY}\r\nexpect: 100-continue\r\n\r\n"
        assert wire.answer_to(headers).startswith("HTTP/1.1 100 ")

    def test_endless_body_is_refused_at_the_limit(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A body without a declared end is refused at the limit."""
        monkeypatch.setattr(bodies, "MAX_BODY", 1000)
        chunk = f"3e9\r\n{'x' * 1001}\r\n"
        answer = wire.answer_to(f"transfer-encoding: chunked\r\n\r\n{chunk}")
        assert answer.startswith("HTTP/1.1 413 ")

    def test_no_body_is_read_without_the_key(self, locked: Wire) -> None:
        """Without the key no body is read."""
        answer = locked.answer_to(f"content-length: {bodies.MAX_BODY}\r\n\r\n")
        assert answer.startswith("HTTP/1.1 401 ")

    def test_largest_body_is_64_mib(self) -> None:
        """The largest body has 64 MiB."""
        assert bodies.MAX_BODY == 64 * 1024 * 1024

    def test_extra_fields_and_empty_response(self, wire: Wire) -> None:
        """Extra fields and an empty response are accepted."""
        body = {"task_id": "1", "response": "", "dataset": "validation", "more": 1}
        answer = wire("POST", "/evaluate-response/", json=body)
        assert (answer.status_code, answer.json()) == (200, {"pass_percentage": 0.0})

    @pytest.mark.parametrize(
        "payload",
        [
            {"type": "artifact", "schema": "my-bench.artifact.v1", "data": "k"},
            {"type": "text", "schema": "my-bench", "data": "k"},
        ],
    )
    def test_payload_that_is_no_text_is_a_400(self, wire: Wire, payload: dict[str, str]) -> None:
        """A payload that is no text is a 400."""
        body = {"run_id": "r", "task_id": "1", "dataset": "validation", "payload": payload}
        answer = wire("POST", "/v1/evaluate", json=body)
        assert answer.status_code == 400
        assert "accept" in answer.json()["detail"]
