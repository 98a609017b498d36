"""The artifact of a generation: kept, or an error that says why not."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._progress.events import AnswerMasked
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.schemas import Artifact, GenerationResult, GenerationStatus, Task
from tests.fakes import EngineRun, FakeRunner, grade
from tests.files import contents

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[Path], GenerationResult]

pytestmark = pytest.mark.anyio

KEY = "sk-live-0123456789abcdef"
PATCH = b"--- a\n+++ b\n"
LIMIT = 1000


class PatchRunner(FakeRunner):
    PAYLOAD_TYPE = "artifact"
    EVALUATION_API = "v1"
    ARTIFACT_MAX_BYTES = LIMIT


@dataclass
class Patches:
    """A run of one task whose agent works in its log folder."""

    run: EngineRun

    async def generate(self, make: Make, kind: type[FakeRunner] = PatchRunner) -> GenerationResult:
        async def generate(_: Task) -> GenerationResult:
            return make(self.run.artifacts.agent_logs_dir("t1"))

        self.run.script(1)
        self.run.use(kind(generate=generate, evaluate=grade))
        await self.run()
        return self.run.generation("t1")

    @property
    def submission(self) -> Path:
        return self.run.artifacts.task_dir("t1") / "submission"

    def files(self) -> list[str]:
        return [str(path.relative_to(self.submission)) for path in contents(self.submission)]

    async def fails(self, make: Make, kind: type[FakeRunner] = PatchRunner) -> GenerationResult:
        found = await self.generate(make, kind)
        assert found.status is GenerationStatus.ERROR
        assert found.artifact is None
        assert found.failure is not None
        assert self.files() == []
        assert self.run.runner.evaluated == []
        return found


@pytest.fixture
def patches(run: EngineRun) -> Patches:
    return Patches(run)


def written(folder: Path, content: bytes = PATCH, name: str = "fix.patch") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def listening(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(folder)  # its path may be too long for one
        try:
            listener.bind("socket")
        finally:
            os.chdir(before)
    return folder / "socket"


def link(folder: Path, target: Path | str, name: str = "fix.patch") -> Path:
    (folder / name).symlink_to(target)
    return folder / name


def linked_folder(folder: Path) -> Path:
    outside = folder.parents[2] / "outside"
    outside.mkdir()
    written(outside)
    return link(folder, outside, "workspace") / "fix.patch"


BAD: dict[str, tuple[Make, str]] = {
    "none": (lambda _: GenerationResult(answer="text"), "generate() returned no artifact"),
    "missing": (lambda f: GenerationResult(artifact=f / "fix.patch"), "does not exist"),
    "empty": (lambda f: GenerationResult(artifact=written(f, b"")), "is empty"),
    "no bytes": (lambda _: GenerationResult(artifact=b"", filename="f"), "is empty"),
    "too large": (lambda f: GenerationResult(artifact=written(f, bytes(LIMIT + 1))),
                  "too large: it has 1001 bytes, and 1000 bytes are the most"),
    "too many bytes": (lambda _: GenerationResult(artifact=bytes(LIMIT + 1), filename="f"),
                       "too large"),
    "folder": (lambda f: GenerationResult(artifact=f), "is a folder, not a file"),
    "pipe": (lambda f: GenerationResult(artifact=pipe(f)), "is a pipe, socket or device"),
    "socket": (lambda f: GenerationResult(artifact=listening(f)), "is a pipe, socket or device"),
    "device": (lambda _: GenerationResult(artifact=Path("/dev/zero")), "is a pipe, socket or"),
    "link out": (lambda f: GenerationResult(artifact=link(f, "/etc/hosts")),
                 "leads out of the folder of its task"),
    "linked folder": (lambda f: GenerationResult(artifact=linked_folder(f)), "leads out of"),
    "link to itself": (lambda f: GenerationResult(artifact=link(f, "fix.patch")), "link to itself"),
    "link to nothing": (lambda f: GenerationResult(artifact=link(f, "gone")), "does not exist"),
    "parent": (lambda f: GenerationResult(artifact=written(f), filename="../x"),
               "can't have the name '../x'"),
    "space": (lambda f: GenerationResult(artifact=written(f, name="my fix.patch")),
              "can't have the name 'my fix.patch'"),
    "no name": (lambda f: GenerationResult(artifact=written(f), filename=""),
                "can't have the name ''"),
    "dot": (lambda f: GenerationResult(artifact=written(f, name=".env")), "the name '.env'"),
    "long": (lambda f: GenerationResult(artifact=written(f), filename="x" * 129), "up to 128"),
    "bytes only": (lambda _: GenerationResult(artifact=PATCH), "bytes has no file name"),
    "zero byte": (lambda _: GenerationResult(artifact=Path("a\0b"), filename="f"), "can't be used"),
    "record": (lambda _: GenerationResult(artifact=Artifact(filename="f", size=1, sha256="")),
               "is the record of another one"),
    "text": (lambda _: GenerationResult(artifact="fix.patch"),  # pyright: ignore[reportArgumentType]
             "an artifact is a Path or bytes, not str"),
    "number": (lambda _: GenerationResult(artifact=3),  # pyright: ignore[reportArgumentType]
               "an artifact is a Path or bytes, not int"),
}  # fmt: skip


class TestBadArtifacts:
    @pytest.mark.parametrize("row", BAD)
    async def test_it_is_an_error_with_the_reason(self, patches: Patches, row: str) -> None:
        """An artifact that can't be used is the task's error, and nothing is evaluated."""
        if row in ("text", "number"):  # pydantic refuses these in generate()
            found = await patches.generate(BAD[row][0])
            assert found.status is GenerationStatus.ERROR
        else:
            found = await patches.fails(BAD[row][0])
            assert (found.error or "").startswith("UnusableArtifactError: ")
        assert BAD[row][1] in (found.error or "")

    async def test_unreadable_file_is_an_error(
        self, patches: Patches, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that can't be opened is an error."""
        opened = os.open

        def refuse(path: Any, *arguments: Any, **words: Any) -> int:
            if str(path).endswith("agent_logs/fix.patch"):
                raise PermissionError(13, "Permission denied", path)
            return opened(path, *arguments, **words)

        monkeypatch.setattr(os, "open", refuse)

        found = await patches.fails(lambda f: GenerationResult(artifact=written(f)))
        assert "can't be read: Permission denied" in (found.error or "")

    @pytest.mark.parametrize("change", [b"", b"less", b"x" * len(PATCH), b"x" * 900])
    async def test_file_that_changes_meanwhile_is_an_error(
        self, patches: Patches, monkeypatch: pytest.MonkeyPatch, change: bytes
    ) -> None:
        """A file that is written to while it is copied is an error."""
        from benchmark_runner.artifacts import artifact_copy

        read, path = artifact_copy.read_pieces, patches.run.artifacts.agent_logs_dir("t1")

        def read_and_change(descriptor: int) -> Any:
            os.utime(path / "fix.patch", (1, 1))
            (path / "fix.patch").write_bytes(change)
            yield from read(descriptor)

        monkeypatch.setattr(artifact_copy, "read_pieces", read_and_change)
        found = await patches.fails(lambda f: GenerationResult(artifact=written(f)))
        assert "changed while it was copied" in (found.error or "")

    async def test_text_benchmark_takes_no_artifact(self, patches: Patches) -> None:
        """An artifact is an error where answers are text."""
        found = await patches.fails(
            lambda f: GenerationResult(answer="a", artifact=written(f)), FakeRunner
        )
        assert "returned an artifact, but PAYLOAD_TYPE is 'text'" in (found.error or "")

    async def test_field_set_afterwards_is_checked(self, patches: Patches) -> None:
        """An artifact that is set without pydantic's checks is an error, too."""

        def make(_: Path) -> GenerationResult:
            result = GenerationResult()
            result.artifact = "fix.patch"  # pyright: ignore[reportAttributeAccessIssue]
            return result

        found = await patches.generate(make)
        assert found.status is GenerationStatus.ERROR
        assert "artifact: Value error, an artifact is a Path or bytes" in (found.error or "")


class TestGoodArtifacts:
    @pytest.mark.parametrize(
        "make",
        [
            lambda f: GenerationResult(artifact=written(f)),
            lambda f: GenerationResult(artifact=written(f, name="my fix"), filename="fix.patch"),
            lambda _: GenerationResult(artifact=PATCH, filename="fix.patch"),
            lambda f: GenerationResult(artifact=link(f, written(f, name="real"))),
            lambda f: GenerationResult(artifact=written(f.parents[2])),
            lambda f: GenerationResult(artifact=link(f.parents[2], written(f, name="x"))),
        ],
        ids=["file", "renamed", "bytes", "link within", "elsewhere", "link from elsewhere"],
    )
    async def test_it_is_kept_with_its_hash(self, patches: Patches, make: Make) -> None:
        """The file is kept under its name, and recorded with size and hash."""
        found = await patches.generate(make)
        assert found.error is None
        record = {"filename": "fix.patch", "size": 12, "sha256": hashlib.sha256(PATCH).hexdigest()}
        on_disk = json.loads(patches.run.artifacts.generation_path("t1").read_bytes())
        assert on_disk["artifact"] == record
        assert "filename" not in on_disk
        assert contents(patches.submission) == {patches.submission / "fix.patch": PATCH}
        assert patches.run.runner.evaluated == ["t1"]

    async def test_file_in_its_place_already_is_kept(self, patches: Patches) -> None:
        """An agent may write the file where it is kept."""

        def make(folder: Path) -> GenerationResult:
            (folder.parent / "submission").mkdir()
            return GenerationResult(artifact=written(folder.parent / "submission"))

        found = await patches.generate(make)
        assert found.error is None
        assert patches.files() == ["fix.patch"]

    @pytest.mark.parametrize(
        "where", ["submission", "submission/fix.patch", "submission/.fix.patch.tmp"]
    )
    async def test_what_stands_in_its_place_is_put_aside(
        self, patches: Patches, where: str
    ) -> None:
        """A link or a folder in the place of the kept file is put aside."""

        def make(folder: Path) -> GenerationResult:
            place = folder.parent / where
            if where == "submission":
                place.symlink_to(folder)
            else:
                place.mkdir(parents=True)
            return GenerationResult(artifact=written(folder))

        found = await patches.generate(make)
        assert found.error is None
        assert (patches.submission / "fix.patch").read_bytes() == PATCH
        assert not patches.submission.is_symlink()

    @pytest.mark.parametrize("status", ["max_time", "max_turns", "error"])
    async def test_unfinished_one_is_kept_but_not_evaluated(
        self, patches: Patches, status: str
    ) -> None:
        """A usable file of an agent without success is kept, and not evaluated."""
        found = await patches.generate(
            lambda f: GenerationResult(status=status, error="E: e", artifact=written(f))
        )
        assert found.status == status
        assert isinstance(found.artifact, Artifact)
        assert patches.files() == ["fix.patch"]
        assert patches.run.runner.evaluated == []

    async def test_unusable_one_leaves_the_status(self, patches: Patches) -> None:
        """An unusable artifact of an attempt that ran out of turns changes no status."""
        found = await patches.generate(
            lambda f: GenerationResult(status="max_turns", artifact=f / "gone")
        )
        assert found.status is GenerationStatus.MAX_TURNS
        assert "does not exist" in (found.error or "")

    async def test_text_runs_have_no_line_of_it(self, run: EngineRun) -> None:
        """The generation.json of a text benchmark has no artifact."""
        run.script(1)
        await run()
        assert "artifact" not in json.loads(run.artifacts.generation_path("t1").read_bytes())

    async def test_later_attempt_has_its_own_file(self, patches: Patches) -> None:
        """The file of an earlier attempt goes with it."""
        await patches.generate(
            lambda f: GenerationResult(status="error", artifact=written(f, name="first"))
        )
        await patches.generate(lambda f: GenerationResult(artifact=written(f, name="second")))
        assert patches.files() == ["second"]
        earlier = patches.run.artifacts.task_dir("t1") / "attempts" / "1" / "submission"
        assert [path.name for path in earlier.iterdir()] == ["first"]


class TestKeys:
    @pytest.fixture
    def patches(self, run: EngineRun) -> Patches:
        run.artifacts.redactor.hide([KEY])
        return Patches(run)

    @pytest.mark.parametrize("before", [0, 1, 7, 256 * 1024 - 9, 256 * 1024 - 25])
    async def test_key_in_text_is_masked(self, patches: Patches, before: int) -> None:
        """A key in a text is masked, wherever it stands, before the file is hashed."""

        class Runner(PatchRunner):
            ARTIFACT_MAX_BYTES = 10**6

        text = b"." * before + KEY.encode() + b"\xc3\xa9 after"
        found = await patches.generate(
            lambda f: GenerationResult(artifact=written(f, text)), Runner
        )
        kept = (patches.submission / "fix.patch").read_bytes()
        assert kept == b"." * before + b"***" + b"\xc3\xa9 after"
        assert isinstance(found.artifact, Artifact)
        assert found.artifact.sha256 == hashlib.sha256(kept).hexdigest()
        assert found.artifact.size == len(kept)
        assert AnswerMasked("t1") in patches.run.events

    @pytest.mark.parametrize("around", [(b"\0", b""), (b"", b"\xff"), (b"", b"\0" * 10**6)])
    async def test_key_in_a_binary_is_an_error(
        self, patches: Patches, around: tuple[bytes, bytes]
    ) -> None:
        """A key in a file that is no text is the task's error."""

        class Runner(PatchRunner):
            ARTIFACT_MAX_BYTES = 10**7

        content = around[0] + KEY.encode() + around[1]
        found = await patches.fails(
            lambda _: GenerationResult(artifact=content, filename="f"), Runner
        )
        assert "holds a key, which can't be masked in a binary file" in (found.error or "")

    async def test_key_in_the_name_is_an_error(self, patches: Patches) -> None:
        """A key in the name of the file is the task's error."""
        found = await patches.fails(lambda _: GenerationResult(artifact=PATCH, filename=KEY))
        assert "name of the artifact holds a key" in (found.error or "")
        assert KEY not in (found.error or "")


class TestKeptFile:
    @pytest.fixture
    def kept(self, tmp_path: Path) -> tuple[RunArtifacts, Artifact, Path]:
        artifacts = RunArtifacts(tmp_path, "r1")
        record, _ = artifacts.keep_submission("t1", bytes(600_000), "f", 10**6)
        return artifacts, record, artifacts.task_dir("t1") / "submission" / "f"

    def test_it_is_read_in_pieces(self, kept: tuple[RunArtifacts, Artifact, Path]) -> None:
        """A large file is read in pieces, as often as it is sent."""
        artifacts, record, _ = kept
        file = artifacts.submission("t1").open(record)
        for _ in range(2):
            assert [len(piece) for piece in file.pieces()] == [262144, 262144, 75712]
        file.close()

    @pytest.mark.parametrize(
        ("tamper", "said"),
        [
            (lambda path: path.unlink(), "it is missing"),
            (lambda path: path.write_bytes(bytes(600_001)), "another size"),
            (lambda path: path.write_bytes(b"\1" * 600_000), "another SHA-256"),
            (lambda path: (path.unlink(), path.mkdir()), "not a regular file"),
            (lambda path: (path.unlink(), path.symlink_to("/etc/hosts")), "symbolic link"),
        ],
    )
    def test_changed_one_is_refused(
        self,
        kept: tuple[RunArtifacts, Artifact, Path],
        tamper: Callable[[Path], object],
        said: str,
    ) -> None:
        """A file that is not as it was kept is not opened."""
        artifacts, record, path = kept
        tamper(path)
        with pytest.raises(Exception, match=said):
            artifacts.submission("t1").open(record)
