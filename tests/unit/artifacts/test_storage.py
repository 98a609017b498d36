from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.errors import ArtifactError
from benchmark_runner.schemas import GenerationResult

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.artifacts.system_calls import Calls


class TestDurability:
    def test_file_is_flushed_before_its_name(self, root: Path, calls: Calls) -> None:
        """A file is flushed before it is renamed, and its folder after."""
        Storage(root).write(root / "file", b"content")
        assert calls.made == [
            ("write", ".file.tmp"),
            ("flush", ".file.tmp"),
            ("rename", ".file.tmp", "file"),
            ("flush", "root"),
        ]
        assert (root / "file").read_bytes() == b"content"

    def test_missing_folders_are_made_and_flushed(self, root: Path, calls: Calls) -> None:
        """Missing folders are made, and the parent of each is flushed."""
        Storage(root).write(root / "a" / "b" / "file", b"")
        assert calls.made[:4] == [
            ("mkdir", "a"),
            ("flush", "root"),
            ("mkdir", "b"),
            ("flush", "a"),
        ]
        assert calls.made[-1] == ("flush", "b")

    def test_missing_results_folder_is_made(self, root: Path, calls: Calls) -> None:
        """A missing results folder is made with those above it, and all are flushed."""
        Storage(root / "x" / "results").make_folder(root / "x" / "results" / "r1")
        made = [call for call in calls.made if call[0] == "flush"]
        assert made == [("flush", "root"), ("flush", "x"), ("flush", "results")]
        assert (root / "x" / "results" / "r1").is_dir()

    def test_unflushed_folder_is_flushed_with_a_file(self, root: Path, calls: Calls) -> None:
        """A folder that was not flushed is flushed with the first file that must last."""
        storage = Storage(root)
        storage.make_folder(root / "a", flush=False)
        assert calls.made == [("mkdir", "a")]
        storage.write(root / "a" / "file", b"content", folders=1)
        assert calls.made[-3:] == [
            ("rename", ".file.tmp", "file"),
            ("flush", "a"),
            ("flush", "root"),
        ]

    def test_move_flushes_both_folders(self, root: Path, calls: Calls) -> None:
        """A move flushes the target's folder and then the source's."""
        (root / "from").mkdir()
        (root / "to").mkdir()
        (root / "from" / "file").touch()
        assert Storage(root).move(root / "from" / "file", root / "to" / "file") is True
        assert calls.made == [("rename", "file", "file"), ("flush", "to"), ("flush", "from")]

    def test_removal_flushes_the_folder(self, root: Path, calls: Calls) -> None:
        """Removing a file flushes its folder."""
        (root / "file").touch()
        Storage(root).remove(root / "file")
        assert calls.made == [("unlink", "file"), ("flush", "root")]

    def test_not_durable_flushes_nothing(self, root: Path, calls: Calls) -> None:
        """Without durability nothing is flushed, yet files are still replaced whole."""
        storage = Storage(root, durable=False)
        storage.write(root / "a" / "file", b"content")
        storage.move(root / "a" / "file", root / "moved")
        storage.remove(root / "moved")
        assert [call for call in calls.made if call[0] == "flush"] == []
        assert ("rename", ".file.tmp", "file") in calls.made

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
    def test_unsupported_folder_flush_is_no_error(
        self, root: Path, calls: Calls, number: int
    ) -> None:
        """A file system that can't flush folders is no error."""
        calls.fails["flush a folder"] = number
        Storage(root).write(root / "file", b"content")
        assert (root / "file").read_bytes() == b"content"
        assert ("flush", "root") in calls.made

    def test_failed_folder_flush_is_an_error(self, root: Path, calls: Calls) -> None:
        """A folder that can't be flushed is an error."""
        calls.fails["flush a folder"] = errno.EIO
        with pytest.raises(ArtifactError, match="file: can't be written"):
            Storage(root).write(root / "file", b"content")


class TestWriting:
    def test_leftover_of_a_kill_is_replaced(self, root: Path) -> None:
        """A temporary file that a killed write left is replaced."""
        (root / ".file.tmp").write_bytes(b"half of something longer")
        Storage(root).write(root / "file", b"whole")
        assert (root / "file").read_bytes() == b"whole"
        assert [path.name for path in root.iterdir()] == ["file"]

    @pytest.mark.parametrize("points_to", ["outside", "nowhere"])
    def test_link_as_temporary_file_is_not_followed(
        self, root: Path, tmp_path: Path, points_to: str
    ) -> None:
        """A link in the place of the temporary file is replaced and not followed."""
        outside = tmp_path / "outside"
        outside.write_bytes(b"somebody's")
        (root / ".file.tmp").symlink_to(tmp_path / points_to)
        Storage(root).write(root / "file", b"ours")
        assert (root / "file").read_bytes() == b"ours"
        assert not (root / "file").is_symlink()
        assert outside.read_bytes() == b"somebody's"
        assert not (tmp_path / "nowhere").exists()

    def test_link_as_target_is_not_followed(self, root: Path, tmp_path: Path) -> None:
        """A link in the place of the file is replaced and not followed."""
        outside = tmp_path / "outside"
        outside.write_bytes(b"somebody's")
        (root / "file").symlink_to(outside)
        Storage(root).write(root / "file", b"ours")
        assert not (root / "file").is_symlink()
        assert outside.read_bytes() == b"somebody's"


class TestMoving:
    def test_move_returns_if_something_moved(self, root: Path) -> None:
        """move() returns True if there was something to move."""
        storage = Storage(root)
        assert storage.move(root / "nothing", root / "target") is False
        (root / "folder").mkdir()
        assert storage.move(root / "folder", root / "target") is True
        assert (root / "target").is_dir()

    def test_missing_target_folder_loses_nothing(self, root: Path) -> None:
        """A move into a missing folder is an error, and the source stays."""
        (root / "file").touch()
        with pytest.raises(ArtifactError, match="file: can't be written"):
            Storage(root).move(root / "file", root / "missing" / "file")
        assert (root / "file").exists()

    def test_removing_nothing_is_no_error(self, root: Path) -> None:
        """Removing a file that does not exist is no error."""
        Storage(root).remove(root / "nothing")
        Storage(root).remove(root / "missing" / "nothing")


#: Folders of a task, as seen from the results folder, any of which may be a planted link.
FOLDERS = ["r1", "r1/t1", "r1/t1/attempts", "r1/t1/agent_logs"]


class TestLinksThatLeadOut:
    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        """A folder of somebody else's, in which everything has a name that ours would have."""
        outside = tmp_path / "outside"
        for name in ("t1/agent_logs", "t1/attempts/1", "agent_logs", "attempts/1", "1"):
            (outside / name).mkdir(parents=True)
            (outside / name / "generation.json").write_text('{"task_id": "t1", "data": "theirs"}')
        for name in ("generation.json", "t1/generation.json", "traceback.log"):
            (outside / name).write_text('{"task_id": "t1", "data": "theirs"}')
        return outside

    def content(self, folder: Path) -> dict[str, bytes | None]:
        found = sorted(folder.rglob("*"))
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in found
        }

    @pytest.mark.parametrize("durable", [True, False])
    @pytest.mark.parametrize("folder", FOLDERS)
    def test_linked_folder_is_refused(
        self, root: Path, outside: Path, folder: str, *, durable: bool
    ) -> None:
        """A linked folder inside a run is refused for every operation; its target stays."""
        link = root / folder
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(outside)
        before = self.content(outside)
        artifacts = RunArtifacts(root, "r1", durable=durable)
        path = {
            "r1/t1/attempts": artifacts.task_dir("t1") / "attempts" / "1" / "generation.json",
            "r1/t1/agent_logs": artifacts.agent_logs_dir("t1") / "traceback.log",
        }.get(folder, artifacts.generation_path("t1"))
        with pytest.raises(ArtifactError, match=f"{folder}: is a symbolic link"):
            artifacts.load(path, GenerationResult)
        with pytest.raises(ArtifactError, match="is a symbolic link"):
            artifacts.save(path, GenerationResult(data="ours"))
        storage = Storage(root, durable=durable)
        (root / "ours").touch()
        with pytest.raises(ArtifactError, match="is a symbolic link"):
            storage.move(root / "ours", link / "ours")
        with pytest.raises(ArtifactError, match="is a symbolic link"):
            storage.remove(link / "generation.json")
        with pytest.raises(ArtifactError, match="is a symbolic link"):
            storage.make_folder(link / "new")
        assert self.content(outside) == before

    def test_lock_refuses_a_linked_run_folder(self, root: Path, outside: Path) -> None:
        """A run folder that is a link is not locked."""
        (root / "r1").symlink_to(outside)
        before = self.content(outside)
        with (
            pytest.raises(ArtifactError, match="r1: is a symbolic link"),
            RunArtifacts(root, "r1").locked(),
        ):
            pytest.fail("locked somewhere else")
        assert self.content(outside) == before

    def test_linked_lock_file_is_refused(self, root: Path, outside: Path) -> None:
        """A lock file that is a link is refused."""
        artifacts = RunArtifacts(root, "r1")
        artifacts.run_dir.mkdir()
        (artifacts.run_dir / ".lock").symlink_to(outside / "generation.json")
        before = self.content(outside)
        with pytest.raises(ArtifactError, match=r"\.lock"), artifacts.locked():
            pytest.fail("locked somewhere else")
        assert self.content(outside) == before

    def test_results_folder_may_be_a_link(self, root: Path, tmp_path: Path) -> None:
        """The results folder itself may be a link."""
        (tmp_path / "link").symlink_to(root)
        artifacts = RunArtifacts(tmp_path / "link", "r1")
        with artifacts.locked():
            artifacts.prepare_task("t1")
            artifacts.save_generation("t1", GenerationResult(data="ours"))
        assert (root / "r1" / "t1" / "generation.json").is_file()
        found = artifacts.load_generation("t1")
        assert found is not None
        assert found.data == "ours"
