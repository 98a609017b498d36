"""Foreign texts on a page: masked, cut in the middle, and without anything unseen."""

from __future__ import annotations

import pytest

from benchmark_runner.results.report.safe_text import Cut, visible
from tests.unit.results.report.pages import texts

SECRET = "key-that-is-secret-42"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain, with\ttabs\nand lines", "plain, with\ttabs\nand lines"),
        ("ends\r\nof\r\nlines", "ends\nof\nlines"),
        ("\x1b[31mred\x07\x00\x7f", "␛[31mred␇␀␡"),
        ("over\rwritten", "over␍written"),
        ("\x9b2J", "⟨U+009B⟩2J"),
        ("\u202egpj.exe\u2069", "⟨U+202E⟩gpj.exe⟨U+2069⟩"),
        ("a\u2028b\u2029c", "a⟨U+2028⟩b⟨U+2029⟩c"),
        ("half \ud83d a pair", "half ⟨U+D83D⟩ a pair"),
        ("👩\u200d🔬 and é", "👩\u200d🔬 and é"),
    ],
)
def test_invisible_characters_are_shown(text: str, seen: str) -> None:
    """Invisible characters are shown as visible ones."""
    assert visible(text) == seen
    seen.encode()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"it is {SECRET}", "it is ***"),
        (f"it is {SECRET[:8]}\x1b[0m{SECRET[8:]}\x07", "it is ***"),
        ("it is\x07 no secret", "it is␇ no secret"),
    ],
)
def test_secrets_are_masked_behind_escapes(text: str, masked: str) -> None:
    """Secrets are masked, also when escapes interrupt them."""
    assert texts(SECRET).shown(text) == masked


def test_long_text_keeps_beginning_and_end() -> None:
    """A long text keeps its beginning and its end."""
    text = "".join(str(number % 10) for number in range(100))

    cut = texts().cut(text, 30)

    assert cut == Cut(text[:20], 70, text[-10:])
    assert texts().cut(text, 100) == Cut(text)


def test_cut_leaves_no_part_of_a_secret() -> None:
    """A cut leaves no part of a secret."""
    cut = texts(SECRET).cut(f"{'x' * 10}{SECRET}{'y' * 100}{SECRET}{'z' * 5}", 30)

    assert not any(SECRET[start : start + 6] in "".join(map(str, cut)) for start in range(15))


class TestHugeTexts:
    def test_only_its_ends_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a huge text only the ends are masked and shown."""
        safe, seen = texts(SECRET), list[int]()
        shown = safe.shown

        def note(text: str) -> str:
            seen.append(len(text))
            return shown(text)

        monkeypatch.setattr(safe, "shown", note)
        text = f"head {SECRET}" + "x" * 5_000_000 + f"{SECRET} tail"

        head, left_out, tail = safe.cut(text, 300)

        assert head.startswith("head ***xx")
        assert tail.endswith("xx*** tail")
        assert left_out == len(text) - 300
        assert safe.line(text, 20) == "head ***xxxxxxxxxxx…"
        assert sum(seen) < 1_000_000

    def test_secrets_are_masked_where_they_shrink_it(self) -> None:
        """A huge text that consists of secrets is masked as a whole."""
        text = SECRET * 50_000

        assert set("".join(map(str, texts(SECRET).cut(text, 200)))) <= set("*0123456789")
        assert set(texts(SECRET).line(text, 200)) == {"*", "…"}

    def test_white_space_hides_no_beginning(self) -> None:
        """The line of a text that begins with much white space is its first words."""
        assert texts().line(" " * 600_000 + "end", 10) == "end"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  one\n\n two\t", "one two"),
        ("12345678901", "123456789…"),
        (" " * 50 + "end", "end"),
    ],
)
def test_line_is_joined_and_cut(text: str, line: str) -> None:
    """A line has single spaces and is cut."""
    assert texts().line(text, 10) == line
