"""Logs of Inspect, read as the zip files of JSON that they are."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from benchmark_runner._stats.reduction import Reduction
from benchmark_runner.results.export.inspect_log import write_log

if TYPE_CHECKING:
    from benchmark_runner.results.run_view import RunView

Fields = dict[str, Any]


class Log:
    """The log of a run."""

    def __init__(self, view: RunView, reduce: str = "mean") -> None:
        file = io.BytesIO()
        self.count = write_log(view, file, Reduction.parse(reduce))
        self.content = file.getvalue()
        with ZipFile(file) as archive:
            self.names = archive.namelist()
            self.members = {name: archive.read(name) for name in self.names}

    def __getitem__(self, name: str) -> Any:
        return json.loads(self.members[f"{name}.json"])

    def sample(self, task_id: str, epoch: int = 1) -> Fields:
        return self[f"samples/{task_id}_epoch_{epoch}"]

    @property
    def samples(self) -> list[Fields]:
        return [json.loads(self.members[name]) for name in self.names if "samples/" in name]

    @property
    def score(self) -> Fields:
        """The only score of the results."""
        (score,) = self["header"]["results"]["scores"]
        return score

    @property
    def metrics(self) -> dict[str, float]:
        return {name: metric["value"] for name, metric in self.score["metrics"].items()}

    @property
    def reduced(self) -> dict[str, float]:
        """The score of each task."""
        (found,) = self["reductions"]
        return {each["sample_id"]: each["value"] for each in found["samples"]}
