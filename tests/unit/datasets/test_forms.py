"""Dataset files as other programs and tired people write them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.datasets import open_dataset, read_dataset
from benchmark_runner.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [{"id": "a", "question": "q"}, {"id": "b", "question": "r", "answer": "1"}]


@pytest.mark.parametrize(
    "text",
    [
        "id,question,answer\na,q,\nb,r,1\n",
        "id,question,answer,,\na,q,,,\nb,r,1,,\n",
        "id,question,answer,,\na,q,\nb,r,1,\n",
        "id,question,answer\na,q,,,,\nb,r,1, ,\n",
        "id,question,answer, \na,q,,\nb,r,1,\n,,,\n , ,,\n",
        "id,,question,,answer\na,,q,,\nb,,r,,1\n",
        "\ufeffid,question,answer,,\r\na,q,,,\r\nb,r,1,,\r\n",
        "\n,,\nid,question,answer\na,q,\nb,r,1\n",
    ],
)
def test_csv_of_a_spreadsheet_is_read(tmp_path: Path, text: str) -> None:
    """Empty columns, cells and rows around the table are left out."""
    path = tmp_path / "data.csv"
    path.write_text(text, newline="")
    assert read_dataset(path).rows == ROWS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,question,,\na,q,lost,\n", "line 2: 'lost' stands in a column without a name"),
        ("id,question\na,q,lost\n", "line 2: 3 cells, where the header has 2"),
        ("id,question,answer\na,q\n", "line 2: 2 cells, where the header has 3"),
        ("id,question,question,,\na,q,r,,\n", "the header names question twice"),
        ("id;question\na;q\n", "line 1: the header names no column id: 'id;question'"),
        ("sep=;\nid;question\na;q\n", "line 1: the header names no column id"),
    ],
)
def test_csv_that_would_lose_a_cell_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """A cell that would be lost is an error with its line."""
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=said):
        read_dataset(path)


def test_pipe_is_no_dataset(tmp_path: Path) -> None:
    """A named pipe is refused: reading it could wait for ever."""
    path = tmp_path / "data.json"
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="a pipe"):
        read_dataset(path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "data.json",
            '[{"id": "a", "question": "q", "answer": 1, "answer": 2}]',
            "task 'a' has the key 'answer' twice",
        ),
        ("data.json", '{"tests": [], "tests": [{"id": "a"}]}', "has the key 'tests' twice"),
        (
            "data.jsonl",
            '{"id": "a", "question": "q"}\n{"id": "b", "question": "q", "question": "r"}\n',
            "line 2: task 'b' has the key 'question' twice",
        ),
    ],
)
def test_key_that_occurs_twice_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    """A key that occurs twice is refused, as only one of its values would count."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DatasetError, match=said):
        read_dataset(path)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"dataset_name": "d", "domain": "law", "v": 2, "tests": [{"id": "a"}]}', ["domain", "v"]),
        ('{"tests": [{"id": "a"}], "tasks": []}', ["tasks"]),
        ('{"tasks": [{"id": "a"}]}', []),
        ('[{"id": "a", "domain": "law"}]', []),
    ],
)
def test_unused_fields_are_named(tmp_path: Path, text: str, names: list[str]) -> None:
    """The fields beside the tasks that nothing reads are named."""
    path = tmp_path / "data.json"
    path.write_text(text)
    unused = ["of another file"]
    open_dataset(path, unused)
    assert unused == names
