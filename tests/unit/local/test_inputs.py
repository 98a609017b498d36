from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner.local.transport import EmbeddedTransport
from tests.unit.local.sample_service import CANARY, Wire, make

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    ServeApp = Callable[[ASGIApp], str]

pytestmark = pytest.mark.anyio

OF_TASK_1 = "/v1/datasets/validation/tasks/1/inputs"


@pytest.fixture
def inputs(folder: Path) -> Path:
    """The input files of task 1, at several depths, and links that lead out of their folder."""
    own = folder / "inputs" / "1"
    for name in ("a.csv", "sub/b.bin", "sub/deep/ä b.txt", ".hidden"):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(f"content of {name}")
    (own / "large.bin").write_bytes(bytes(range(256)) * 10_000)
    (own / "link.csv").symlink_to(own / "a.csv")
    (own / "answers.json").symlink_to(folder / "main.json")
    (own / "elsewhere").symlink_to(folder)
    (folder / "inputs" / "2").symlink_to(folder)
    return own


def listed(wire: Wire, path: str = OF_TASK_1) -> dict[str, str]:
    answer = wire("GET", path)
    assert answer.status_code == 200
    return {each["dest"]: each["filename"] for each in answer.json()["inputs"]}


@pytest.mark.usefixtures("inputs")
class TestInputs:
    def test_files_at_any_depth_are_listed(self, wire: Wire) -> None:
        """Files at any depth are listed by flat names of their own, with their places."""
        found = listed(wire)
        assert sorted(found) == [
            ".hidden", "a.csv", "large.bin", "link.csv", "sub/b.bin", "sub/deep/ä b.txt",
        ]  # fmt: skip
        assert found["a.csv"] == "a.csv"
        assert len(set(found.values())) == len(found)
        assert not any(set(name) & set("/\\ ä") for name in found.values())

    def test_each_listed_file_is_served(self, wire: Wire, inputs: Path) -> None:
        """Each listed file is served as it is."""
        for dest, name in listed(wire).items():
            answer = wire("GET", f"{OF_TASK_1}/{name}")
            assert (answer.status_code, answer.content) == (200, (inputs / dest).read_bytes())

    @pytest.mark.parametrize(
        "name", ["answers.json", "nothing", "..%2F..%2Fmain.json", "sub%2Fb.bin", "elsewhere"]
    )
    def test_other_names_are_a_404(self, wire: Wire, name: str) -> None:
        """A name that is not listed is a 404, and no reference is served."""
        answer = wire("GET", f"{OF_TASK_1}/{name}")
        assert answer.status_code == 404
        assert CANARY not in answer.text

    def test_files_of_the_finder_are_none(self, wire: Wire, inputs: Path) -> None:
        """A file that the Finder leaves in a folder that it shows is no input."""
        before = listed(wire)
        for folder in (inputs, inputs / "sub"):
            (folder / ".DS_Store").write_bytes(b"Bud1")
        assert listed(wire) == before

    def test_name_that_is_not_utf8_is_an_error(self, wire: Wire, inputs: Path) -> None:
        """A name that is not UTF-8 is an error that shows it."""
        try:
            Path(os.fsdecode(os.fsencode(inputs / "bad-") + b"\xff")).touch()
        except OSError:
            pytest.skip("the file system takes UTF-8 only")
        answer = wire("GET", OF_TASK_1)
        assert answer.status_code == 500
        assert "rename the input file" in answer.json()["detail"]

    def test_link_in_place_of_a_folder_is_not_served(self, wire: Wire) -> None:
        """A task's folder that is a link to elsewhere holds no inputs."""
        assert listed(wire, OF_TASK_1.replace("/1/", "/2/")) == {}

    def test_task_without_a_folder_has_none(self, wire: Wire) -> None:
        """A task without a folder has no inputs; an unknown one, or dataset, is a 404."""
        assert listed(wire, OF_TASK_1.replace("/1/", "/3/")) == {}
        for unknown in ("/v1/datasets/validation/tasks/zzz", "/v1/datasets/none/tasks/1"):
            assert wire("GET", f"{unknown}/inputs").status_code == 404

    async def test_files_are_read_in_pieces_in_process(self, inputs: Path, folder: Path) -> None:
        """In this process, too, a file is read in pieces, and whole when it is saved."""
        (inputs / "large.bin").write_bytes(bytes(range(256)) * 100_000)
        transport = EmbeddedTransport(make(folder))
        async with httpx.AsyncClient(base_url="http://local", transport=transport) as client:
            async with client.stream("GET", f"{OF_TASK_1}/large.bin") as answer:
                pieces = [piece async for piece in answer.aiter_raw()]
            assert (await client.get(f"{OF_TASK_1}/nothing")).status_code == 404
            assert len((await client.get(OF_TASK_1)).json()["inputs"]) == 6
        assert max(map(len, pieces)) <= 256 * 1024
        assert b"".join(pieces) == (inputs / "large.bin").read_bytes()

    def test_file_has_inputs_beside_it(self, folder: Path, serve_app: ServeApp) -> None:
        """The inputs of a single dataset file are in the folder beside it."""
        assert "a.csv" in listed(Wire(serve_app(make(folder / "main.json"))))
