"""A folder that an export writes: its content appears when all of it is there, or not at all."""

import fcntl
import json
import os
import shutil
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from benchmark_runner.artifacts.atomic_file import write_errors, write_new
from benchmark_runner.errors import UsageError

__all__ = ["ABOUT", "ExportFolder", "open_folder"]

#: The file that says of which run the folder is. It is there only if all else is.
ABOUT = "run.json"
#: What is being written, and what is being replaced; both are left by a kill.
_NEW, _OLD = ".export-new", ".export-old"


class ExportFolder:
    """The new content of a folder, below ``root`` until all of it is there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: Path, data: bytes | Iterable[bytes]) -> None:
        """Write a file below ``root``, with its folders; if its pieces fail, there is none."""
        try:
            self._write(path, data)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(path, data)

    def _write(self, path: Path, data: bytes | Iterable[bytes]) -> None:
        try:
            write_new(str(path), data, durable=False)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


@contextmanager
def open_folder(folder: Path, owner: Mapping[str, JsonValue]) -> Generator[ExportFolder]:
    """Open a folder for a new content, which replaces that of an earlier export of the same run.

    Args:
        folder: The folder. If it is missing, it is made.
        owner: The values in :data:`ABOUT` that tell the run from all others.

    Raises:
        UsageError: it holds something else, or another export is writing to it.
        ArtifactError: the disk refuses.
    """
    named = f"--output {folder}"
    if not folder.parent.is_dir():
        raise UsageError(f"{named}: there is no folder {folder.parent}", hint="Make it first.")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{named}: exists and is not a folder", hint="Give the name of a folder.")
    with write_errors(folder):
        was_missing = not folder.exists()
        folder.mkdir(exist_ok=True)
        try:
            with _locked(folder, named):
                _check_owner(folder, owner, named)
                yield from _replace(folder, owner)
        except BaseException:
            if was_missing:
                with suppress(OSError):  # as it holds what another export has written meanwhile
                    folder.rmdir()
            raise


def _replace(folder: Path, owner: Mapping[str, JsonValue]) -> Generator[ExportFolder]:
    new, old = folder / _NEW, folder / _OLD
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir()
    try:
        content = ExportFolder(new)
        content.write(new / ABOUT, json.dumps(owner).encode())
        yield content
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    names = sorted([path.name for path in new.iterdir()], key=ABOUT.__eq__)  # that one is the last
    old.mkdir()
    for name in reversed(names):
        with suppress(FileNotFoundError):
            (folder / name).rename(old / name)
    for name in names:
        (new / name).rename(folder / name)
    new.rmdir()
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _locked(folder: Path, named: str) -> Generator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(
            f"{named}: another export is writing there", hint="Wait for it, or give another folder."
        ) from None
    except OSError:  # of a file system without locks
        pass
    try:
        yield
    finally:
        os.close(descriptor)


def _check_owner(folder: Path, owner: Mapping[str, JsonValue], named: str) -> None:
    abouts = [_about(place) for place in (folder, folder / _NEW, folder / _OLD)]
    about = next((each for each in abouts if each), dict[str, JsonValue]())
    found = {name: about.get(name) for name in owner}
    if found == owner or not {path.name for path in folder.iterdir()} - {_NEW, _OLD}:
        return
    holds = f"holds an export of run {about['run_id']!r}" if "run_id" in about else "is not empty"
    raise UsageError(f"{named}: {holds}", hint="Give a new folder, or an empty one.")


def _about(folder: Path) -> dict[str, JsonValue]:
    try:
        found: object = json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, JsonValue]", found) if isinstance(found, dict) else {}
