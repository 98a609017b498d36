from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.datasets import build_tasks, open_dataset, read_dataset
from benchmark_runner.errors import DatasetError
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        read_dataset(path)
    return caught.value.message


def ids(path: Path) -> list[object]:
    return [row["id"] for row in read_dataset(path).rows]


class TestReading:
    def test_json_is_read_in_the_files_order(self, write: Write) -> None:
        """JSON is read in the order of the file, and its dataset_name is the name."""
        tests = [{"id": name, "question": f"{name}?"} for name in ("z", "a", "10", "9")]
        path = write("data.json", json.dumps({"dataset_name": "validation", "tests": tests}))

        dataset = read_dataset(path)

        assert dataset.rows == tests
        assert (dataset.name, dataset.declared_name) == ("validation", "validation")

    def test_json_may_be_just_the_list(self, write: Write) -> None:
        """JSON may be a list without a name; the dataset is then named after the file."""
        path = write("hard.json", '[{"id": "b", "question": "q"}, {"id": "a", "question": "q"}]')

        assert ids(path) == ["b", "a"]
        assert (read_dataset(path).name, read_dataset(path).declared_name) == ("hard", None)

    def test_jsonl_keeps_order_and_skips_blank_lines(self, write: Write) -> None:
        """JSONL is read in the order of the file; blank lines are skipped."""
        path = write("data.jsonl", '{"id": "b", "question": "q"}\n\n  \r\n{"id": "a"}\r\n')

        assert ids(path) == ["b", "a"]

    def test_csv_keeps_order_and_quoted_cells(self, write: Write) -> None:
        """CSV is read in the order of the file; quoted cells may hold line breaks."""
        path = write(
            "data.csv", 'id,question,level\r\nb,"one, or\ntwo?",3\r\n\r\na,"say ""x""",\r\n'
        )

        assert read_dataset(path).rows == [
            {"id": "b", "question": "one, or\ntwo?", "level": "3"},
            {"id": "a", "question": 'say "x"'},
        ]

    def test_empty_cell_is_a_missing_field(self, write: Write) -> None:
        """An empty cell of CSV is a field that was left out."""
        path = write("data.csv", "id,question,timeout\nt1,q,\nt2,q,5\n")

        tasks = build_tasks(read_dataset(path).rows, Task, frozenset(), str(path))

        assert [task.timeout for task in tasks] == [None, 5.0]

    @pytest.mark.parametrize("name", ["DATA.JSON", "data.Jsonl", "Data.CSV"])
    def test_case_of_the_file_ending_is_ignored(self, write: Write, name: str) -> None:
        """The ending of the file is recognised in any case."""
        content = "id,question\nt1,q\n" if name.endswith("CSV") else '{"id": "t1"}'
        path = write(name, f"[{content}]" if name.endswith("JSON") else content)

        assert ids(path) == ["t1"]

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("data.json", '{"tests": [{"id": "ü", "question": "q"}]}'),
            ("data.jsonl", '{"id": "ü", "question": "q"}'),
            ("data.csv", "id,question\nü,q"),
        ],
    )
    def test_byte_order_mark_is_skipped(self, write: Write, name: str, content: str) -> None:
        """A byte order mark at the start of a file is not part of its data."""
        path = write(name, b"\xef\xbb\xbf" + content.encode())

        assert read_dataset(path).rows == [{"id": "ü", "question": "q"}]

    @pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85"])
    def test_only_a_line_feed_ends_a_jsonl_line(self, write: Write, character: str) -> None:
        """Other Unicode line separators do not end a line of JSONL."""
        row = {"id": "t1", "question": f"one{character}two"}
        path = write("data.jsonl", json.dumps(row, ensure_ascii=False) + "\n")

        assert read_dataset(path).rows == [row]

    def test_long_question_is_read_from_csv(self, write: Write) -> None:
        """A CSV cell may be as long as a JSON text."""
        question = "x" * 200_000
        path = write("data.csv", f"id,question\nt1,{question}\n")

        assert read_dataset(path).rows == [{"id": "t1", "question": question}]

    def test_a_whole_number_as_id_becomes_its_digits(self, write: Write) -> None:
        """A whole number as id becomes its digits; a text keeps its leading zeros."""
        assert ids(write("data.json", '[{"id": 7}, {"id": "007"}]')) == ["7", "007"]

    def test_values_keep_their_json_type(self, write: Write) -> None:
        """Values of JSON keep their types."""
        row = {"id": "t1", "question": "q", "n": 1, "x": 1.0, "yes": True, "no": None, "l": [{}]}
        path = write("data.json", json.dumps([row]))

        assert json.dumps(read_dataset(path).rows[0]) == json.dumps(row)


class TestRefusals:
    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        """A file that does not exist is refused with its path."""
        path = tmp_path / "nowhere.json"

        assert refusal(path) == f"{path}: no such file"

    def test_folder_is_refused(self, tmp_path: Path) -> None:
        """A folder is refused as a dataset."""
        path = tmp_path / "data.json"
        path.mkdir()

        assert refusal(path).startswith(f"{path}: ")

    @pytest.mark.parametrize("name", ["data.yaml", "data", "data.json.gz"])
    def test_unknown_file_ending_is_refused(self, write: Write, name: str) -> None:
        """Another ending is refused with the list of those that work."""
        message = refusal(write(name, "[]"))

        assert name in message
        assert ".json, .jsonl or .csv" in message

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("data.json", "[]"),
            ("data.json", '{"tests": []}'),
            ("data.jsonl", ""),
            ("data.jsonl", "\n\n"),
            ("data.csv", ""),
            ("data.csv", "id,question\n"),
        ],
    )
    def test_a_dataset_without_tasks_is_refused(
        self, write: Write, name: str, content: str
    ) -> None:
        """A dataset without tasks is refused in each format."""
        assert refusal(write(name, content)).endswith("holds no tasks")

    @pytest.mark.parametrize(
        ("name", "content", "line"),
        [
            ("data.json", b'[{"id": "a"},\n {"id": "\xff"}]', 2),
            ("data.jsonl", b'{"id": "a"}\n\n{"id": "\xe4"}\n', 3),
            ("data.csv", b"id,question\na,q\nb,\xfc\n", 3),
            ("data.json", "[]".encode("utf-16"), 1),
        ],
    )
    def test_non_utf8_text_is_refused_with_its_line(
        self, write: Write, name: str, content: bytes, line: int
    ) -> None:
        """Text that is not UTF-8 is refused with the number of its line."""
        path = write(name, content)

        assert refusal(path) == f"{path}, line {line}: not UTF-8 text"

    def test_non_utf8_line_counts_from_the_start(self, write: Write) -> None:
        """The line of text that is not UTF-8 counts from the start of a long file."""
        lines = [
            b'{"id": "%d", "question": "%s"}\n' % (number, b"q" * 1000) for number in range(99)
        ]
        path = write("data.jsonl", b"".join(lines) + b'{"id": "\xe4"}\n')

        assert refusal(path) == f"{path}, line 100: not UTF-8 text"

    def test_broken_json_is_refused_with_the_place(self, write: Write) -> None:
        """Broken JSON is refused with the place of the error."""
        message = refusal(write("data.json", '[{"id": "a"},\n{"id": b}]'))

        assert "not valid JSON" in message
        assert "line 2" in message

    def test_an_empty_json_file_is_refused(self, write: Write) -> None:
        """An empty JSON file is refused as invalid JSON."""
        assert "not valid JSON" in refusal(write("data.json", ""))

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
    def test_numbers_that_json_does_not_have_are_refused(self, write: Write, number: str) -> None:
        """NaN and Infinity are refused as invalid JSON."""
        assert "not valid JSON" in refusal(write("data.json", f'[{{"id": "a", "n": {number}}}]'))

    def test_broken_jsonl_line_is_refused(self, write: Write) -> None:
        """A broken line of JSONL is refused with its number and the place in it."""
        path = write("data.jsonl", '{"id": "a"}\n\n{"id": "b"\n')

        assert refusal(path).startswith(f"{path}, line 3: not valid JSON")
        assert refusal(path).endswith("at line 1 column 10")  # of that line

    def test_jsonl_tasks_are_read_lazily(self, write: Write) -> None:
        """Tasks of JSONL are read one by one, so a later error comes later."""
        path = write("data.jsonl", '{"id": "a"}\n{"id": "b"\n')

        _, rows = open_dataset(path)

        assert next(rows) == {"id": "a"}
        with pytest.raises(DatasetError, match="line 2: not valid JSON"):
            next(rows)

    @pytest.mark.parametrize(
        "content", ['"text"', "5", "null", "{}", '{"tests": {"a": 1}}', '{"tests": "a"}']
    )
    def test_json_without_a_list_of_tests_is_refused(self, write: Write, content: str) -> None:
        """JSON that has no list of tests is refused."""
        assert "field tests" in refusal(write("data.json", content))

    @pytest.mark.parametrize("name", ["3", '""', '" "', "[]"])
    def test_dataset_name_must_be_text(self, write: Write, name: str) -> None:
        """A dataset_name that is no text, or is a broken one, is refused."""
        content = f'{{"dataset_name": {name}, "tests": [{{"id": "a"}}]}}'

        assert "field dataset_name" in refusal(write("data.json", content))

    @pytest.mark.parametrize(
        ("name", "content", "line"),
        [
            ("data.json", '[\n  {"id": "a"},\n\n  5\n]', 4),
            ("data.json", '{"tests": [{\n"id": "a"\n},\n"b"]}', 4),
            ("data.jsonl", '{"id": "a"}\n["b"]\n', 2),
        ],
    )
    def test_task_that_is_no_object_is_refused(
        self, write: Write, name: str, content: str, line: int
    ) -> None:
        """A task that is no object is refused with its line."""
        assert f"line {line}: a task must be an object" in refusal(write(name, content))

    @pytest.mark.parametrize(
        ("name", "content", "line"),
        [
            ("data.json", '[\n {\n  "id": "a"\n },\n {\n  "question": "q"\n }\n]', 5),
            ("data.jsonl", '{"id": "a"}\n{"question": "q"}', 2),
            ("data.csv", 'id,question\na,"two\nlines"\n,q\n', 4),
        ],
    )
    def test_task_without_an_id_is_refused(
        self, write: Write, name: str, content: str, line: int
    ) -> None:
        """A task without an id is refused with its line and the field."""
        assert f"line {line}, field id: missing" in refusal(write(name, content))

    @pytest.mark.parametrize("value", ["true", "1.5", "[]", "{}"])
    def test_an_id_of_another_type_is_refused(self, write: Write, value: str) -> None:
        """An id that is neither a text nor a whole number is refused with its line."""
        message = refusal(write("data.json", f'[\n{{"id": {value}, "question": "q"}}]'))

        assert "line 2, field id: must be a text" in message

    @pytest.mark.parametrize("value", ["../up", "a/b", "", "..", "a\\b", "run_config.json"])
    def test_unsafe_id_is_refused(self, write: Write, value: str) -> None:
        """An id that can't name a folder is refused with its line."""
        content = json.dumps([{"id": "a"}, {"id": value}], indent=1)

        assert "line 5, field id: " in refusal(write("data.json", content))

    @pytest.mark.parametrize(
        ("name", "content", "first", "second"),
        [
            ("data.json", '[{"id": "a"},\n{"id": "b"},\n\n{"id": "a"}]', 1, 4),
            ("data.json", '{"dataset_name": "x",\n"tests": [{"id": 1},\n{"id": "1"}]}', 2, 3),
            ("data.jsonl", '{"id": "a"}\n{"id": "b"}\n{"id": "a"}\n', 1, 3),
            ("data.csv", "id,question\na,q\nb,q\na,q\n", 2, 4),
        ],
    )
    def test_a_repeated_id_is_refused_with_both_lines(
        self, write: Write, name: str, content: str, first: int, second: int
    ) -> None:
        """A repeated id is refused with the lines of both tasks."""
        message = refusal(write(name, content))

        assert f"line {second}, field id: " in message
        assert f"taken by line {first}" in message

    @pytest.mark.parametrize(
        "content",
        [
            '{"about": {"tests": []},\n"tests": [{"id": "a"},\n{"id": "a"}]}',
            '{"about": {"tasks": [1, 2, 3]},\n"tests": [{"id": "a"},\n{"id": "a"}]}',
            '{"tasks": [{"id": "x"}],\n"tests": [{"id": "a"},\n{"id": "a"}]}',
        ],
    )
    def test_other_lists_do_not_mislead_the_line(self, write: Write, content: str) -> None:
        """Other lists in the file do not change the line of an error."""
        assert "line 3, field id: 'a' is taken by line 2" in refusal(write("data.json", content))

    @pytest.mark.parametrize("row", ["a,q,extra", "a"])
    def test_csv_row_of_another_length_is_refused(self, write: Write, row: str) -> None:
        """A CSV row with too many or too few cells is refused with its line."""
        assert "line 3: " in refusal(write("data.csv", f"id,question\nb,q\n{row}\n"))

    def test_unclosed_csv_quote_is_refused(self, write: Write) -> None:
        """A quote in CSV that is not closed is refused with its line."""
        assert "line 2: " in refusal(write("data.csv", 'id,question\na,"b\n'))

    def test_repeated_csv_column_is_refused(self, write: Write) -> None:
        """A CSV column that is there twice is refused by name."""
        assert "question" in refusal(write("data.csv", "id,question,question\na,lost,kept\n"))
