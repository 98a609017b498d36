from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.local.sample_service import CANARY, KEY, Wire, make, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    ServeApp = Callable[[ASGIApp], str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tests = [
        {"id": str(number), "question": f"{number}?", "answer": f"{CANARY}-{number}"}
        for number in range(1, 5)
    ]
    tests[0]["timeout"] = 30
    write(tmp_path / "main.json", {"dataset_name": "validation", "tests": tests})
    write(tmp_path / "default.json", [{"id": "d1", "question": "?", "answer": "yes"}])
    (tmp_path / "table.csv").write_text("id,question,answer\nc1,?,yes\n")
    (tmp_path / "broken.jsonl").write_text("{")
    (tmp_path / "notes.txt").write_text("not a dataset")
    return tmp_path


@pytest.fixture
def wire(serve_app: ServeApp, folder: Path) -> Wire:
    return Wire(serve_app(make(folder)))


@pytest.fixture
def locked(serve_app: ServeApp, folder: Path) -> Wire:
    return Wire(serve_app(make(folder, key=KEY)))
