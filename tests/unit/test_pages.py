"""The pages that people read: their lines, their links, and what they list of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import benchmark_runner
from benchmark_runner._part import Part
from benchmark_runner._run.flags import flags_of
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from tests.pages import DOCS, PAGES, README, ROOT, anchor, links, prose, sections

PACKAGE = Path(benchmark_runner.__file__).parent
#: Pages on how the runtime works inside.
INTERNALS = ("durability.md", "transport.md", "limits.md", "threads.md")
REPOSITORY = "https://github.com/vals-ai/create-benchmark-runner"


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_prose_is_wrapped_at_100_columns(page: Path) -> None:
    """Prose is wrapped at 100 columns."""
    long = [number for number, line in prose(page) if len(line) > 100 and "{%" not in line]
    assert long == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link leads to a file and to its heading."""
    for link in links(page):
        target = re.sub(rf"^{REPOSITORY}/(blob|tree)/main/", f"{ROOT}/", link)
        if target.startswith("https://") or "{{" in target:
            continue
        path, _, place = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), link
        if place:
            assert place in {anchor(heading) for heading in sections(file)}, link


@pytest.mark.parametrize(
    "page", [ROOT / "CONTRIBUTING.md", *(DOCS / page for page in INTERNALS)], ids=name
)
def test_named_modules_and_tests_exist(page: Path) -> None:
    """Each module and test that a page names exists."""
    rooms = "|".join(folder.name for folder in PACKAGE.iterdir() if folder.is_dir())
    named = re.findall(rf"`((?:{rooms}|tests|runtime)/[\w/]+(?:\.\w+)?)/?`", page.read_text())
    for path in named:
        places = [ROOT / path, PACKAGE / path, (PACKAGE / path).with_suffix(".py")]
        assert any(place.exists() for place in places), path


def test_site_pages_do_not_link_outside_by_path() -> None:
    """Pages of the site do not link outside of it by path."""
    for page in DOCS.glob("*.md"):
        assert not [link for link in links(page) if link.startswith("../")]


def test_readme_has_at_most_100_lines() -> None:
    """The README has at most 100 lines."""
    assert len(README.read_text().splitlines()) <= 100


def test_home_page_links_every_page() -> None:
    """The home page links to each page, and the README to the home page."""
    own = {page.name for page in DOCS.glob("*.md")} - {"index.md"}
    assert own <= set(links(DOCS / "index.md"))
    assert (DOCS / "index.md").name in {Path(link).name for link in links(README)}


def test_contributing_links_maintainer_pages() -> None:
    """CONTRIBUTING links to the pages for maintainers."""
    linked = {Path(link).name for link in links(ROOT / "CONTRIBUTING.md")}
    assert set(INTERNALS) <= linked


def test_every_page_is_on_the_site() -> None:
    """Each page is in the navigation of the site."""
    listed = re.findall(r'= "([\w-]+\.md)"', (ROOT / "zensical.toml").read_text())
    assert sorted(listed) == sorted(page.name for page in DOCS.glob("*.md"))


def test_api_reference_has_every_public_name() -> None:
    """The API reference has each public name."""
    listed = re.findall(
        r"^::: benchmark_runner\.(\w+)$", (DOCS / "api.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == sorted(benchmark_runner.__all__)


def test_cli_page_has_every_flag() -> None:
    """The page on the command line names each flag."""
    import typer.main

    from benchmark_runner import make_cli

    page = (DOCS / "cli.md").read_text()
    group = typer.main.get_command(make_cli("runner.benchmark:Runner"))
    for command in [group, *group.commands.values()]:
        for parameter in command.params:
            for flag in parameter.opts:
                if flag.startswith("--"):
                    assert re.search(rf"`[^`]*{flag}\b(?!-)", page), (command.name, flag)


def test_cli_page_says_what_a_resume_may_change() -> None:
    """The page on the command line says which flags a resume may change."""
    flags = {
        found.name: found.part for _, found in flags_of("run", RunRequest, ServiceSettings)
    } | {"TASK_IDS": Part.INVOCATION}
    listed: dict[str, str] = {}
    for row in sections(DOCS / "cli.md")["`run`"].splitlines():
        if row.startswith("| `"):
            names, _, state = row[1:-1].split("|")
            listed |= dict.fromkeys(re.findall(r"`([\w-]+)", names), state.strip())
    assert len(listed) > 15
    for flag, state in listed.items():
        fixed = flags[flag] is Part.IDENTITY
        assert (state == "fixed") is fixed, flag
