"""Text for people: safe for a terminal, with numbers, times and names in one form each."""

import json
import math
import re
import shlex
import string
from collections.abc import Iterable, Sequence

#: Sequences that move the cursor, colour, rename the window or fill the clipboard. One without
#: an end takes the rest of its line at most.
_SEQUENCES = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[PX\\]^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|\x1b[ -/]*[0-~]"
)
_LINE_ENDS = re.compile("\r\n?")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: Halves of surrogate pairs that stand for no byte.
_LONE_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_PRINTF_LITERALS = frozenset(string.ascii_letters.encode() + string.digits.encode() + b"/._ ")

#: A character class: what turns the direction of writing, line separators that programs know
#: and people do not see, and halves of surrogate pairs.
INVISIBLE = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
#: Valid in JSON; a terminal takes some of them for commands.
_UNFIT_IN_JSON = re.compile(f"[\x7f-\x9f{INVISIBLE}]")

_SHOWN_IDS = 5
_SHOWN_WIDTH = 52
_MINUTE, _HOUR, _DAY = 60, 60 * 60, 24 * 60 * 60
#: Smaller amounts need more than two decimals.
_DIME = 0.1
#: From here on, an estimate has no cents, and no tenths of a unit.
_TEN = 10
#: The units of an estimated time, each up to the number at which the next is used.
_UNITS = ((1, "s", 90), (_MINUTE, "min", 90), (_HOUR, "h", 48), (_DAY, "d", math.inf))


def printable(text: str) -> str:
    """Return ``text`` without terminal escapes and controls, except line ends and tabs."""
    if is_plain(text):
        return text
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", _SEQUENCES.sub("", text)))


def for_terminal(text: str) -> str:
    """Return ``text`` made printable, with the numbers of characters that nobody would see."""
    text = printable(text)
    return text if is_plain(text) else _INVISIBLE.sub(number_of, text)


def is_plain(text: str) -> bool:
    """Return True if each character of ``text`` is printable, a line end or a tab."""
    return text.replace("\n", "").replace("\t", "").isprintable()


def in_one_line(text: str) -> str:
    """Return ``text`` made printable and in one line, with white space collapsed."""
    return for_terminal(" ".join(printable(text).split()))


def number_of(character: re.Match[str]) -> str:
    """Return the number of an invisible character, for its place in a text."""
    return f"⟨U+{ord(character[0]):04X}⟩"


def without_middle(text: str, limit: int) -> str:
    """Return ``text``, or its beginning and its end if it is longer than ``limit``."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    left_out = f"… {len(text) - limit:,} characters left out …"
    return f"{text[:head]}\n{left_out}\n{text[head - limit :]}"


def json_text(value: object) -> str:
    """Return ``value`` as JSON in one line, with escapes for what is no text for a terminal."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNFIT_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shell_line(words: Iterable[str], encoding: str = "utf-8") -> str:
    """Return the command line of these words, whatever characters or bytes they hold."""
    return " ".join(_shell_word(word, encoding) for word in words)


def _shell_word(word: str, encoding: str) -> str:
    if word.isprintable() and word == word.encode(encoding, "replace").decode(encoding):
        return shlex.quote(word)
    # It could not be shown, or copied, as it is.
    data = _LONE_HALVES.sub("?", word).encode("utf-8", "surrogateescape")
    octal = "".join(chr(byte) if byte in _PRINTF_LITERALS else f"\\{byte:03o}" for byte in data)
    return f"\"$(printf '{octal}')\""


def some_ids(ids: Sequence[object]) -> str:
    """Name a few of many ids, in about half a line: at least one, and none of them cut."""
    shown = [str(each) for each in ids[:_SHOWN_IDS]]
    while len(shown) > 1 and len(", ".join(shown)) > _SHOWN_WIDTH:
        shown.pop()
    return ", ".join(shown) + (", …" if len(ids) > len(shown) else "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the beginning of a hint that suggests similar names; empty without any."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=3)
    return f"Did you mean {' or '.join(near)}? " if near else ""


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 task``, ``2,000 tasks``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def dollars(amount: float) -> str:
    """Return an amount of money, with more than two decimals if it is small."""
    return f"${amount:,.2f}" if amount == 0 or amount >= _DIME else f"${amount:.3g}"


def duration(seconds: float) -> str:
    """Return a duration with its units: ``350 ms``, ``2 min 5 s``."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < _MINUTE:
        return f"{seconds:.3g} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:.0f} s"
    return f"{seconds // _HOUR:,.0f} h {seconds % _HOUR // _MINUTE:.0f} min"


def about_cost(amount: float, low: float, high: float) -> str:
    """Return an estimate of money and its bounds: ``about $142 ($120 to $171)``."""
    return f"about {_about_dollars(amount)} ({_about_dollars(low)} to {_about_dollars(high)})"


def about_time(seconds: float) -> str:
    """Return an estimate of a duration, in one unit: ``40 min``, ``3.5 h``."""
    return " ".join(_about(seconds))


def about_time_with_range(seconds: float, low: float, high: float) -> str:
    """Return an estimate of a duration and its bounds: ``40 min (35 to 58 min)``."""
    (first, unit), (last, last_unit) = _about(low), _about(high)
    first += "" if unit == last_unit else f" {unit}"
    return f"{about_time(seconds)} ({first} to {last} {last_unit})"


def _about_dollars(amount: float) -> str:
    if amount < _TEN:
        return dollars(amount)
    return f"${round(amount, -max(math.floor(math.log10(amount)) - 2, 0)):,.0f}"


def _about(seconds: float) -> tuple[str, str]:
    numbers = ((float(f"{seconds / size:.2g}"), unit, most) for size, unit, most in _UNITS)
    number, unit = next((number, unit) for number, unit, most in numbers if number < most)
    return f"{number:,.0f}" if number >= _TEN or unit == "s" else f"{number:.2g}", unit


def age(seconds: float) -> str:
    """Return a duration in its largest unit, for the time since something: ``5 min``."""
    if seconds < _MINUTE:
        return f"{max(seconds, 0):.0f} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR:.0f} h"
    return f"{seconds // _DAY:.0f} d"


def clock(seconds: float) -> str:
    """Return a duration of constant width, for a live display: ``0:02:05``."""
    whole = max(int(seconds), 0)
    return f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02}:{whole % _MINUTE:02}"
