"""Normalization and checks of names and free text, and the comparison of names.

Categories and normal forms are those of the interpreter's Unicode version (`unicodedata.unidata_version`).
"""

import re
import unicodedata
from collections.abc import Iterator

from core.problems import (
    CONTROL_CHARACTERS,
    INVISIBLE_CHARACTERS,
    NO_VISIBLE_CHARACTER,
    Problem,
    too_long,
    wrong_length,
)

_INVISIBLE = re.compile(
    "["
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\u2800"
    "]"
)
"""Default_Ignorable_Code_Point (DerivedCoreProperties.txt), and the Braille pattern without dots."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Category Cc without tab and line feed."""
_LINE_BREAK = re.compile("\r\n?")
MAX_MARKS = 30
"""Marks in a row; no language has as many (UAX 15, 12.1, Stream-Safe Text Format)."""
_DOUBLE_MARKS = frozenset("\u0f73\u0f75\u0f81")
"""Characters of combining class 0 that stand for two marks."""
_JOINER = "\u200d"
_PRESENTATION = frozenset("\ufe0e\ufe0f")
"""Variation selectors that choose between text and emoji."""
_KEYCAP = "\u20e3"
_PICTOGRAPHS = range(0x1F000, 0x1FB00)
"""Range of emoji, including those of later Unicode versions that have no category yet."""
_SYMBOLS = frozenset({"So", "Sm", "Sk"})
_OTHER_EMOJI = frozenset("\u203c\u2049\u2139\u3030\u303d")
"""Emoji (emoji-data.txt) of other categories."""
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def normalize(text: str) -> str:
    """The text in NFC: canonically equivalent texts become equal.

    A text with more than MAX_MARKS marks in a row is returned as it is: the time to put them in order grows with the
    square of their number.
    """
    if unicodedata.is_normalized("NFC", text) or _has_too_many_marks(text):
        return text
    return unicodedata.normalize("NFC", text)


def parse_name(text: str) -> str:
    """A name as it is stored: NFC, trimmed."""
    return normalize(text).strip()


def problem_of_name(name: str, *, limit: int) -> Problem | None:
    """The problem of a name returned by `parse_name`, or None.

    A name needs a visible character, and may have no control, bidirectional or invisible ones. Joiners and variation
    selectors are allowed only within emoji.
    """
    if not 1 <= len(name) <= limit:
        return wrong_length(1, limit)
    if any(_is_refused(character) for character in _without_emoji_parts(name)):
        return INVISIBLE_CHARACTERS
    if not any(_is_visible(character) for character in name):
        return NO_VISIBLE_CHARACTER
    return None


def parse_free_text(text: str) -> str:
    """Free text as it is stored: NFC, line feeds as line breaks (HTML forms send CR LF)."""
    return _LINE_BREAK.sub("\n", normalize(text))


def problem_of_free_text(text: str, *, limit: int) -> Problem | None:
    """The problem of a text returned by `parse_free_text`, or None."""
    if len(text) > limit:
        return too_long(limit)
    if _CONTROL.search(text):
        return CONTROL_CHARACTERS
    return None


def unique_key(text: str) -> str:
    """Equal for names of which only one may exist: `comparison_key` in NFKC, so that width and style do not matter.

    Stored beside the name: changing this function needs a migration.
    """
    return unicodedata.normalize("NFKC", comparison_key(unicodedata.normalize("NFKC", text)))


def comparison_key(text: str) -> str:
    """Equal for names that count as the same; also what search compares: case-folded, NFC, single spaces.

    Invisible characters are removed. U+0130 (I with a dot above) becomes `i`, in either case and normal form. Stored
    beside the name: changing this function needs a migration.
    """
    visible = _INVISIBLE.sub("", normalize(text)).replace("\0", " ")
    return " ".join(normalize(visible.casefold().replace("i\u0307", "i")).split())


def _has_too_many_marks(text: str) -> bool:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) or character in _DOUBLE_MARKS else 0
        if marks > MAX_MARKS:
            return True
    return False


def _without_emoji_parts(name: str) -> Iterator[str]:
    """The name's characters, except joiners and variation selectors within emoji."""
    for before, character, after in zip(f" {name}", name, f"{name[1:]} ", strict=False):
        joins = character == _JOINER and (_is_symbol(before) or before in _PRESENTATION) and _is_symbol(after)
        presents = character in _PRESENTATION and (_is_symbol(before) or after == _KEYCAP)
        if not joins and not presents:
            yield character


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) in _SYMBOLS or character in _OTHER_EMOJI or ord(character) in _PICTOGRAPHS


def _is_refused(character: str) -> bool:
    return unicodedata.category(character) in _REFUSED or _INVISIBLE.fullmatch(character) is not None


def _is_visible(character: str) -> bool:
    """Whether it is a base character, not a mark or a space; private and unassigned characters count."""
    return unicodedata.category(character)[0] not in "MZ"
