"""What every name and free text goes through on its way in, and how names are compared.

Categories and normal forms are Unicode's, as far as the interpreter knows them (`unicodedata.unidata_version`).
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
"""Default_Ignorable_Code_Point (DerivedCoreProperties.txt), and the Braille pattern without a dot."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Category Cc without tab and line feed."""
_LINE_BREAK = re.compile("\r\n?")
_JOINER = "\u200d"
_PRESENTATION = frozenset("\ufe0e\ufe0f")
"""Variation selectors that choose between text and emoji."""
_KEYCAP = "\u20e3"
_PICTOGRAPHS = range(0x1F000, 0x1FB00)
"""Emoji of later Unicode versions lie here, without a category as yet."""
_SYMBOLS = frozenset({"So", "Sm", "Sk"})
_OTHER_EMOJI = frozenset("\u203c\u2049\u2139\u3030\u303d")
"""Emoji (emoji-data.txt) whose category is another one."""
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def normalize(text: str) -> str:
    """The text in NFC: what looks alike because it is canonically equivalent becomes the same."""
    return unicodedata.normalize("NFC", text)


def parse_name(text: str) -> str:
    """A name as it is stored: in NFC, without spaces around it."""
    return normalize(text).strip()


def problem_of_name(name: str, *, limit: int) -> Problem | None:
    """What is wrong with a name that `parse_name` has answered; None when nothing is.

    It needs a visible character, and has no control, bidirectional or invisible ones. Joiners and variation selectors
    are part of an emoji, and allowed only there.
    """
    if not 1 <= len(name) <= limit:
        return wrong_length(1, limit)
    if any(_is_refused(character) for character in _without_emoji_parts(name)):
        return INVISIBLE_CHARACTERS
    if not any(_is_visible(character) for character in name):
        return NO_VISIBLE_CHARACTER
    return None


def parse_free_text(text: str) -> str:
    """Free text as it is stored: in NFC, with line feeds for line breaks (HTML forms send CR LF)."""
    return _LINE_BREAK.sub("\n", normalize(text))


def problem_of_free_text(text: str, *, limit: int) -> Problem | None:
    """What is wrong with a text that `parse_free_text` has answered; None when nothing is."""
    if len(text) > limit:
        return too_long(limit)
    if _CONTROL.search(text):
        return CONTROL_CHARACTERS
    return None


def comparison_key(text: str) -> str:
    """Equal for texts that count as the same name, and what search compares: case-folded, in NFC, with single spaces.

    Invisible characters are left out. U+0130 (I with a dot above) becomes `i`, in either case and normal form. Stored
    beside what it is made of: a change of this function needs a migration.
    """
    visible = _INVISIBLE.sub("", normalize(text)).replace("\0", " ")
    return " ".join(normalize(visible.casefold().replace("i\u0307", "i")).split())


def _without_emoji_parts(name: str) -> Iterator[str]:
    """Characters of the name, except joiners and variation selectors that are in an emoji."""
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
    """A base character, not a mark or a space; a private or unassigned one is shown as something."""
    return unicodedata.category(character)[0] not in "MZ"
