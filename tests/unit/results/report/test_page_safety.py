"""Nothing in a page is more than text, and no secret is in it."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.unit.results.report.hostile import IDS, TEXTS, hostile_groups, hostile_run
from tests.unit.results.report.pages import Parsed, write_page
from tests.unit.results.report.runs import MadeRun, every_outcome

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.results.run_view import RunView


def page_of(view: RunView, *, groups: dict[str, str] | None = None) -> Parsed:
    return Parsed(write_page(view, view.artifacts.run_dir / "report.html", groups=groups))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    """The page of a hostile run; to be read only."""
    run = hostile_run(tmp_path_factory.mktemp("hostile"))
    return page_of(run.save(), groups=hostile_groups(run))


class TestSafety:
    def test_only_own_script_and_style(self, page: Parsed, tmp_path: Path) -> None:
        """The page has only its own script and style."""
        harmless = page_of(every_outcome(tmp_path, "r2").save())

        assert [each.text for each in page.scripts] == [each.text for each in harmless.scripts]
        assert [each.text for each in page.all("style")] == [
            each.text for each in harmless.all("style")
        ]
        assert len(page.scripts) == len(page.all("style")) == 1

    def test_policy_allows_nothing_else(self, page: Parsed) -> None:
        """The security policy lets nothing else run or load."""
        hashes = [
            f"'sha256-{b64encode(sha256(each.text.encode()).digest()).decode()}'"
            for each in (page.scripts[0], page.first("style"))
        ]

        assert page.policy["default-src"] == "'none'"
        assert page.policy["script-src"] == hashes[0]
        assert page.policy["style-src"] == hashes[1]
        assert page.policy["base-uri"] == page.policy["form-action"] == "'none'"
        assert "unsafe" not in json.dumps(page.policy)

    def test_only_own_elements_and_attributes(self, page: Parsed) -> None:
        """The page has no foreign elements, event handlers or links."""
        names = {each.name for each in page.elements}
        assert not names & {"img", "iframe", "link", "base", "object", "embed", "form"}
        for element in page.elements:
            for name, value in element.attributes.items():
                assert not name.startswith("on")
                assert name != "style"
                if name in {"href", "src"}:
                    assert value is not None
                    assert value.startswith("#")

    def test_every_text_is_readable(self, page: Parsed) -> None:
        """Every hostile text is on the page as text."""
        table = page.table
        for number, text in enumerate(TEXTS[:10]):
            assert table.of(f"t{number}")["texts"]["Question"][0] == text
        assert " ".join(TEXTS[0].split()) in page.words

    def test_invisible_characters_are_shown(self, page: Parsed) -> None:
        """Invisible characters in the texts of tasks are shown."""
        texts = [page.table.of(f"t{number}")["texts"]["Answer"][0] for number in (10, 11, 12)]

        assert texts[0] == "⟨U+2028⟩window.hit=1;⟨U+2029⟩//"
        assert texts[1] == "␛]0;owned␇␛[31mred␛[0m⟨U+009B⟩2J"
        assert texts[2] == "&lt;b&gt; &amp; ⟨U+202E⟩gnp.exe⟨U+202C⟩ ␀␡"

    def test_invisible_characters_outside_the_table(self, page: Parsed) -> None:
        """Invisible characters outside the table are shown, too."""
        assert "␛]0;owned␇␛[31mred␛[0m⟨U+009B⟩2J" in page.words
        assert not {"\x1b", "\x9b", "\u202e", "\u2028"} & set(page.words)

    def test_secrets_are_masked_everywhere(self, tmp_path: Path) -> None:
        """Secrets are masked everywhere on the page."""
        secret = "key-that-is-secret-42"
        run = MadeRun(tmp_path, fields={"model": secret, "sampling": {"effort": secret}})
        run.failed("a", f"Error: {secret}", question=secret)
        view = run.save()

        content = write_page(
            view,
            tmp_path / "x.html",
            groups={"a": secret},
            commands={"Go on": f"run --model {secret}"},
            secrets=[secret],
        )

        assert secret.encode() not in content
        page = Parsed(content)
        assert "Model ***" in page.words
        assert page.table.rows["a"]["topic"] == "***"
        assert secret not in json.dumps(page.table.of("a"))

    def test_data_cannot_end_its_script_element(self, page: Parsed) -> None:
        """The data can't end its script element."""
        index = next(each for each in page.all("script") if each.attributes.get("id") == "index")

        assert not set(index.text) & set("<>&\u2028\u2029")
        assert IDS[0] in page.table.rows

    @pytest.mark.sampled
    @pytest.mark.parametrize("task_id", IDS)
    def test_no_id_makes_another_kind_of_link(self, page: Parsed, task_id: str) -> None:
        """No task id makes a link of another kind."""
        link = page.table.of(task_id)["links"]["Files"]

        assert link.startswith("./")
        assert not set(link) & set(":?#<>\"'&")
        assert unquote(link) == f"./{task_id}/"

    def test_long_text_is_cut_in_the_middle(self, page: Parsed) -> None:
        """A long text is cut in the middle."""
        text = TEXTS[1] * 10_000
        head, left, tail = page.table.of("long")["texts"]["Answer"]

        assert len(head) + left + len(tail) == len(text)
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(head) + len(tail) == 20_000
