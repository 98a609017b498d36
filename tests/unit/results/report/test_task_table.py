"""The tasks as data of a page: small enough, and unpacked task by task."""

from __future__ import annotations

import gzip
import json
import random
import string
from base64 import b64decode
from typing import Any

import pytest

from benchmark_runner.results.report import task_table
from benchmark_runner.results.report.task_table import Column, Entry, Link, TaskTable, script_json
from tests.unit.results.report.pages import texts

STATE, SCORE = Column("State", "state", filtered=True), Column("Score", "score", wide=True)


def unpacked(table: TaskTable) -> list[dict[str, Any]]:
    parts = [json.loads(gzip.decompress(b64decode(part))) for part in table.parts]
    return [task for part in parts for task in part]


def test_each_task_is_at_its_place() -> None:
    """Each task is at its place in the index and in the parts."""
    table = TaskTable([STATE], 120, texts())
    for number in range(120):
        table.add(Entry(task_id=f"t{number}", cells=["scored"], texts={"Answer": f"a{number}"}))

    index = json.loads(table.index())

    assert len(table) == 120
    assert [row[0] for row in index["rows"]] == [f"t{number}" for number in range(120)]
    assert [each["texts"] for each in unpacked(table)] == [
        [["Answer", f"a{number}", 0, ""]] for number in range(120)
    ]
    assert -(-120 // index["part"]) == len(table.parts)


def test_column_without_values_is_left_out() -> None:
    """A column without values is left out."""
    table = TaskTable([STATE, SCORE], 1, texts())
    table.add(Entry(task_id="t", cells=["scored", None]))

    index = json.loads(table.index())

    assert index["columns"] == [{"label": "State", "kind": "state", "filter": True, "wide": False}]
    assert index["rows"] == [["t", "", "", "scored"]]


def test_empty_facts_are_left_out() -> None:
    """Empty facts are left out, and empty texts are kept."""
    table = TaskTable([], 1, texts())
    link = Link("Logs", "./t/agent_logs/", "t/agent_logs")
    entry = Entry(task_id="t", facts={"Cost": "", "Turns": "3"}, texts={"Answer": ""}, links=[link])
    table.add(entry)
    table.index()

    assert unpacked(table) == [
        {
            "facts": [["Turns", "3"]],
            "texts": [["Answer", "", 0, ""]],
            "links": [["Logs", "./t/agent_logs/", "t/agent_logs"]],
            "whole": "",
        }
    ]


@pytest.mark.parametrize(("count", "longest"), [(10, 20_000), (5_000, 1_200), (100_000, 500)])
def test_more_tasks_have_shorter_texts(count: int, longest: int) -> None:
    """The more tasks there are, the shorter are their texts."""
    table = TaskTable([], count, texts())
    table.add(Entry(task_id="t", texts={"Answer": "x" * 100_000}))
    table.index()

    ((_, head, left_out, tail),) = unpacked(table)[0]["texts"]

    assert len(head) + len(tail) == longest
    assert left_out == 100_000 - longest


def test_page_size_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Texts that can't be compressed do not make the page too large."""
    monkeypatch.setattr(task_table, "_PACKED", 200_000)
    chance = random.Random(1)
    table = TaskTable([], 500, texts())
    for number in range(500):
        noise = "".join(chance.choices(string.printable[:94], k=4_000))
        table.add(Entry(task_id=f"t{number}", texts={"Answer": noise}))
    table.index()

    found = unpacked(table)

    assert sum(map(len, table.parts)) < 200_000 + 2 * len(table.parts[0]) + 500 * 600
    assert found[0]["texts"][0][2] == 0
    assert found[-1]["texts"][0][2] == 3_500


def test_json_cannot_leave_its_script_element() -> None:
    """JSON can't leave its script element and is read as it was."""
    value = ["</script><!--&", "\u2028\u2029"]

    written = script_json(value)

    assert not set(written) & set("<>&\u2028\u2029")
    assert json.loads(written) == value
