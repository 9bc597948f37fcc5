import pytest

from core import tags
from core.problems import invalid_tag


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("Watercolor", "watercolor"),
        ("  Black   and White ", "black and white"),
        ("sci-fi_2", "sci-fi_2"),
        ("x" * 100, "x" * 100),
        ("x" * 101, None),
        ("", None),
        ("   ", None),
        ("수채화", None),
        ("naïve", None),
        ("٣", None),
        ("\u212a", "k"),  # the Kelvin sign: in NFC it is the letter K
        ("a\tb", None),
        ("ink\n", None),
        ("a,b", None),
    ],
)
def test_valid_tags_are_accepted(text: str, tag: str | None) -> None:
    assert tags.as_tag(text) == tag


def test_tags_keep_their_order_without_duplicates() -> None:
    assert tags.normalize_tags(["Red", "cat", "red ", "hat"], field="tags") == ["red", "cat", "hat"]


def test_the_first_invalid_tag_is_named() -> None:
    with pytest.raises(tags.InvalidTagLanguage) as refused:
        tags.normalize_tags(["red", "고양이", "!"], field="prompt_tags")

    assert refused.value.details == {"prompt_tags": invalid_tag("고양이")}


def test_tags_are_read_from_a_caption() -> None:
    assert tags.tags_in("A cat, 빨간 모자, red hat,, a cat , what a day!") == ["a cat", "red hat"]
