import math
from functools import cache
from io import BytesIO
from itertools import pairwise

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from adapters.development.simulated_ai.painting import paint
from adapters.development.simulated_ai.signature import sign
from adapters.development.simulated_ai.style_model import (
    Colour,
    StyleModel,
    UnreadableModel,
    decode,
    encode,
    learn,
    tile,
)
from core.tasks.model import SignatureConfig

DUSK = StyleModel(((28, 43, 82), (222, 180, 96), (63, 104, 150), (236, 222, 190), (170, 72, 52)), 0.3)
MOSS = StyleModel(((40, 60, 30), (90, 120, 60), (150, 170, 110), (220, 225, 190), (70, 50, 35)), 0.3)
SUBJECTS = ["portrait", "flowers", "city", "sea", "landscape", "dreams"]


@cache
def picture(
    model: StyleModel = DUSK, *, seed: int = 7, tags: tuple[str, ...] = ("sea",), side: int = 160
) -> Image.Image:
    return paint(model, width=side, height=side, seed=seed, prompt_tags=list(tags))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean over pixels and channels, 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def off_palette(image: Image.Image, palette: tuple[Colour, ...]) -> float:
    """How far pixels are, on average, from the nearest of the colours and of the mixtures of two of them."""
    mixtures = {
        tuple((a * share + b * (4 - share)) // 4 for a, b in zip(one, other, strict=True))
        for one in palette
        for other in palette
        for share in range(5)
    }
    pixels = image.resize((24, 24), Image.Resampling.BOX).tobytes()
    colours = [pixels[at : at + 3] for at in range(0, len(pixels), 3)]
    nearest = [
        min(sum((a - b) ** 2 for a, b in zip(colour, own, strict=True)) for own in mixtures) for colour in colours
    ]
    return sum(math.sqrt(distance) for distance in nearest) / len(nearest)


def file_of(image: Image.Image, format: str = "PNG") -> bytes:
    file = BytesIO()
    image.save(file, format)
    return file.getvalue()


def signature(*, ink: Colour = (20, 20, 40), transparent: bool = True) -> bytes:
    """A cross on paper."""
    image = Image.new(
        "RGBA" if transparent else "RGB", (300, 200), (255, 255, 255, 0) if transparent else (255, 255, 255)
    )
    draw = ImageDraw.Draw(image)
    draw.line((40, 40, 260, 160), fill=ink, width=24)
    draw.line((40, 160, 260, 40), fill=ink, width=24)
    return file_of(image)


def signed(on: Image.Image, mark: bytes, **config: object) -> Image.Image:
    image = on.copy()
    sign(image, mark, SignatureConfig(**{"opacity": 1.0, **config}))  # type: ignore[arg-type]
    return image


@pytest.mark.parametrize("size", [(512, 512), (1024, 1024), (512, 1024)])
def test_the_image_has_the_requested_size(size: tuple[int, int]) -> None:
    painted = paint(DUSK, width=size[0], height=size[1], seed=1, prompt_tags=["landscape"])

    assert (painted.mode, painted.size) == ("RGB", size)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_uses_the_colours_of_the_style(subject: str) -> None:
    painted = picture(DUSK, tags=(subject,))

    assert off_palette(painted, DUSK.palette) < 22
    assert off_palette(painted, MOSS.palette) > 1.5 * off_palette(painted, DUSK.palette)


def test_the_seed_determines_the_image() -> None:
    first = picture(seed=7)

    assert picture.__wrapped__(seed=7).tobytes() == first.tobytes()
    assert difference(picture(seed=8), first) > 5


def test_the_prompt_chooses_the_motif() -> None:
    pictures = [picture(tags=(subject,)) for subject in SUBJECTS]

    assert all(difference(one, other) > 5 for one, other in pairwise(pictures))


def test_a_style_with_one_colour_can_be_painted() -> None:
    for subject in SUBJECTS:
        painted = picture(StyleModel(((120, 80, 60),), 1.0), tags=(subject,), side=64)

        assert painted.size == (64, 64)


def test_training_finds_main_and_accent_colours() -> None:
    main, second, accent = (30, 60, 120), (230, 220, 190), (200, 40, 30)
    image = Image.new("RGB", (600, 600), main)
    image.paste(second, (0, 0, 600, 200))
    image.paste(accent, (500, 500, 600, 600))

    palette = learn([tile(file_of(image, format)) for format in ("PNG", "JPEG")]).palette

    for colour in (main, second, accent):
        assert min(max(abs(a - b) for a, b in zip(colour, own, strict=True)) for own in palette) < 12
    assert max(abs(a - b) for a, b in zip(palette[0], main, strict=True)) < 12


def test_training_on_a_non_image_fails() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        tile(b"not a picture")


def test_a_model_is_read_back_from_its_file() -> None:
    model = decode(encode(DUSK))

    assert model.palette == DUSK.palette
    assert model.energy == pytest.approx(DUSK.energy)


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, encode(DUSK)[:60], encode(DUSK)[:-4], b"\x02\0\0\0\0\0\0\0{}"])
def test_a_file_of_another_format_is_not_a_model(content: bytes) -> None:
    with pytest.raises(UnreadableModel):
        decode(content)


@pytest.mark.parametrize(
    ("position", "corner"),
    [
        ("bottom-right", (256, 256, 512, 512)),
        ("bottom-left", (0, 256, 256, 512)),
        ("top-right", (256, 0, 512, 256)),
        ("top-left", (0, 0, 256, 256)),
        ("somewhere", (256, 256, 512, 512)),
    ],
)
def test_the_signature_changes_only_its_own_area(position: str, corner: tuple[int, int, int, int]) -> None:
    plain = Image.new("RGB", (512, 512), (200, 200, 200))

    where = ImageChops.difference(signed(plain, signature(), position=position), plain).getbbox()

    assert where is not None
    left, top, right, bottom = where
    assert corner[0] < left < right < corner[2]
    assert corner[1] < top < bottom < corner[3]


def test_the_signature_follows_size_and_opacity() -> None:
    plain = Image.new("RGB", (512, 512), (200, 200, 200))

    small, medium, large = (
        difference(signed(plain, signature(), size=size), plain) for size in ("small", "medium", "large")
    )
    faint = difference(signed(plain, signature(), opacity=0.3), plain)

    assert small < medium < large
    assert 0 < faint < 0.5 * medium


@pytest.mark.parametrize("ground", [(15, 15, 20), (128, 128, 128), (250, 250, 250)])
@pytest.mark.parametrize(("ink", "transparent"), [((10, 10, 30), True), ((10, 10, 30), False), ((245, 245, 240), True)])
def test_the_signature_is_visible_on_any_background(ink: Colour, ground: Colour, transparent: bool) -> None:
    plain = Image.new("RGB", (512, 512), ground)

    result = signed(plain, signature(ink=ink, transparent=transparent), opacity=0.7).convert("L")

    darkest, lightest = result.getextrema()
    assert lightest - darkest > 80  # type: ignore[operator]


def test_the_background_of_a_signature_is_transparent() -> None:
    plain = Image.new("RGB", (512, 512), (60, 120, 180))

    changed = ImageChops.difference(signed(plain, signature(transparent=False)), plain).convert("L")

    pixels = changed.crop(changed.getbbox()).tobytes()
    assert sum(level < 8 for level in pixels) > 0.4 * len(pixels)


def test_a_signature_that_is_not_an_image_is_refused() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        sign(Image.new("RGB", (64, 64)), b"nothing", SignatureConfig())
