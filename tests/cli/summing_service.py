"""A benchmark service that sums up bare results, as deployed ones do, with graders of all kinds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from tests.scripted_service import ScriptedService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Score = Callable[[Mapping[str, Any]], float]

#: The tasks; the right answer is what follows ``say``.
TASKS = [{"id": f"t{number}", "question": f"say {number}"} for number in range(6)]


def _rewards(result: Mapping[str, Any]) -> float:
    rewards = (result.get("verifier_result") or {}).get("rewards") or {}
    return rewards.get("score", 0)


#: By mode, how a result is made, and how it is read at the top level of what is submitted.
GRADERS: dict[str, tuple[Callable[[str, bool], Any], Score]] = {
    "bare": (
        lambda _, ok: {"pass_percentage": float(ok), "eval_version": "judge-3"},
        lambda result: result.get("pass_percentage", 0),
    ),
    "swe": (
        lambda task_id, ok: {"instance_id": task_id, "resolved": ok},
        lambda result: 100 * bool(result.get("resolved")),
    ),
    "terminal": (
        lambda name, ok: {"task_name": name, "verifier_result": {"rewards": {"score": float(ok)}}},
        lambda result: 100 * _rewards(result),
    ),
    "strict": (
        lambda _, ok: {"pass_percentage": float(ok)},
        lambda result: result["pass_percentage"],
    ),
    "custom": (lambda _, ok: {"points": int(ok)}, lambda result: result.get("points", 0)),
}


@dataclass
class SummingService(ScriptedService):
    """A service in one of the modes of :data:`GRADERS`.

    Attributes:
        mode: How it grades and sums up.
        dataset_version: The version that it says, of which it knows nothing else.
        wrong: Tasks whose answer is wrong whatever it is.
        failing: Tasks that it can't evaluate.
        reads: The shape that it reads on the legacy path.
    """

    mode: str = "bare"
    dataset_version: str | None = None
    wrong: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    reads: str = "result"

    def usual(self, path: str, body: Any) -> Any:
        match path:
            case "/version":
                answer = {"service_version": None, "dataset_version": self.dataset_version}
            case "/v1/datasets/validation/tasks":
                answer = {"dataset_version": self.dataset_version, "tasks": TASKS}
            case "/evaluate-response/":
                answer = self.grade(body["task_id"])
            case "/v1/evaluate":
                answer = {name: body[name] for name in ("run_id", "task_id")}
                answer |= {"status": "evaluated", "result": self.grade(body["task_id"])}
            case "/final-score/" | "/v1/score":
                results = body["evaluation_results"]
                if self.reads == "envelope" or path == "/v1/score":
                    results = {name: sent and sent["result"] for name, sent in results.items()}
                answer = self.score(results)
            case _:
                answer = super().usual(path, body)
        return answer

    def grade(self, task_id: str) -> Any:
        """Return the result of a task."""
        if task_id in self.failing:
            raise HTTPException(400, "judge down")
        return GRADERS[self.mode][0](task_id, task_id not in self.wrong)

    def score(self, results: Mapping[str, Any]) -> Any:
        """Return the score of bare results."""
        read = GRADERS[self.mode][1]
        try:
            points = sum(read(result) for result in results.values() if result)
        except (KeyError, TypeError):
            raise HTTPException(500, "Internal server error") from None
        return {"tasks_evaluated": [*results], "final_score": points / len(results)}

    @property
    def submitted(self) -> list[Mapping[str, Any]]:
        """What each request for a score submitted."""
        scored = {"/final-score/", "/v1/score"}
        return [body["evaluation_results"] for path, body in self.bodies if path in scored]
