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
    def test_a_file_is_on_the_disk_before_its_name_is_and_the_name_before_it_counts(
        self, root: Path, calls: Calls
    ) -> None:
        Storage(root).write(root / "file", b"content")
        assert calls.made == [
            ("write", ".file.tmp"),
            ("flush", ".file.tmp"),
            ("rename", ".file.tmp", "file"),
            ("flush", "root"),
        ]
        assert (root / "file").read_bytes() == b"content"

    def test_missing_folders_are_made_and_each_is_on_the_disk(
        self, root: Path, calls: Calls
    ) -> None:
        Storage(root).write(root / "a" / "b" / "file", b"")
        assert calls.made[:4] == [
            ("mkdir", "a"),
            ("flush", "root"),
            ("mkdir", "b"),
            ("flush", "a"),
        ]
        assert calls.made[-1] == ("flush", "b")

    def test_a_missing_results_folder_is_made_with_those_above_it(
        self, root: Path, calls: Calls
    ) -> None:
        Storage(root / "x" / "results").make_folder(root / "x" / "results" / "r1")
        made = [call for call in calls.made if call[0] == "flush"]
        assert made == [("flush", "root"), ("flush", "x"), ("flush", "results")]
        assert (root / "x" / "results" / "r1").is_dir()

    def test_a_folder_that_need_not_last_yet_is_flushed_with_the_file_that_must(
        self, root: Path, calls: Calls
    ) -> None:
        storage = Storage(root)
        storage.make_folder(root / "a", flush=False)
        assert calls.made == [("mkdir", "a")]
        storage.write(root / "a" / "file", b"content", with_folder=True)
        assert calls.made[-3:] == [
            ("rename", ".file.tmp", "file"),
            ("flush", "a"),
            ("flush", "root"),
        ]

    def test_what_is_moved_is_so_on_the_disk_in_both_folders(
        self, root: Path, calls: Calls
    ) -> None:
        (root / "from").mkdir()
        (root / "to").mkdir()
        (root / "from" / "file").touch()
        assert Storage(root).move(root / "from" / "file", root / "to" / "file") is True
        assert calls.made == [("rename", "file", "file"), ("flush", "to"), ("flush", "from")]

    def test_what_is_removed_is_so_on_the_disk(self, root: Path, calls: Calls) -> None:
        (root / "file").touch()
        Storage(root).remove(root / "file")
        assert calls.made == [("unlink", "file"), ("flush", "root")]

    def test_without_it_nothing_is_flushed_and_files_are_whole_all_the_same(
        self, root: Path, calls: Calls
    ) -> None:
        storage = Storage(root, durable=False)
        storage.write(root / "a" / "file", b"content")
        storage.move(root / "a" / "file", root / "moved")
        storage.remove(root / "moved")
        assert [call for call in calls.made if call[0] == "flush"] == []
        assert ("rename", ".file.tmp", "file") in calls.made

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
    def test_a_file_system_that_does_not_flush_folders_is_no_error(
        self, root: Path, calls: Calls, number: int
    ) -> None:
        calls.fails["flush a folder"] = number
        Storage(root).write(root / "file", b"content")
        assert (root / "file").read_bytes() == b"content"
        assert ("flush", "root") in calls.made

    def test_a_folder_that_can_not_be_flushed_is_an_error(self, root: Path, calls: Calls) -> None:
        calls.fails["flush a folder"] = errno.EIO
        with pytest.raises(ArtifactError, match="file: can't be written"):
            Storage(root).write(root / "file", b"content")


class TestWriting:
    def test_what_a_kill_left_of_an_earlier_write_is_replaced(self, root: Path) -> None:
        (root / ".file.tmp").write_bytes(b"half of something longer")
        Storage(root).write(root / "file", b"whole")
        assert (root / "file").read_bytes() == b"whole"
        assert [path.name for path in root.iterdir()] == ["file"]

    @pytest.mark.parametrize("points_to", ["outside", "nowhere"])
    def test_a_link_that_somebody_put_there_is_replaced_and_not_followed(
        self, root: Path, tmp_path: Path, points_to: str
    ) -> None:
        outside = tmp_path / "outside"
        outside.write_bytes(b"somebody's")
        (root / ".file.tmp").symlink_to(tmp_path / points_to)
        Storage(root).write(root / "file", b"ours")
        assert (root / "file").read_bytes() == b"ours"
        assert not (root / "file").is_symlink()
        assert outside.read_bytes() == b"somebody's"
        assert not (tmp_path / "nowhere").exists()

    def test_a_link_in_the_files_own_place_is_replaced_and_not_followed(
        self, root: Path, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.write_bytes(b"somebody's")
        (root / "file").symlink_to(outside)
        Storage(root).write(root / "file", b"ours")
        assert not (root / "file").is_symlink()
        assert outside.read_bytes() == b"somebody's"


class TestMoving:
    def test_it_tells_whether_there_was_something(self, root: Path) -> None:
        storage = Storage(root)
        assert storage.move(root / "nothing", root / "target") is False
        (root / "folder").mkdir()
        assert storage.move(root / "folder", root / "target") is True
        assert (root / "target").is_dir()

    def test_a_missing_target_folder_is_an_error_and_nothing_is_lost(self, root: Path) -> None:
        (root / "file").touch()
        with pytest.raises(ArtifactError, match="file: can't be written"):
            Storage(root).move(root / "file", root / "missing" / "file")
        assert (root / "file").exists()

    def test_what_is_not_there_is_removed_already(self, root: Path) -> None:
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
    def test_a_folder_is_refused_and_nothing_there_is_read_or_changed(
        self, root: Path, outside: Path, folder: str, *, durable: bool
    ) -> None:
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

    def test_a_new_attempt_does_not_go_through_one_either(self, root: Path, outside: Path) -> None:
        artifacts = RunArtifacts(root, "r1")
        artifacts.save_generation("t1", GenerationResult(data="ours"))
        (artifacts.task_dir("t1") / "attempts").symlink_to(outside)
        before = self.content(outside)
        with pytest.raises(ArtifactError, match="is a symbolic link"):
            artifacts.prepare_task("t1")
        with pytest.raises(ArtifactError, match="is a symbolic link"):
            artifacts.earlier_generations("t1")
        assert self.content(outside) == before

    def test_the_run_folder_is_not_locked_through_one(self, root: Path, outside: Path) -> None:
        (root / "r1").symlink_to(outside)
        before = self.content(outside)
        with (
            pytest.raises(ArtifactError, match="r1: is a symbolic link"),
            RunArtifacts(root, "r1").locked(),
        ):
            pytest.fail("locked somewhere else")
        assert self.content(outside) == before

    def test_a_generation_that_is_one_is_refused(self, root: Path, outside: Path) -> None:
        artifacts = RunArtifacts(root, "r1")
        artifacts.task_dir("t1").mkdir(parents=True)
        artifacts.generation_path("t1").symlink_to(outside / "generation.json")
        with pytest.raises(ArtifactError, match=r"generation\.json: is a symbolic link") as caught:
            artifacts.load_generation("t1")
        assert caught.value.hint

    def test_a_lock_file_that_is_one_is_refused(self, root: Path, outside: Path) -> None:
        artifacts = RunArtifacts(root, "r1")
        artifacts.run_dir.mkdir()
        (artifacts.run_dir / ".lock").symlink_to(outside / "generation.json")
        before = self.content(outside)
        with pytest.raises(ArtifactError, match=r"\.lock"), artifacts.locked():
            pytest.fail("locked somewhere else")
        assert self.content(outside) == before

    def test_the_results_folder_itself_may_be_one(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(root)
        artifacts = RunArtifacts(tmp_path / "link", "r1")
        with artifacts.locked():
            artifacts.prepare_task("t1")
            artifacts.save_generation("t1", GenerationResult(data="ours"))
        assert (root / "r1" / "t1" / "generation.json").is_file()
        found = artifacts.load_generation("t1")
        assert found is not None
        assert found.data == "ours"
