"""Other programs: their time limit, signals, and the secrets in what they print."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.cli.doctor import drift, processes, updates
from tests.cli.doctor.repositories import KEY, checks, write_answers

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.cli.conftest import RunnerProject


class TestTime:
    def test_silent_repository_is_given_up(
        self,
        healthy: RunnerProject,
        silent: socket.socket,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        """A repository that does not answer is given up, and nothing is left."""
        monkeypatch.setattr(updates, "_REMOTE_TIME", 0.3)
        monkeypatch.setattr(drift, "_RENDERING_TIME", 2)
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        write_answers(healthy, _src_path=f"git://127.0.0.1:{silent.getsockname()[1]}/x.git")
        ended = healthy.run("doctor", "--json", TMPDIR=str(tmp_path / "temporary"))
        found = checks(ended)
        for name, seconds in (("template", "0.3"), ("drift", "2")):
            assert found[name]["status"] == "not_checked"
            assert f"was not done after {seconds} seconds" in found[name]["message"]
        assert [*(tmp_path / "temporary").iterdir()] == []

    @pytest.mark.parametrize("as_json", [True, False])
    def test_signal_ends_doctor_and_its_children(
        self, healthy: RunnerProject, silent: socket.socket, as_json: bool
    ) -> None:
        """A signal ends the command and the processes that it started."""
        # Over http git has a child of its own that asks.
        write_answers(healthy, _src_path=f"git+http://127.0.0.1:{silent.getsockname()[1]}/x")
        process = healthy.start("doctor", *(["--json"] if as_json else []))
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(30)
            process.send_signal(signal.SIGTERM)
            ended = healthy.end(process)
            while connection.recv(4096):  # until git is gone
                pass
        assert ended.code == 143
        if as_json:
            assert ended.json["error"]["type"] == "Interrupted"
        else:
            assert "stopped by SIGTERM" in ended.err

    @pytest.mark.parametrize("steps", range(8))
    def test_cancelled_start_leaves_no_process(self, tmp_path: Path, steps: int) -> None:
        """A call that is cancelled while the program starts leaves none of its processes."""
        sleep = f"sleep 60.{os.getpid()}{steps}"

        async def cancel_a_call() -> None:
            call = asyncio.create_task(processes.call("sh", "-c", f"{sleep} & wait", cwd=tmp_path))
            for _ in range(steps):
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        asyncio.run(cancel_a_call())
        running = subprocess.run(["ps", "-eo", "args"], stdout=subprocess.PIPE, check=True)
        assert sleep.encode() not in running.stdout


def test_foreign_message_hides_user_info(
    tmp_path: Path,
) -> None:
    """The message of another program is shown without user info."""
    complain = "echo fatal: no access to https://me:pw@example.com/x >&2; exit 128"
    with pytest.raises(processes.ProgramError) as caught:
        asyncio.run(processes.call("sh", "-c", complain, cwd=tmp_path))
    assert str(caught.value) == "no access to https://example.com/x"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("flags", [["--json"], []])
def test_secrets_of_addresses_are_not_shown(healthy: RunnerProject, flags: list[str]) -> None:
    """No secret of an address or the environment is shown."""
    hidden = ("s3cret-in-source", "s3cret-in-service", "pw", "s3cret-in-query")
    write_answers(healthy, _src_path=f"https://me:{hidden[0]}@127.0.0.1:1/x.git")
    service = f"http://me:{hidden[1]}@127.0.0.1:1"
    ended = healthy.execute("doctor", *flags, "--service-url", service, VALS_AUTH_KEY=KEY)
    assert ended.code == 1
    source = f"git+https://me:{hidden[2]}@127.0.0.1:1/x?private_token={hidden[3]}"
    write_answers(healthy, _src_path=source)
    short = healthy.execute("doctor", *flags)
    shown = ended.out + ended.err + short.out + short.err
    for secret in (*hidden[:2], f":{hidden[2]}@", hidden[3], KEY):
        assert secret not in shown
