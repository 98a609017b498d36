"""The answer of an agent, in what it printed or in a file."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.command_agent.output_log import OutputLog

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.command_agent.conftest import Agent

WRITE = "os.write(1, {!r})"


class TestTheLastLine:
    @pytest.mark.parametrize(
        ("printed", "answer"),
        [
            (b"thinking\n42\n", "42"),
            (b"no newline", "no newline"),
            (b"a\n\n \n\t\n", "a"),
            (b"10%\r20%\r  done \r\n", "done"),
            ("Ünïcode ✓\n".encode(), "Ünïcode ✓"),
            (b"\xff\xfe42\n", "\ufffd\ufffd42"),
            (b"a\n" + b"\n" * 10_000, "a"),
            (b"first\n" + b"x" * 9_000, "x" * 9_000),
        ],
    )
    def test_last_line_is_the_answer(self, agent: Agent, printed: bytes, answer: str) -> None:
        """The answer is the last line that is not empty, whatever its bytes."""
        assert agent.run(WRITE.format(printed)).answer == answer

    @pytest.mark.parametrize("printed", [b"", b"\n \n"])
    def test_nothing_printed_is_an_error(self, agent: Agent, printed: bytes) -> None:
        """An agent that ends well without an answer has failed."""
        assert "left no answer in its output" in str(agent.fail(WRITE.format(printed)))

    def test_text_for_an_output_format_is_an_error(self, agent: Agent) -> None:
        """A text where JSON is expected is no answer, and the error names the format."""
        failed = agent.fail("print('hello')", output="claude-code")
        assert str(failed).endswith("in its output, read with output='claude-code'")

    def test_an_endless_line_is_refused(self, agent: Agent) -> None:
        """A line that is longer than an answer may be is an error."""
        failed = agent.fail("print('x' * 2000)", answer_limit=1000)
        assert "longer than 1,000 bytes" in str(failed)


class TestAFile:
    def test_file_is_read(self, agent: Agent) -> None:
        """The answer is the text of the file that the argument names."""
        program = "open(sys.argv[1], 'w').write('the answer\\n'); print('other')"
        assert agent.run(program, "{answer_file}", answer_file="out.txt").answer == "the answer"

    def test_missing_file_is_an_error(self, agent: Agent) -> None:
        """An agent that ends well without the file has failed."""
        assert "left no answer in 'out.txt'" in str(agent.fail("pass", answer_file="out.txt"))

    @pytest.mark.parametrize(
        ("program", "reason"),
        [
            ("os.symlink('{secret}', 'out.txt')", "is a link"),
            ("os.symlink('/nowhere', 'out.txt')", "is a link"),
            ("os.mkfifo('out.txt')", "no regular file"),
            ("os.mkdir('out.txt')", "no regular file"),
            ("open('out.txt', 'w').write('x' * 2000)", "larger than 1,000 bytes"),
        ],
    )
    def test_what_is_no_file_is_refused(
        self, agent: Agent, tmp_path: Path, program: str, reason: str
    ) -> None:
        """A link, a pipe, a folder, or too large a file is no answer."""
        (tmp_path / "secret").write_text("secret")
        program = program.format(secret=tmp_path / "secret")
        failed = agent.fail(program, answer_file="out.txt", answer_limit=1000)
        assert reason in str(failed)
        assert not failed.result.answer

    def test_a_folder_that_leads_out_is_refused(self, agent: Agent, tmp_path: Path) -> None:
        """So is a file below a folder that is a link out of the workspace."""
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "out.txt").write_text("secret")
        program = f"os.symlink({os.fspath(tmp_path / 'elsewhere')!r}, 'sub')"
        assert "not in the workspace" in str(agent.fail(program, answer_file="sub/out.txt"))

    def test_a_loop_of_links_is_refused(self, agent: Agent) -> None:
        """So is a file below a link that leads to itself."""
        failed = agent.fail("os.symlink('sub', 'sub')", answer_file="sub/out.txt")
        assert "the answer 'out.txt' can't be read" in str(failed)


class TestAFullDisk:
    @pytest.fixture(autouse=True)
    def full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(log: OutputLog, _: bytes) -> None:
            log.error = OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(OutputLog, "_put", refuse)

    def test_answer_in_a_file_counts(self, agent: Agent) -> None:
        """Logs that can't be written cost no answer that is in a file."""
        result = agent.run("open('out.txt', 'w').write('42'); print(1)", answer_file="out.txt")
        assert result.answer == "42"
        assert result.metadata["command"]["stdout_error"] == "No space left on device"

    @pytest.mark.parametrize("output", ["text", "codex", "claude-code"])
    def test_answer_in_the_output_is_unknown(self, agent: Agent, output: str) -> None:
        """Of an output that can't be written, the last line that was is no answer."""
        failed = agent.fail("print(1)", output=output)
        assert "output can't be written: No space left on device" in str(failed)
