from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts.atomic_file import open_atomically
from benchmark_runner.errors import ArtifactError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.artifacts.system_calls import Calls


class TestAFileThatAPersonAsksFor:
    def test_it_is_there_when_all_of_it_is_written_and_not_before(self, tmp_path: Path) -> None:
        file = tmp_path / "table.csv"
        file.write_bytes(b"before")

        with open_atomically(file) as writing:
            writing.write(b"one,")
            writing.write(b"two")
            writing.flush()
            assert file.read_bytes() == b"before"

        assert file.read_bytes() == b"one,two"
        assert [*tmp_path.iterdir()] == [file]

    def test_it_is_on_the_disk_before_its_name_is(self, root: Path, calls: Calls) -> None:
        with open_atomically(root / "table.csv") as writing:
            writing.write(b"one")

        assert [call[0] for call in calls.made] == ["flush", "rename"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_what_was_there_stays_where_it_fails(
        self, tmp_path: Path, error: type[BaseException]
    ) -> None:
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

    def test_a_link_to_it_stays_one(self, tmp_path: Path) -> None:
        (tmp_path / "link.csv").symlink_to("table.csv")

        with open_atomically(tmp_path / "link.csv") as writing:
            writing.write(b"one")

        assert (tmp_path / "link.csv").is_symlink()
        assert (tmp_path / "table.csv").read_bytes() == b"one"

    def test_what_the_system_says_against_it_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(ArtifactError, match="can't be written"):  # noqa: SIM117 (which raises)
            with open_atomically(tmp_path / "nowhere" / "table.csv"):
                raise AssertionError("there is no folder to write in")
