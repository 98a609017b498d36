"""Secrets on their way into what is printed, whatever echoes them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios

import pytest

from tests.cli.planted_secrets import (
    AGENT,
    PLANTED,
    USER,
    Planted,
)


class TestOutput:
    def test_json_holds_no_secret(self, planted: Planted) -> None:
        """The JSON object holds no secret."""
        ended = planted.call(*planted.run("--json"))
        assert ended.code == 1
        errors = [failure["error"] for failure in ended.json["failures"]]
        assert sorted(error.partition(" <***> <'***'> <")[0] for error in errors) == [
            "RuntimeError: chained",
            "ValueError: raised",
            "said",
        ]
        assert ended.json["resume_command"].endswith(f"--service-url {planted.service.url}")

    def test_resume_command_holds_no_secret(self, planted: Planted) -> None:
        """The resume command holds neither key nor user name."""
        planted.ask("answer")
        ended = planted.call(*planted.run())
        assert ended.code == 0, ended.err
        assert ended.resume_command.endswith(f"run --run-id r1 --service-url {planted.service.url}")
        assert "***" not in ended.resume_command

    def test_terminal_shows_no_secret(self, planted: Planted) -> None:
        """A terminal shows no secret."""
        planted.ask("answer")
        planted.service.knows = [PLANTED["--option"]]
        planted.service.statuses["/evaluate-response/"] = [500]
        code, shown = on_a_terminal(planted, *planted.run())
        assert code == 0
        planted.check(shown)
        assert "1 to retry, the next in 1 s: HTTP 500: heard *** *** " in shown
        assert "Score" in shown

    def test_interrupted_run_shows_no_secret(self, planted: Planted) -> None:
        """An interrupted run shows no secret."""
        planted.ask("answer", "raise", "wait")
        reader, writer = os.pipe()
        process = planted.project.start(*planted.run(), ready=writer, **planted.environment)
        os.close(writer)
        with os.fdopen(reader) as ready:
            assert ready.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        ended = planted.project.end(process)
        assert ended.code == 130
        assert "What was finished is kept" in ended.err
        planted.check(ended.out + ended.err)

    @pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "JSON"])
    def test_failed_load_shows_no_secret(self, planted: Planted, as_json: list[str]) -> None:
        """A dataset that fails to load shows no secret."""
        planted.project.set_in_class(
            "def load_tasks(self, dataset_file):\n        raise ValueError(echo('refused'))"
        )
        ended = planted.call(*planted.run(*as_json))
        assert ended.code == 2
        assert "refused <***> <" in ended.out + ended.err

    @pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "JSON"])
    def test_failed_import_shows_no_secret(self, planted: Planted, as_json: list[str]) -> None:
        """A module that fails to import shows no secret."""
        planted.project.write_agent(f"{AGENT}\n\nraise ValueError(echo('refused'))\n")
        ended = planted.execute(*planted.run(*as_json))
        assert ended.code == 2
        assert "refused <***> <" in ended.out + ended.err

    @pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "JSON"])
    def test_own_traceback_shows_no_secret(self, planted: Planted, as_json: list[str]) -> None:
        """A traceback of the framework's own error shows no secret."""
        # Our own code does not expect this of a runner.
        planted.project.set_in_class(
            "def register_tasks(self, tasks):\n        raise ZeroDivisionError(echo('broken'))"
        )
        process = planted.project.start(*planted.run(*as_json), **planted.environment)
        with process:
            out, err = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "Traceback (most recent call last)" in err
        assert "ZeroDivisionError: broken <***>" in err
        assert bool(as_json) is ("ZeroDivisionError: broken <***>" in out)
        planted.check(out + err)

    def test_refused_secret_option_is_not_shown(self, planted: Planted) -> None:
        """A secret option that is refused is not shown."""
        planted.project.change_agent(
            ("BaseModel, SecretStr", "BaseModel, SecretStr, field_validator"),
            (
                '    token: SecretStr = SecretStr("")\n',
                (
                    '    token: SecretStr = SecretStr("")\n\n'
                    '    @field_validator("token")\n'
                    "    def check(cls, value):\n"
                    "        raise ValueError(value.get_secret_value() + ' is no token')\n"
                ),
            ),
        )
        secret = PLANTED["--option"]
        for given, said in (
            (f"token={secret}", "--option token: *** is no token"),
            (secret, "--option number 1 is not KEY=VALUE"),
            (f"={secret}", "--option number 1 is not KEY=VALUE"),
        ):
            ended = planted.call("run", "--option", given)
            assert ended.code == 2
            assert said in ended.err

    @pytest.mark.parametrize("kind", ["SecretBytes", "Secret[str]", "list[SecretStr]"])
    def test_every_secret_type_is_masked(self, planted: Planted, kind: str) -> None:
        """Every secret type of an option is masked."""
        planted.ask("raise")
        listed = kind.startswith("list")
        check = (
            '\n    @field_validator("token", mode="before")\n'
            "    def check(cls, value):\n"
            f"        return value.split() if {listed} else value\n"
        )
        planted.project.change_agent(
            (
                "import BaseModel, SecretStr",
                "import BaseModel, Secret, SecretBytes, SecretStr, field_validator",
            ),
            ('    token: SecretStr = SecretStr("")\n', f"    token: {kind}\n{check}"),
        )
        ended = planted.call(*planted.run())
        assert ended.code == 1
        assert planted.read("run_config.json")["options"] == {}
        assert "ValueError: raised <***>" in ended.out

    @pytest.mark.parametrize(
        "endpoint", ["{user}@models.invalid/v1", "http://{user}@models:port/v1", "ftp://{user}@m"]
    )
    def test_refused_endpoint_hides_its_password(self, planted: Planted, endpoint: str) -> None:
        """An endpoint that is refused is named without its password."""
        user = f"{USER}:{PLANTED['--custom-endpoint']}"
        ended = planted.call("run", "--custom-endpoint", endpoint.format(user=user))
        assert ended.code == 2
        assert "is not an http or https URL" in ended.err

    def test_key_of_serve_is_not_shown(self, planted: Planted) -> None:
        """The key of serve is not shown."""
        planted.project.write_grader("import sys\n\nraise ValueError(' '.join(sys.argv[1:]))\n")
        ended = planted.execute("serve", "--key", PLANTED["--option"])
        assert ended.code == 2
        assert "ValueError: serve --key ***" in ended.err


def on_a_terminal(planted: Planted, *args: str) -> tuple[int, str]:
    """Run on a wide terminal and return the exit code and what came, without its controls."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 2000, 0, 0))
    process = subprocess.Popen(
        [sys.executable, str(planted.project.script), *args],
        cwd=planted.project.root,
        env=planted.project.environment(TERM="xterm", **planted.environment),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    received = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # what Linux says when the other side is closed
            break
        if not chunk:
            break
        received += chunk
    os.close(master)
    return process.wait(30), re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", received.decode())
