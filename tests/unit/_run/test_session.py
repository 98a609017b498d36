from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._redaction import Redactor
from benchmark_runner._run.open import open_run
from benchmark_runner._run.request import RunRequest
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.checkpoint import load_run_config
from benchmark_runner.errors import ArtifactError
from tests.unit._run.sessions import ROWS, Bench, SampleRunner

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner._run.session import Session

pytestmark = pytest.mark.anyio


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class TestHashesOfTheTasks:
    """They are large, and so they are made, or read, when they are written, and never kept."""

    def on_disk(self, session: Session) -> dict[str, str]:
        config = load_run_config(session.artifacts)
        assert config is not None
        return config.task_hashes

    async def test_each_freezing_writes_all_of_them(self, bench: Bench) -> None:
        session = await bench.start()
        frozen = self.on_disk(session)
        session.freeze("run", {})
        assert self.on_disk(session) == frozen
        assert [*frozen] == ["b", "a", "c"]

    async def test_a_command_that_grades_leaves_them_as_they_are(self, bench: Bench) -> None:
        frozen = self.on_disk(await bench.start())
        bench.file.unlink()  # what the tasks held can't be known
        session = await bench.open_graded(needs_file=False)
        session.freeze("evaluate", {})
        assert self.on_disk(session) == frozen

    async def test_without_the_file_that_holds_them_none_are_written(self, bench: Bench) -> None:
        await bench.start()
        session = await bench.open_graded()
        session.artifacts.run_config_path.unlink()
        with pytest.raises(ArtifactError) as caught:
            session.freeze("evaluate", {})
        assert str(session.artifacts.run_config_path) in caught.value.message
        assert not session.artifacts.run_config_path.exists()

    async def test_a_run_is_frozen_while_they_are_those_on_disk(self, bench: Bench) -> None:
        session = await bench.open()
        assert not session.is_frozen()
        session.freeze("run", {})
        assert (await bench.open()).is_frozen()
        bench.write([{**ROWS[0], "question": "another?"}, *ROWS[1:]])
        assert not (await bench.open(accept_changed_tasks=True)).is_frozen()

    async def test_a_key_that_stands_in_one_or_in_an_id_spoils_none(self, bench: Bench) -> None:
        bench.write([{"id": "letter-number-1", "question": "first letter?"}])
        (content_hash,) = dict((await bench.open()).task_hashes()).values()
        request = RunRequest(default_model="m", default_file=bench.file)
        redactor = Redactor([content_hash[8:24], "letter-number", "another-key"])
        artifacts = RunArtifacts(bench.results, "r1", redactor)
        session = await open_run(SampleRunner("local"), artifacts, request, bench.connect)
        session.freeze("run", {"service_url": "another-key"})
        assert self.on_disk(session) == {"letter-number-1": content_hash}
        assert '"service_url": "***"' in artifacts.run_config_path.read_text()
