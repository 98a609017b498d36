"""Inspect's viewer, served by Inspect and opened in Chromium."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.interop.releases import own_environment

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.interop.releases import Release

SIZE = {"width": 1280, "height": 1700}
#: As a person sees it: the styles write some of it in capital letters.
SHOWS = "text => document.body.innerText.toLowerCase().includes(text)"
#: Milliseconds until a page shows what it should.
TOO_LONG = 20_000
#: Seconds until it is served.
TOO_LONG_TO_START = 60


@dataclass
class Viewer:
    """The viewer of a folder of logs.

    Attributes:
        url: Where it is.
        browser: What it is looked at with.
        shots: A folder for pictures, if they are to be kept.
        wrong: What pages did that they should not have done.
    """

    url: str
    browser: Browser
    shots: Path | None
    wrong: list[str] = field(default_factory=list[str])

    def text(self, log: str = "", part: str = "", *, awaited: str, name: str) -> str:
        """Return the text of a page in small letters, once it shows the text ``awaited``.

        Args:
            log: The name of a log; that of the list if left out.
            part: The part of the page, such as ``/info``.
            awaited: What it shows when it is ready, in small letters.
            name: The name of its picture.
        """
        context = self.browser.new_context(viewport=SIZE)
        page = context.new_page()
        page.on("dialog", lambda dialog: (self.wrong.append("a dialog"), dialog.dismiss()))
        page.on("pageerror", lambda error: self.wrong.append(f"failed: {error}"))
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((self.url, "data:", "blob:"))
                else self.wrong.append(f"asked for {asked.url}")
            ),
        )
        page.goto(f"{self.url}/#/logs/{log}.eval{part}" if log else self.url)
        page.wait_for_function(SHOWS, arg=awaited, timeout=TOO_LONG)
        if self.shots:
            self.shots.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self.shots / f"{name}.png")
        shown = page.inner_text("body").lower()
        context.close()
        return shown

    def sample(self, task_id: str, tab: str = "transcript", *, awaited: str) -> str:
        """Return the text of a tab of a sample of the run with every outcome."""
        part = f"/samples/sample/{quote(quote(task_id, safe=''), safe='%')}/1/{tab}"
        name = f"{re.sub(r'[^a-z]+', '-', task_id)}-{tab}"
        return self.text("outcomes", part, awaited=awaited, name=name)


@contextmanager
def serve(inspect: Release, logs: Path) -> Generator[str]:
    """Serve the viewer of a folder of logs on a loopback port, for the length of a block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said = inspect.folder / "view.log"
    command = (inspect.python.parent / "inspect", "view", "start")
    with said.open("w") as output:
        process = subprocess.Popen(
            [*command, "--log-dir", logs, "--port", str(port)],
            env=own_environment(inspect.folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(port, process, said)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], said: Path) -> None:
    """Wait until a process listens on a port."""
    ends = time.monotonic() + TOO_LONG_TO_START
    while process.poll() is None and time.monotonic() < ends:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    pytest.fail(f"the viewer did not start:\n{said.read_text()}")
