"""The transcripts of a report beside its page, and in it."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.errors import ArtifactError
from benchmark_runner.results.report.transcript import PackedTranscript
from benchmark_runner.results.report.transcript_store import TranscriptFolder, TranscriptsInPage
from benchmark_runner.schemas import TaskRepeat
from tests.unit.results.report.agents import agents, logs, put, usual
from tests.unit.results.report.pages import Parsed, write_page
from tests.unit.results.report.runs import MadeRun

if TYPE_CHECKING:
    from pathlib import Path

PACKED = PackedTranscript("0123456789abcdef", "QUJD")


def folder_of(page: Path) -> TranscriptFolder:
    return TranscriptFolder(Storage(page.parent, durable=False), page)


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


class TestFolder:
    def test_file_is_named_after_its_task(self, tmp_path: Path) -> None:
        """A transcript is named after its task, and the page leads to it."""
        kept = folder_of(tmp_path / "my.html")

        first = kept.keep(TaskRepeat("a b#", 1), PACKED)
        second = kept.keep(TaskRepeat("a b#", 2), PACKED)

        assert first == {"file": "./my_transcripts/a%20b%23.html", "key": PACKED.key}
        assert second["file"] == "./my_transcripts/repeats/2/a%20b%23.html"
        assert kept.note == "Transcripts are in my_transcripts/, which belongs beside this page."
        assert (tmp_path / "my_transcripts" / "a b#.html").is_file()

    def test_file_runs_only_its_own_script(self, tmp_path: Path) -> None:
        """A file runs only its own script, and loads nothing."""
        kept = folder_of(tmp_path / "my.html")
        kept.keep(TaskRepeat("t", 1), PACKED)

        page = Parsed((kept.folder / "t.html").read_bytes())

        digest = b64encode(sha256(page.scripts[0].text.encode()).digest()).decode()
        assert page.policy == {"default-src": "'none'", "script-src": f"'sha256-{digest}'"}
        (data,) = [each for each in page.all("script") if each.attributes]
        assert (data.attributes["id"], data.text) == PACKED

    def test_files_of_an_earlier_report_go(self, tmp_path: Path) -> None:
        """Files of an earlier report are removed, others in the folder stay."""
        page = tmp_path / "my.html"
        earlier = folder_of(page)
        for key in (TaskRepeat("old", 1), TaskRepeat("old", 2), TaskRepeat("both", 1)):
            earlier.keep(key, PACKED)
        (earlier.folder / "mine.html").write_text("<p>my own</p>")
        (earlier.folder / "notes.txt").write_text("my own")
        kept = folder_of(page)
        kept.keep(TaskRepeat("both", 1), PACKED)

        kept.remove_others()

        assert files_in(kept.folder) == ["both.html", "mine.html", "notes.txt"]

    def test_folder_goes_when_it_is_empty(self, tmp_path: Path) -> None:
        """A report without transcripts leaves no folder of an earlier one."""
        folder_of(tmp_path / "my.html").keep(TaskRepeat("old", 2), PACKED)

        folder_of(tmp_path / "my.html").remove_others()

        assert files_in(tmp_path) == []

    def test_link_is_not_followed(self, tmp_path: Path) -> None:
        """Nothing is written or removed where the folder is a link."""
        there = folder_of(tmp_path / "there.html")
        there.keep(TaskRepeat("t", 1), PACKED)
        (tmp_path / "my_transcripts").symlink_to(there.folder)
        kept = folder_of(tmp_path / "my.html")

        with pytest.raises(ArtifactError, match="symbolic link"):
            kept.keep(TaskRepeat("other", 1), PACKED)
        kept.remove_others()

        assert files_in(there.folder) == ["t.html"]


class TestInPage:
    def test_what_does_not_fit_is_left_out(self) -> None:
        """Transcripts that do not fit are left out, smaller ones after them are not."""
        kept = TranscriptsInPage(1000)
        keys = [TaskRepeat(name, 1) for name in ("small", "large", "other")]
        for key, size in zip(keys, (100, 2000, 200), strict=True):
            kept.keep(key, PackedTranscript("k", "x" * size))

        assert [number for number, _ in kept.blocks] == [0, 2]
        assert kept.left_out == [keys[1]]
        kept.make_room(700)
        assert kept.left_out == keys[1:]
        assert kept.note == (
            "2 transcripts left out, as the size of the page is limited to 0.001 MB: large, other"
        )

    def test_page_keeps_its_size(self, tmp_path: Path) -> None:
        """A page with its transcripts has at most the size that was asked for."""
        view = agents(tmp_path).save()
        file = tmp_path / "x.html"
        without, limit = write_page(view, file, in_page=0), 0
        for limit in (len(without) + 3000, len(without) + 8000):
            content = write_page(view, file, in_page=limit)
            assert len(without) < len(content) <= limit

        found = Parsed(content)
        blocks = [each for each in found.all("script") if "transcript-" in str(each.attributes)]
        assert 0 < len(blocks) < 7
        assert "transcripts left out, as the size of the page is limited to" in found.words

    def test_single_file_frames_nothing(self, tmp_path: Path) -> None:
        """Only a page with a folder may load frames, and only from beside it."""
        view = agents(tmp_path).save()

        beside = Parsed(write_page(view, tmp_path / "x.html")).policy
        single = Parsed(write_page(view, tmp_path / "x.html", in_page=10**7)).policy

        assert beside.pop("frame-src") == "'self' file:"
        assert beside == single
        assert not (tmp_path / "x_transcripts").exists()


class TestTasks:
    def details(self, run: MadeRun, file: Path) -> dict[str, dict[str, Any]]:
        """What the page knows of each task."""
        table = Parsed(write_page(run.save(), file)).table
        ids = [row[0] for row in table.index["rows"]]
        return dict(zip(ids, table.details, strict=True))

    def test_tasks_have_their_transcripts(self, tmp_path: Path) -> None:
        """A task with a trajectory has a transcript, with its extent; others have none."""
        details = self.details(agents(tmp_path), tmp_path / "x.html")

        labels = {
            name: (each.get("transcript") or {}).get("label") for name, each in details.items()
        }
        assert labels["usual"] == "6 steps, 3 tool calls, 1 failed"
        assert labels["killed"] == "1 step, 1 earlier attempt"
        assert labels["silent"] is None

    def test_repeats_have_their_own(self, tmp_path: Path) -> None:
        """Each repeat of a task has a transcript of its own."""
        run = MadeRun(tmp_path)
        for made in (run, run.repeat(2), run.repeat(3)):
            made.graded("t", 1)
        for made in (run, run.repeat(3)):
            put(logs(made, "t"), usual())

        repeats = self.details(run, tmp_path / "x.html")["t"]["repeats"]

        files = [(each.get("transcript") or {}).get("file") for each in repeats]
        assert files == ["./x_transcripts/t.html", None, "./x_transcripts/repeats/3/t.html"]

    def test_link_of_an_agent_is_not_followed(self, tmp_path: Path) -> None:
        """A folder of logs that is a link has no transcript."""
        run = MadeRun(tmp_path / "results")
        run.graded("t", 1)
        put(tmp_path / "elsewhere", usual())
        logs(run, "t").rmdir()
        logs(run, "t").symlink_to(tmp_path / "elsewhere")

        assert "transcript" not in self.details(run, tmp_path / "x.html")["t"]

    def test_same_run_makes_the_same_files(self, tmp_path: Path) -> None:
        """The same run makes the same files, so that an older page goes on working."""
        view = agents(tmp_path).save()
        kept: list[dict[str, bytes]] = []
        for _ in range(2):
            write_page(view, tmp_path / "x.html")
            folder = tmp_path / "x_transcripts"
            kept.append({path.name: path.read_bytes() for path in folder.iterdir()})

        assert kept[0] == kept[1]
        assert re.search(rb'id="[0-9a-f]{16}"', kept[0]["usual.html"])
