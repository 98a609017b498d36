"""The identity and the settings of a run, as a log states them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.results.export.inspect_log.logs import Log
from tests.unit.results.report.runs import START, MadeRun

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.results.export.inspect_log.logs import Fields


def spec_of(folder: Path, reduce: str = "mean", **fields: Any) -> Fields:
    run = MadeRun(folder, fields=fields)
    run.graded("t1", 1.0)
    return Log(run.save(), reduce)["header"]["eval"]


class TestNames:
    def test_task_and_scorer_are_those_of_the_copy(self, tmp_path: Path) -> None:
        """The task and its scorer have the names under which a copy registers them."""
        spec = spec_of(tmp_path)

        assert spec["task"] == spec["task_registry_name"] == "my_bench_runner/my_bench"
        assert (spec["task_display_name"], spec["solver"]) == (
            "my-bench", "my_bench_runner/generate",
        )  # fmt: skip
        assert spec["scorers"] == [
            {
                "name": "my_bench_runner/evaluation",
                "options": {"dataset_file": "data/validation.json", "service_url": "local"},
                "metrics": [{"name": "inspect_ai/mean"}, {"name": "inspect_ai/stderr"}],
            }
        ]

    @pytest.mark.parametrize(
        ("source", "options"),
        [
            ("service", {"dataset_name": "validation", "dataset_version": "1.x"}),
            ("problem", {}),
        ],
    )
    def test_scorer_has_the_dataset_of_the_run(
        self, tmp_path: Path, source: str, options: Fields
    ) -> None:
        """A scorer of the copy evaluates with the dataset and the service of the run."""
        run = {"task_source": source, "dataset_version_selector": "1.x"}

        (scorer,) = spec_of(tmp_path, **run, service_url="https://g.example.com")["scorers"]

        assert scorer["options"] == {**options, "service_url": "https://g.example.com"}

    @pytest.mark.parametrize(
        ("model", "name"), [("openai/gpt-5", "openai/gpt-5"), ("local-1", "none/local-1")]
    )
    def test_model_always_has_a_provider(self, tmp_path: Path, model: str, name: str) -> None:
        """A model without a provider gets one that stands for none; its own name is kept, too."""
        spec = spec_of(tmp_path, model=model)

        assert (spec["model"], spec["metadata"]["model"]) == (name, model)

    def test_ids_are_those_of_the_run(self, tmp_path: Path) -> None:
        """The id of a log is that of the run and of how its repeats are reduced."""
        ids = [
            spec_of(tmp_path / "1")["eval_id"],
            spec_of(tmp_path / "1")["eval_id"],
            spec_of(tmp_path / "1", "max")["eval_id"],
            spec_of(tmp_path / "2", model="other")["eval_id"],
        ]

        assert ids[0] == ids[1]
        assert len({*ids}) == 3
        assert {len(each) for each in ids} == {22}


class TestSettings:
    def test_they_are_where_inspect_has_them(self, tmp_path: Path) -> None:
        """Sampling, options, repeats, dataset, code and versions are where Inspect has them."""
        spec = spec_of(
            tmp_path,
            sampling={"temperature": 0.5, "max_tokens": 9, "reasoning_effort": "high"},
            options={"tools": "all"},
            operational={"parallelism": 4},
            limit=1,
            dataset_size=50,
        )

        assert spec["model_generate_config"] == {
            "temperature": 0.5, "max_tokens": 9, "reasoning_effort": "high",
        }  # fmt: skip
        assert spec["task_args"] == {
            "dataset_file": "data/validation.json", "service_url": "local", "tools": "all",
        }  # fmt: skip
        assert spec["config"] == {
            "limit": 1, "epochs": 1, "epochs_reducer": ["mean"], "fail_on_error": False,
            "max_samples": 4,
        }  # fmt: skip
        assert spec["dataset"] == {
            "name": "validation", "location": "data/validation.json", "samples": 1,
            "sample_ids": ["t1"], "shuffled": False,
        }  # fmt: skip
        assert (spec["run_id"], spec["created"]) == ("r1", "2026-05-04T03:02:01+00:00")
        assert spec["tags"] == ["local", "first 1 of 50"]
        assert spec["packages"] == {"vals-benchmark-runner": "0.1.0", "my-bench-runner": "0.1.0"}
        assert spec["revision"] == {
            "type": "git",
            "origin": "",
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "dirty": True,
        }
        assert spec["metadata"]["generation_version"] == "g1"

    @pytest.mark.parametrize("effort", ["a lot", True, ["high"]])
    def test_effort_that_inspect_does_not_know(self, tmp_path: Path, effort: object) -> None:
        """An effort that Inspect does not know is in the metadata alone."""
        spec = spec_of(tmp_path, sampling={"reasoning_effort": effort})

        assert spec["model_generate_config"] == {}
        assert spec["metadata"]["sampling"] == {"reasoning_effort": effort}

    def test_imported_run_says_so(self, tmp_path: Path) -> None:
        """A run of answers that were made elsewhere has a tag that says so, and where from."""
        record = {"file": "a.jsonl", "sha256": "0" * 64, "answers": 1, "at": START}

        spec = spec_of(tmp_path, imported=record, local=False)

        assert spec["tags"] == ["imported"]
        assert spec["metadata"]["imported"]["file"] == "a.jsonl"

    def test_what_is_unknown_is_left_out(self, tmp_path: Path) -> None:
        """Facts that an older run does not record are left out."""
        unknown = dict.fromkeys(
            ("runner_commit", "runner_dirty", "runtime_version", "runner_version", "dataset_file")
        )

        spec = spec_of(tmp_path, **unknown)

        assert "revision" not in spec
        assert "location" not in spec["dataset"]
        assert spec["packages"] == {}
