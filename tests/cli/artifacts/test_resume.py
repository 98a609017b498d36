"""Resumes, regrades and refusals of runs whose answers are files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.responses import JSONResponse

from tests.artifact_service import EVALUATE, PUT, UPLOAD_URL, refused, xml

if TYPE_CHECKING:
    from tests.artifact_service import ArtifactService
    from tests.cli.conftest import Ended, RunnerProject

KEY = "s3cret-key-17"
FEW = ("--service-attempts", "2", "--service-retry-time", "1")


def run(project: RunnerProject, *flags: str, command: str = "run") -> Ended:
    ended = project.run(command, "--run-id", "r1", *FEW, *flags, VALS_AUTH_KEY=KEY)
    said = ended.out + ended.err
    for name in project.files():
        said += (project.results / name).read_text(errors="replace")
    assert KEY not in said
    return ended


def assert_graded(project: RunnerProject, service: ArtifactService, times: int = 1) -> None:
    """Each task's file was graded so often, as it is on disk."""
    for task_id in ("t1", "t2", "t3"):
        sha256 = project.read("r1", task_id, "generation.json")["artifact"]["sha256"]
        graded = [of for task, _, of in service.graded if task == task_id]
        assert graded == [sha256] * times


class TestResume:
    @pytest.mark.sampled(2)
    @pytest.mark.parametrize(
        ("path", "answer"),
        [
            (UPLOAD_URL, refused(500, "down")),
            (PUT, xml(503, "SlowDown", "busy")),
            (PUT, xml(403, "AccessDenied", "no")),
            (EVALUATE, refused(503, "down")),
        ],
    )
    def test_failed_evaluation_is_made_up_for(
        self,
        patches: RunnerProject,
        artifact_service: ArtifactService,
        path: str,
        answer: JSONResponse,
    ) -> None:
        """A resume uploads and evaluates the files for which that failed."""
        first = refused(200, "inconclusive") if path == UPLOAD_URL else None
        artifact_service.script(path, *([first] if first else []), *[answer] * 99)
        ended = run(patches)
        assert ended.code == 1
        assert "Evaluation failed for 3 tasks" in ended.out
        assert artifact_service.graded == []
        for signature in artifact_service.signatures:
            assert signature not in ended.out + ended.err
        artifact_service.script(path)
        assert run(patches).code == 0
        assert_graded(patches, artifact_service)
        assert sorted(patches.calls) == ["t1", "t2", "t3"]

    def test_regrade_uploads_again(
        self, patches: RunnerProject, artifact_service: ArtifactService
    ) -> None:
        """A regrade uploads the same files again, and generates nothing."""
        assert run(patches).code == 0
        artifact_service.objects.clear()
        assert run(patches, "--regrade", command="evaluate").code == 0
        assert_graded(patches, artifact_service, times=2)
        assert sorted(patches.calls) == ["t1", "t2", "t3"]

    def test_skipped_evaluation_is_made_later(
        self, patches: RunnerProject, artifact_service: ArtifactService
    ) -> None:
        """A run without evaluation keeps the files, which are evaluated later."""
        assert run(patches, "--skip-eval").code == 0
        assert artifact_service.asked == []
        assert run(patches, command="evaluate").code == 0
        assert_graded(patches, artifact_service)

    @pytest.mark.parametrize("place", ["submission/fix.patch", "submission"])
    def test_link_in_its_place_is_not_sent(
        self, patches: RunnerProject, artifact_service: ArtifactService, place: str
    ) -> None:
        """A link in the place of a file or its folder is not followed, also to the same file."""
        run(patches, "--skip-eval")
        kept = patches.results / "r1" / "t1" / place
        kept.rename(patches.root / "elsewhere")
        kept.symlink_to(patches.root / "elsewhere")
        ended = run(patches)
        assert ended.code == 1
        assert "is a symbolic link" in ended.out
        assert "t1" not in [task for task, _, _ in artifact_service.graded]
        assert not (patches.results / "r1" / "t1" / "agent_logs" / "eval-traceback.log").exists()
        assert "the file is missing" in patches.run("show", "r1", "t1").out

    def test_changed_file_is_not_sent(
        self, patches: RunnerProject, artifact_service: ArtifactService
    ) -> None:
        """A file that somebody has changed is an error, and is not sent."""
        run(patches, "--skip-eval")
        (patches.results / "r1" / "t1" / "submission" / "fix.patch").write_text("patch of say oh\n")
        ended = run(patches)
        assert ended.code == 1
        assert "is not the artifact that was generated: it has another size" in ended.out
        assert "t1" not in [task for task, _, _ in artifact_service.graded]
        assert not (patches.results / "r1" / "t1" / "agent_logs" / "eval-traceback.log").exists()
        assert run(patches, "--rerun", "t1").code == 0
        assert_graded(patches, artifact_service)


class TestPreflight:
    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (refused(404, "Not Found"), "takes no artifacts"),
            (refused(403, "Trial tenants may only access /v1/evaluate"), "may not upload files"),
            (refused(403, "Dataset not allowed"), "Dataset not allowed"),
            (refused(401, "Unauthorized"), "does not accept the key"),
            (refused(400, "Task ID not found: t3"), "--skip-eval generates without"),
            (refused(404, "Task t3 is unknown here"), "--skip-eval generates without"),
            (refused(503, "Artifact storage is not configured"), "storage of submissions"),
        ],
    )
    def test_clear_no_stops_before_anything_is_paid(
        self,
        patches: RunnerProject,
        artifact_service: ArtifactService,
        answer: JSONResponse,
        said: str,
    ) -> None:
        """A service that can't take files stops the run before its first generation."""
        artifact_service.script(UPLOAD_URL, *[answer] * 9)
        ended = run(patches)
        assert ended.code == 1
        assert said in ended.out + ended.err
        assert patches.calls == []
        assert artifact_service.paths() == [UPLOAD_URL]

    @pytest.mark.parametrize(
        "answer",
        [
            refused(400, "?"),
            refused(404, "Dataset not found: other"),
            refused(405, "Method Not Allowed"),
            refused(422, "?"),
            refused(500, "?"),
            JSONResponse([]),
        ],
    )
    def test_other_answers_are_inconclusive(
        self, patches: RunnerProject, artifact_service: ArtifactService, answer: JSONResponse
    ) -> None:
        """An answer that is no clear no does not stop the run."""
        artifact_service.script(UPLOAD_URL, answer)
        assert run(patches).code == 0
        assert_graded(patches, artifact_service)

    def test_run_id_that_no_key_takes_is_refused(
        self, patches: RunnerProject, artifact_service: ArtifactService
    ) -> None:
        """A run id that can't be part of an upload's key stops the run at its start."""
        ended = patches.run("run", "--run-id", "my run")
        assert ended.code == 1
        assert "the run id 'my run' can't be part of an upload's key" in ended.out + ended.err
        assert patches.calls == []
        assert artifact_service.paths() == []

    def test_run_id_that_this_service_refuses_is_refused(
        self, patches: RunnerProject, artifact_service: ArtifactService
    ) -> None:
        """A run id that is no part of a key in each version stops the run where it is none."""
        artifact_service.script(UPLOAD_URL, refused(422, "run_id"))
        ended = patches.run("run", "--run-id", "a+b")
        assert ended.code == 1
        assert "takes no '+'" in ended.out + ended.err
        assert patches.calls == []
        assert patches.run("run", "--run-id", "a+b").code == 0

    def test_task_id_that_no_key_takes_is_refused(
        self, patches: RunnerProject, artifact_service: ArtifactService
    ) -> None:
        """A task whose id can't be part of an upload's key stops the run at its start."""
        tasks = [{"id": each, "question": "q"} for each in ("t1", "t 2", "t3")]
        patches.write_tasks(tasks)
        ended = patches.run("run", "--run-id", "r1")
        assert ended.code == 1
        assert "the task id 't 2' can't be part of an upload's key" in ended.out + ended.err
        assert patches.calls == []
        assert artifact_service.paths() == []
        assert patches.run("run", "--run-id", "r2", "t1", "t3").code == 0


class TestPayload:
    def test_files_are_not_evaluated_as_texts(self, patches: RunnerProject) -> None:
        """A runner that has come to answer with text evaluates no files, nor scores them."""
        run(patches)
        agent = (patches.root / "runner" / "benchmark.py").read_text()
        patches.change_agent(('    PAYLOAD_TYPE = "artifact"\n', ""))
        before = patches.files()
        for command, *flags in (("run",), ("evaluate", "--regrade"), ("score",)):
            ended = run(patches, *flags, command=command)
            assert ended.code == 2
            assert "RunIdentityError" in ended.err
        assert patches.files() == before
        patches.write_agent(agent)
        assert run(patches).code == 0


class TestDoctor:
    def test_service_without_uploads_is_found(
        self, patches: RunnerProject, artifact_service: ArtifactService
    ) -> None:
        """The doctor finds a service that takes no files, and nothing wrong with one that does."""
        for answers, expected in (([refused(404, "Not Found")], True), ([], False)):
            artifact_service.script(UPLOAD_URL, *answers)
            assert ("takes no artifacts" in patches.run("doctor").out) is expected


class TestOwnEvaluate:
    def test_author_gets_the_path(
        self, patches: RunnerProject, artifact_service: ArtifactService
    ) -> None:
        """An evaluate() of the author's own finds the kept file."""
        patches.change_agent(
            ("BenchmarkRunner, Gen", "BenchmarkRunner, EvalResult, Gen"),
            ('    EVALUATION_API = "v1"\n', ""),
        )
        text = (patches.root / "runner" / "benchmark.py").read_text()
        patches.write_agent(
            text + "\n"
            "    async def evaluate(self, task_id, generation):\n"
            "        text = self.artifact_path(task_id).read_text()\n"
            "        return EvalResult(task_id=task_id, status='evaluated', result=len(text))\n"
        )
        run(patches)
        assert patches.read("r1", "t1", "eval.json")["result"] == 17
        assert artifact_service.paths() == []
        # It gets no other file, either.
        (patches.results / "r1" / "t1" / "submission" / "fix.patch").write_text("another")
        assert (
            "is not the artifact that was generated"
            in run(patches, "--regrade", command="evaluate").out
        )
