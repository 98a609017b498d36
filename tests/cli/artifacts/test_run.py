"""A run whose answers are files, from the agent to the score."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.artifact_service import ArtifactService
    from tests.cli.conftest import RunnerProject

KEY = "s3cret-key-17"


class TestRun:
    def test_it_ends_with_a_score(
        self, patches: RunnerProject, artifact_service: ArtifactService
    ) -> None:
        """Each file is kept, uploaded, evaluated by its key, and scored."""
        ended = patches.run("run", "--run-id", "r1", VALS_AUTH_KEY=KEY)
        assert ended.code == 0, ended.out + ended.err
        generation = patches.read("r1", "t1", "generation.json")
        kept = patches.results / "r1" / "t1" / "submission" / "fix.patch"
        assert kept.read_text() == "patch of say one\n"
        assert generation["artifact"] == {
            "filename": "fix.patch",
            "size": 17,
            "sha256": hashlib.sha256(kept.read_bytes()).hexdigest(),
        }
        assert "filename" not in generation
        graded = {task_id: sha256 for task_id, _, sha256 in artifact_service.graded}
        assert graded["t1"] == generation["artifact"]["sha256"]
        assert sorted(graded) == ["t1", "t2", "t3"]
        assert patches.read("r1", "final_score.json")["final_score"] == 1.0

    def test_embedded_service_grades_files(
        self, patches: RunnerProject, artifact_service: ArtifactService
    ) -> None:
        """The embedded service gets the files over the same requests, as a path."""
        patches.write_grader(
            "def grade(task, response):\n"
            "    return {'pass_percentage': float(response.read_text() == 'patch of say one\\n')}\n"
        )
        patches.write_cli()
        ended = patches.run("run", "--run-id", "r1")
        assert ended.code == 0, ended.out + ended.err
        assert patches.read("r1", "t1", "eval.json")["result"] == {"pass_percentage": 1.0}
        assert patches.read("r1", "t2", "eval.json")["result"] == {"pass_percentage": 0.0}
        assert artifact_service.asked == []
