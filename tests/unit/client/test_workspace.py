"""The folder that files from the service are put into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.client.workspace import Workspace, parts_of
from benchmark_runner.errors import InputError
from tests.files import contents

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("dest", "parts"),
    [
        ("a.txt", ("a.txt",)),
        ("data/raw/a b.csv", ("data", "raw", "a b.csv")),
        ("./data//a", ("data", "a")),
        ("..a/b..", ("..a", "b..")),
        ("\u00e4/\u4e2d", ("\u00e4", "\u4e2d")),
    ],
)
def test_place_below_the_folder(dest: str, parts: tuple[str, ...]) -> None:
    """A relative path is taken apart."""
    assert parts_of(dest) == parts


@pytest.mark.parametrize(
    ("dest", "problem"),
    [
        ("/etc/passwd", "is not relative"),
        ("//host/share", "is not relative"),
        ("C:\\a", "is not relative"),
        ("c:a", "is not relative"),
        ("\\a", "is not relative"),
        ("..", "leads out"),
        ("../x", "leads out"),
        ("a/../../x", "leads out"),
        ("a/..", "leads out"),
        ("a\\..\\x", "leads out"),
        ("", "names no file"),
        (".", "names no file"),
        ("a/", "names no file"),
        ("a/.", "names no file"),
        ("a\\b", "does not belong"),
        ("a\0b", "does not belong"),
        ("a\nb", "does not belong"),
        ("a\ud800b", "does not belong"),
        ("a\u202eb", "does not belong"),
        ("a/" * 500 + "a", "is longer than 1,000"),
    ],
)
def test_place_elsewhere_is_refused(dest: str, problem: str) -> None:
    """A path that leads elsewhere, or that is no name of a file, is refused."""
    with pytest.raises(InputError, match=problem):
        parts_of(dest)


def put(folder: Path, *parts: str, content: bytes = b"new") -> None:
    workspace = Workspace(folder)
    try:
        file = workspace.new_file(parts)
        try:
            file.write(content)
            file.keep()
        finally:
            file.close()
    finally:
        workspace.close()


class TestFiles:
    def test_folders_are_made(self, tmp_path: Path) -> None:
        """The folder and those in it are made, and nothing else is left behind."""
        put(tmp_path / "w" / "s", "a", "b", "c.txt")
        assert contents(tmp_path) == {tmp_path / "w" / "s" / "a" / "b" / "c.txt": b"new"}

    def test_file_is_replaced(self, tmp_path: Path) -> None:
        """A file of before is replaced, as a whole."""
        (tmp_path / "a").write_bytes(b"a longer one of before")
        put(tmp_path, "a")
        assert contents(tmp_path) == {tmp_path / "a": b"new"}

    def test_part_is_removed(self, tmp_path: Path) -> None:
        """A file that does not become whole leaves what was there."""
        (tmp_path / "a").write_bytes(b"before")
        workspace = Workspace(tmp_path)
        file = workspace.new_file(("a",))
        file.write(b"half")
        file.close()
        workspace.close()
        assert contents(tmp_path) == {tmp_path / "a": b"before"}

    def test_link_in_its_place_is_replaced(self, tmp_path: Path) -> None:
        """A link where the file belongs is replaced, and what it points to is left alone."""
        outside = tmp_path / "outside"
        outside.write_bytes(b"mine")
        folder = tmp_path / "w"
        folder.mkdir()
        (folder / "a").symlink_to(outside)
        put(folder, "a")
        assert not (folder / "a").is_symlink()
        assert contents(tmp_path) == {outside: b"mine", folder / "a": b"new"}

    @pytest.mark.parametrize("parts", [("out", "a"), ("x", "out", "a")])
    def test_link_above_it_is_refused(self, tmp_path: Path, parts: tuple[str, ...]) -> None:
        """A folder that is a link is refused, wherever it leads."""
        outside, folder = tmp_path / "outside", tmp_path / "w"
        outside.mkdir()
        folder.joinpath(*parts[:-2]).mkdir(parents=True)
        folder.joinpath(*parts[:-1]).symlink_to(outside)
        with pytest.raises(InputError, match="a file or a link is in its place"):
            put(folder, *parts)
        assert contents(outside) == {}

    def test_folder_swapped_for_a_link_is_left(self, tmp_path: Path) -> None:
        """A folder that becomes a link while the file arrives does not lead it out."""
        outside, folder = tmp_path / "outside", tmp_path / "w"
        outside.mkdir()
        workspace = Workspace(folder)
        file = workspace.new_file(("data", "a"))
        (folder / "data").rename(folder / "moved")
        (folder / "data").symlink_to(outside)
        file.write(b"new")
        file.keep()
        file.close()
        workspace.close()
        assert contents(outside) == {}

    def test_folder_in_its_place_is_refused(self, tmp_path: Path) -> None:
        """A folder where the file belongs is refused."""
        (tmp_path / "a").mkdir()
        with pytest.raises(InputError, match="a folder is in its place"):
            put(tmp_path, "a")
        assert [*tmp_path.iterdir()] == [tmp_path / "a"]

    def test_file_above_it_is_refused(self, tmp_path: Path) -> None:
        """A file where a folder belongs is refused."""
        (tmp_path / "a").write_bytes(b"mine")
        with pytest.raises(InputError, match="a file or a link is in its place"):
            put(tmp_path, "a", "b")
        assert contents(tmp_path) == {tmp_path / "a": b"mine"}

    def test_refusal_of_the_disk_is_told(self, tmp_path: Path) -> None:
        """A refusal of the disk is an error that names the file."""
        with pytest.raises(InputError, match="File name too long"):
            put(tmp_path, "x" * 300)
        assert contents(tmp_path) == {}
