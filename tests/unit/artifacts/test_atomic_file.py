from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts.atomic_file import open_atomically
from benchmark_runner.errors import ArtifactError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.artifacts.system_calls import Calls


class TestAFileThatAPersonAsksFor:
    def test_file_appears_when_it_is_complete(self, tmp_path: Path) -> None:
        """The old file stays until the new one is written completely."""
        file = tmp_path / "table.csv"
        file.write_bytes(b"before")

        with open_atomically(file) as writing:
            writing.write(b"one,")
            writing.write(b"two")
            writing.flush()
            assert file.read_bytes() == b"before"

        assert file.read_bytes() == b"one,two"
        assert [*tmp_path.iterdir()] == [file]

    def test_file_is_flushed_before_the_rename(self, root: Path, calls: Calls) -> None:
        """The file is flushed before it gets its name."""
        with open_atomically(root / "table.csv") as writing:
            writing.write(b"one")

        assert [call[0] for call in calls.made] == ["flush", "rename"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_old_file_stays_after_an_error(
        self, tmp_path: Path, error: type[BaseException]
    ) -> None:
        """If writing fails, the old file stays and no other is left."""
        file = tmp_path / "table.csv"
        file.write_bytes(b"before")

        def fail() -> None:
            with open_atomically(file) as writing:
                writing.write(b"one")
                raise error

        with pytest.raises(error):
            fail()

        assert file.read_bytes() == b"before"
        assert [*tmp_path.iterdir()] == [file]

    def test_link_to_the_file_is_kept(self, tmp_path: Path) -> None:
        """Writing through a link changes its target and keeps the link."""
        (tmp_path / "link.csv").symlink_to("table.csv")

        with open_atomically(tmp_path / "link.csv") as writing:
            writing.write(b"one")

        assert (tmp_path / "link.csv").is_symlink()
        assert (tmp_path / "table.csv").read_bytes() == b"one"

    def test_link_to_itself_becomes_the_file(self, tmp_path: Path) -> None:
        """A link that leads to itself is replaced."""
        (tmp_path / "link.csv").symlink_to("link.csv")

        with open_atomically(tmp_path / "link.csv") as writing:
            writing.write(b"one")

        assert (tmp_path / "link.csv").read_bytes() == b"one"

    def test_two_writers_in_one_process(self, tmp_path: Path) -> None:
        """Two may write a file at once, also with one process number; the last one wins."""
        file = tmp_path / "table.csv"

        with open_atomically(file) as first, open_atomically(file) as second:
            first.write(b"first")
            second.write(b"second")

        assert file.read_bytes() == b"first"

    def test_system_error_is_an_artifact_error(self, tmp_path: Path) -> None:
        """An error of the system is an ArtifactError."""
        with pytest.raises(ArtifactError, match="can't be written"):  # noqa: SIM117 (which raises)
            with open_atomically(tmp_path / "nowhere" / "table.csv"):
                raise AssertionError("there is no folder to write in")
