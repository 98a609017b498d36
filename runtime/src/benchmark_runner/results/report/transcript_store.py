"""The place of the transcripts of a report: a folder beside the page, or the page itself.

The page loads a file of the folder in a frame of its own, in which it can do nothing but hand over
its data. Files are replaced one by one while a report is written; a page shows only those whose
key it knows, so that it never shows the transcript of another run, or of another time.
"""

import os
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from benchmark_runner._text import plural, some_ids
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.errors import ArtifactError
from benchmark_runner.results.report.task_table import link_to
from benchmark_runner.results.report.transcript import PackedTranscript
from benchmark_runner.schemas import TaskRepeat

__all__ = ["TranscriptFolder", "TranscriptStore", "TranscriptsInPage", "transcript_folder"]

_SUFFIX = ".html"
#: A page of another origin that frames the file gets nothing. Files on disk have no origin.
_SCRIPT = """
const data = document.querySelector("script");
const target = location.protocol === "file:" ? "*" : location.origin;
parent.postMessage({ key: data.id, data: data.textContent }, target);
"""
_HASH = b64encode(sha256(_SCRIPT.encode()).digest()).decode()
_RULES = f"default-src 'none'; script-src 'sha256-{_HASH}'"
#: The beginning of each file, by which it is known to be one of a report.
_START = b"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="generator" content="vals-benchmark-runner transcript">
"""
_POLICY = f"""
<meta http-equiv="Content-Security-Policy" content="{_RULES}">
<title>Transcript</title>
<p>A report, beside this folder, shows this transcript.</p>
""".encode()
#: Bytes around a transcript in the page.
_AROUND = 100


class TranscriptStore(Protocol):
    """The transcripts of a report, kept task by task."""

    def __len__(self) -> int: ...

    @property
    def note(self) -> str:
        """The words on the page about them; empty if there is nothing to say."""
        ...

    def keep(self, key: TaskRepeat, transcript: PackedTranscript) -> dict[str, JsonValue]:
        """Keep the transcripts of a repeat of a task, and return how the page finds them."""
        ...


def transcript_folder(page: Path) -> Path:
    """Return the folder of the transcripts of a page."""
    return page.with_name(f"{page.stem}_transcripts")


class TranscriptFolder:
    """A folder with a file for each transcript.

    Args:
        storage: Writes the files; nothing below its root may be a link.
        page: The page, below that root.
    """

    def __init__(self, storage: Storage, page: Path) -> None:
        self.folder = transcript_folder(page)
        self._storage = storage
        self._page = page
        self._kept: set[Path] = set()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def note(self) -> str:
        """The words about the folder."""
        name = self.folder.name
        return f"Transcripts are in {name}/, which belongs beside this page." if self._kept else ""

    def keep(self, key: TaskRepeat, transcript: PackedTranscript) -> dict[str, JsonValue]:
        """Write a file."""
        above = self.folder if key.repeat == 1 else self.folder / "repeats" / str(key.repeat)
        path = above / f"{key.task_id}{_SUFFIX}"
        self._storage.write(path, _file(transcript), alone=False)
        self._kept.add(path)
        return {"file": link_to("", path, self._page, end="").href, "key": transcript.key}

    def remove_others(self) -> None:
        """Remove the files of an earlier report, once the page that goes with them is replaced."""
        if self.folder.is_symlink():
            return
        folders = {self.folder}
        for path in self.folder.rglob(f"*{_SUFFIX}"):
            if path not in self._kept and self._is_ours(path):
                self._storage.remove(path)
                folders |= {path.parent, path.parent.parent}
        for folder in sorted(folders, reverse=True):  # those below first
            if folder.is_relative_to(self.folder):
                self._storage.remove_empty_folder(folder)

    def _is_ours(self, path: Path) -> bool:
        try:
            with self._storage.opened(path) as descriptor:
                return os.read(descriptor, len(_START)) == _START
        except (ArtifactError, OSError):
            return False


class TranscriptsInPage:
    """Transcripts in the page itself, which is to have at most ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._asked: list[TaskRepeat] = []
        self._kept: dict[TaskRepeat, tuple[int, str]] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def left_out(self) -> list[TaskRepeat]:
        """The repeats of tasks whose transcripts did not fit."""
        return [key for key in self._asked if key not in self._kept]

    @property
    def note(self) -> str:
        """The words about those that did not fit."""
        missing = self.left_out
        if not missing:
            return ""
        why = f"as the size of the page is limited to {self.limit / 1e6:,g} MB"
        return f"{plural(len(missing), 'transcript')} left out, {why}: {some_ids(missing)}"

    @property
    def blocks(self) -> Iterator[tuple[int, str]]:
        """The transcripts with their numbers, for the page."""
        return iter(self._kept.values())

    def keep(self, key: TaskRepeat, transcript: PackedTranscript) -> dict[str, JsonValue]:
        """Keep the transcripts of a repeat of a task, if there is room."""
        number = len(self._asked)
        self._asked.append(key)
        if self._size + len(transcript.data) <= self.limit:
            self._size += len(transcript.data) + _AROUND
            self._kept[key] = number, transcript.data
        return {"block": number}

    def make_room(self, page: int) -> None:
        """Leave out the last ones until they fit into a page that has so many bytes without."""
        while self._kept and self._size + page > self.limit:
            _, (_, data) = self._kept.popitem()
            self._size -= len(data) + _AROUND


def _file(transcript: PackedTranscript) -> list[bytes]:
    return [
        _START,
        _POLICY,
        f'<script type="application/octet-stream" id="{transcript.key}">'.encode(),
        transcript.data.encode(),
        f"</script>\n<script>{_SCRIPT}</script>\n</html>\n".encode(),
    ]
