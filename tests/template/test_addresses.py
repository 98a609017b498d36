"""A password or a token in the template's address reaches no file of the copy."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import copier
import pytest
import yaml

from tests.files import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run

TOKEN = "glpat-Secret1234567890"


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("address", "kept"),
    [
        (f"https://oauth2:{TOKEN}@git.example.com/t.git", "https://git.example.com/t.git"),
        (f"git+https://{TOKEN}@git.example.com/t.git", "git+https://git.example.com/t.git"),
        (f"https://me@corp:{TOKEN}@git.example.com/t.git", "https://git.example.com/t.git"),
        (f"ssh://git:{TOKEN}@git.example.com/t.git", "ssh://git@git.example.com/t.git"),
        (f"git+https://git.example.com/t?token={TOKEN}", "git+https://git.example.com/t"),
    ],
)
def test_token_is_in_no_file(
    template_repo: Path, tmp_path: Path, run: Run, address: str, kept: str
) -> None:
    """A token in the template's URL is in no file of the copy."""
    copy_from(address, template_repo, tmp_path, run)
    answers = yaml.safe_load((tmp_path / "copy" / ".copier-answers.yml").read_text())
    url = kept.removeprefix("git+")
    assert (answers["_src_path"], answers["runtime_git_url"]) == (kept, url)
    assert f'git = "{url}"' in (tmp_path / "copy" / "pyproject.toml").read_text()


def test_token_of_the_runtimes_url_is_in_no_file(
    template_repo: Path, tmp_path: Path, run: Run
) -> None:
    """A token in the answer for the runtime's URL is in no file of the copy."""
    answer = f"runtime_git_url=https://me:{TOKEN}@other.example.com/t.git"
    copy_from("https://git.example.com/t.git", template_repo, tmp_path, run, f"--data={answer}")
    assert "git+https://other.example.com/t.git@" in (tmp_path / "copy" / "Makefile").read_text()


def copy_from(address: str, repo: Path, folder: Path, run: Run, *options: str) -> None:
    """Copy the template from an address that git takes for a folder; no file holds the token."""
    settings = folder / "gitconfig"
    settings.write_text(
        f'[url "{repo}"]\n\tinsteadOf = {address.removeprefix("git+")}\n[safe]\n\tdirectory = *\n'
    )
    own = {"GIT_CONFIG_GLOBAL": str(settings), "COPIER_CACHE_DIR": str(folder / "cache")}
    command = (sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref=HEAD")
    run(*command, *options, address, "copy", cwd=folder, env={**os.environ, **own})
    files = contents(folder / "copy")
    assert [path.name for path, content in files.items() if TOKEN.encode() in content] == []


def test_relative_path_is_kept_as_absolute(
    template_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path of the template is kept as one that an update in the copy finds."""
    monkeypatch.chdir(template_repo.parent)
    name = template_repo.name
    copier.run_copy(name, tmp_path / "copy", defaults=True, vcs_ref="HEAD", quiet=True)
    answers = yaml.safe_load((tmp_path / "copy" / ".copier-answers.yml").read_text())
    assert answers["_src_path"] == str(template_repo.resolve())


def test_other_addresses_stay_as_they_are(template_repo: Path, tmp_path: Path) -> None:
    """A path, also one with the marks of a URL in it, stays as it is."""
    folder = tmp_path / "it@home?#1"
    folder.symlink_to(template_repo)
    copier.run_copy(str(folder), tmp_path / "copy", defaults=True, vcs_ref="HEAD", quiet=True)
    answers = yaml.safe_load((tmp_path / "copy" / ".copier-answers.yml").read_text())
    assert answers["_src_path"] == str(folder)
    assert answers["runtime_source"] == "clone"
