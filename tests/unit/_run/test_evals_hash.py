from __future__ import annotations

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.schemas import EvalResult, EvalStatus, ScoreResult
from tests.fakes import hash_of_evals


class TestTheHashOfTheEvals:
    def save(self, artifacts: RunArtifacts, task_id: str, score: float) -> None:
        artifacts.save_eval(
            task_id, EvalResult(task_id=task_id, status=EvalStatus.EVALUATED, result=score)
        )

    def test_hash_is_stable(self, artifacts: RunArtifacts) -> None:
        """The hash of the evaluations stays while they stay."""
        self.save(artifacts, "t1", 1)
        before = hash_of_evals(artifacts, ["t1", "t2"])
        self.save(artifacts, "t1", 1)

        assert hash_of_evals(artifacts, ["t1", "t2"]) == before

    def test_hash_changes_with_any_evaluation(self, artifacts: RunArtifacts) -> None:
        """The hash changes when any evaluation is added, changed or removed."""
        tasks = ["t1", "t2"]
        seen = {hash_of_evals(artifacts, tasks)}
        self.save(artifacts, "t1", 1)
        seen.add(hash_of_evals(artifacts, tasks))
        self.save(artifacts, "t1", 0)
        seen.add(hash_of_evals(artifacts, tasks))
        self.save(artifacts, "t2", 0)
        seen.add(hash_of_evals(artifacts, tasks))
        artifacts.eval_path("t1").unlink()
        seen.add(hash_of_evals(artifacts, tasks))

        assert len(seen) == 5

    def test_missing_score_can_be_removed(self, artifacts: RunArtifacts) -> None:
        """Removing a score that is not there is no error."""
        artifacts.save_final_score(ScoreResult(tasks_evaluated=[], final_score=0))

        artifacts.remove_final_score()
        artifacts.remove_final_score()

        assert artifacts.load_final_score() is None
