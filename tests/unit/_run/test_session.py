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

    async def test_each_freeze_writes_all_hashes(self, bench: Bench) -> None:
        """Each freeze writes all task hashes."""
        session = await bench.start()
        frozen = self.on_disk(session)
        session.freeze("run", {})
        assert self.on_disk(session) == frozen
        assert [*frozen] == ["b", "a", "c"]

    async def test_evaluate_keeps_the_hashes(self, bench: Bench) -> None:
        """A command that only evaluates leaves the task hashes as they are."""
        frozen = self.on_disk(await bench.start())
        bench.file.unlink()  # what the tasks held can't be known
        session = await bench.open_graded(needs_file=False)
        session.freeze("evaluate", {})
        assert self.on_disk(session) == frozen

    async def test_missing_hashes_are_an_error(self, bench: Bench) -> None:
        """Without the config that holds the hashes nothing is written."""
        await bench.start()
        session = await bench.open_graded()
        session.artifacts.run_config_path.unlink()
        with pytest.raises(ArtifactError) as caught:
            session.freeze("evaluate", {})
        assert str(session.artifacts.run_config_path) in caught.value.message
        assert not session.artifacts.run_config_path.exists()

    async def test_frozen_while_hashes_match(self, bench: Bench) -> None:
        """A run is frozen while its task hashes are those on disk."""
        session = await bench.open()
        assert not session.is_frozen()
        session.freeze("run", {})
        assert (await bench.open()).is_frozen()
        bench.write([{**ROWS[0], "question": "another?"}, *ROWS[1:]])
        assert not (await bench.open(accept_changed_tasks=True)).is_frozen()

    async def test_key_inside_a_hash_or_id_is_kept(self, bench: Bench) -> None:
        """A key that is part of a hash or an id does not spoil them."""
        bench.write([{"id": "letter-number-1", "question": "first letter?"}])
        (content_hash,) = dict((await bench.open()).task_hashes()).values()
        request = RunRequest(default_model="m", default_file=bench.file)
        redactor = Redactor([content_hash[8:24], "letter-number", "another-key"])
        artifacts = RunArtifacts(bench.results, "r1", redactor)
        session = await open_run(SampleRunner("local"), artifacts, request, bench.connect)
        session.freeze("run", {"service_url": "another-key"})
        assert self.on_disk(session) == {"letter-number-1": content_hash}
        assert '"service_url": "***"' in artifacts.run_config_path.read_text()
