import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.problems import CONTROL_CHARACTERS, INVISIBLE_CHARACTERS, NO_VISIBLE_CHARACTER, too_long, wrong_length
from core.text import (
    comparison_key,
    parse_free_text,
    parse_name,
    problem_of_free_text,
    problem_of_name,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Ink ", "Ink"),
        (unicodedata.normalize("NFD", "한글수채화"), "한글수채화"),
        ("e\u0301toile", "étoile"),
        ("Ink  wash", "Ink  wash"),
        ("\u212bngström", "Ångström"),
    ],
)
def test_a_name_is_stored_in_nfc_without_spaces_around_it(text: str, name: str) -> None:
    assert parse_name(text) == name
    assert problem_of_name(name, limit=50) is None


@pytest.mark.parametrize(
    "name",
    [
        *("a", "먹", "İstanbul nights", "浮世絵\u3000風", "हिन्दी", "ไทย", "שָׁלוֹם", "...", "§", "\ue000"),
        *("❤", "❤\ufe0f", "☎\ufe0e", "‼\ufe0f", "1\ufe0f\u20e3", "🇰🇷", "👍🏽", "🌆 city"),
        *("👩\u200d🎨", "👩🏽\u200d🎨", "🏳\ufe0f\u200d🌈", "👨\u200d👩\u200d👧", "🙂\u200d↔\ufe0f", "🫨"),
    ],
    ids=ascii,
)
def test_names_in_every_script_and_emoji_are_accepted(name: str) -> None:
    assert problem_of_name(parse_name(name), limit=50) is None


@pytest.mark.parametrize(
    "character",
    [
        *("\0", "\x1b", "\n", "\t", "\x7f", "\x85", "\u2028", "\u2029"),
        *("\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"),
        *("\u00ad", "\u034f", "\u115f", "\u1160", "\u17b4", "\u180e", "\u200b", "\u200c", "\u2060", "\u2800"),
        *("\u3164", "\ufeff", "\uffa0", "\ufff9", "\U000e0001", "\U000e0041", "\U000e0100"),
        *("\u200d", "\ufe0f", "\ufe00", "\ufe0e"),
    ],
    ids=ascii,
)
def test_invisible_characters_are_refused_in_names(character: str) -> None:
    for name in (character, f"a{character}b"):
        assert problem_of_name(name, limit=50) == INVISIBLE_CHARACTERS
        assert problem_of_name(parse_name(name), limit=50) in (INVISIBLE_CHARACTERS, wrong_length(1, 50))


@pytest.mark.parametrize("name", ["👩\u200d", "\u200d🎨", "👩\u200da", "a\u200d🎨", "👩\u200d\u200d🎨", "🏴\U000e0067"])
def test_a_joiner_outside_an_emoji_is_refused(name: str) -> None:
    assert problem_of_name(name, limit=50) == INVISIBLE_CHARACTERS


def test_a_name_needs_a_visible_character_and_has_a_limit() -> None:
    assert problem_of_name("\u0301", limit=50) == NO_VISIBLE_CHARACTER
    assert problem_of_name("", limit=50) == wrong_length(1, 50)
    assert problem_of_name(parse_name("\u3000\u00a0"), limit=50) == wrong_length(1, 50)
    assert problem_of_name("x" * 51, limit=50) == wrong_length(1, 50)
    assert problem_of_name(parse_name(unicodedata.normalize("NFD", "각" * 50)), limit=50) is None


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("e\u0301", "é"),
        (" as it is \t", " as it is \t"),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("\u202eabc\u200b", "\u202eabc\u200b"),
        ("<b>", "<b>"),
    ],
)
def test_free_text_is_normalized_to_nfc_only(text: str, stored: str) -> None:
    assert parse_free_text(text) == stored
    assert problem_of_free_text(stored, limit=20) is None


@pytest.mark.parametrize("character", ["\0", "\x08", "\x0b", "\x1b", "\x7f", "\x85", "\x9b"], ids=ascii)
def test_free_text_has_no_control_characters(character: str) -> None:
    problem = problem_of_free_text(parse_free_text(f"a{character}"), limit=20)
    assert problem == CONTROL_CHARACTERS


def test_free_text_has_a_limit() -> None:
    assert problem_of_free_text("x" * 21, limit=20) == too_long(20)
    assert problem_of_free_text("", limit=20) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("İstanbul", "istanbul"),
        ("I\u0307stanbul", "ISTANBUL"),
        ("i\u0307stanbul", "Istanbul"),
        ("Ink  wash", " ink\u00a0WASH "),
        ("❤\ufe0f", "❤"),
        ("in\u200bk", "ink"),
    ],
)
def test_equal_names_have_one_key(one: str, other: str) -> None:
    assert comparison_key(one) == comparison_key(other) != ""


@pytest.mark.parametrize(("one", "other"), [("\u0131nk", "ink"), ("é", "e"), ("ink", "in k"), ("가", "각")])
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert comparison_key(one) != comparison_key(other)


@given(st.text())
def test_comparison_keys_are_idempotent_and_canonical(text: str) -> None:
    key = comparison_key(text)
    assert comparison_key(key) == key
    for form in ("NFC", "NFD"):
        assert comparison_key(unicodedata.normalize(form, text)) == key


def test_every_character_of_a_name_is_part_of_the_key() -> None:
    """But for the parts of emoji: two names that look different are two names."""
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    shown = [one for one in characters if problem_of_name(parse_name(one), limit=50) is None]
    assert len(shown) > 100_000
    assert [one for one in shown if not comparison_key(one)] == []
    assert not any(re.search(r"\s", one) for one in shown)
