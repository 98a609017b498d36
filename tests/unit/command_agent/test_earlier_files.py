"""What stands in a workspace before a command is not taken for its work."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.command_agent.conftest import NEVER
from tests.unit.command_agent.test_ending import until_ready
from tests.unit.command_agent.test_reports import MINI

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.command_agent.conftest import Agent


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


class TestAnswer:
    def test_an_earlier_one_is_none(self, agent: Agent, workspace: Path) -> None:
        """The answer of another task is not that of a command that leaves none."""
        (workspace / "out.txt").write_text("41")
        failed = agent.fail("print(1)", workspace=workspace, answer_file="out.txt")
        assert "left no answer in 'out.txt': the file is as it was before" in str(failed)

    @pytest.mark.parametrize("text", ["41", "42"])
    def test_one_that_is_written_counts(self, agent: Agent, workspace: Path, text: str) -> None:
        """An answer that a command writes again counts, also if it is the same."""
        (workspace / "out.txt").write_text("41")
        program = f"open('out.txt', 'w').write({text!r})"
        assert agent.run(program, workspace=workspace, answer_file="out.txt").answer == text

    def test_an_earlier_report_is_none(self, agent: Agent) -> None:
        """The report of the first command of a generation is not that of the second one."""
        program = "open(sys.argv[1], 'w').write({!r}); sys.exit({})"
        agent.run(program.format(json.dumps(MINI), 0), "{report_file}", output="mini-swe-agent")
        failed = agent.fail("sys.exit(1)", output="mini-swe-agent")
        assert (failed.result.answer, failed.result.cost) == ("", None)


class TestTrajectory:
    def test_an_earlier_one_is_not_copied(self, agent: Agent, workspace: Path) -> None:
        """The trajectory of another task does not count for the cost of this one."""
        (workspace / "trajectory.json").write_text("{}")
        agent.run("print(1)", workspace=workspace)
        assert not (agent.logs / "trajectory.json").exists()

    def test_one_of_a_cancelled_call_is_copied(self, agent: Agent, workspace: Path) -> None:
        """The trajectory that a command had written before it was cancelled is in the logs."""

        async def cancel() -> None:
            program = f"open('trajectory.json', 'w').write('{{}}'); hold(); time.sleep({NEVER})"
            call = asyncio.create_task(agent.start(program, workspace=workspace))
            await until_ready(agent)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        asyncio.run(cancel())
        assert (agent.logs / "trajectory.json").read_text() == "{}"
