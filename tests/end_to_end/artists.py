"""What artists do before generations can be requested."""

from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

from tests.end_to_end.service import Person

PRICE = 40
"""Tokens: a newcomer can pay for two images and not for a third."""
COLOURS = [(190 + index * 5, 40 + index * 9, 60) for index in range(10)]


def picture(index: int, *, size: int = 512) -> tuple[str, bytes, str]:
    """A JPEG or a PNG, by turns."""
    image = Image.new("RGB", (size, size), COLOURS[index % len(COLOURS)])
    ImageDraw.Draw(image).ellipse((50 + index, 80, 400, 420), fill=COLOURS[(index + 5) % len(COLOURS)])
    content = BytesIO()
    format = "png" if index % 2 else "jpeg"
    image.save(content, format)
    return f"picture {index}.{format}", content.getvalue(), f"image/{format}"


def pictures(count: int = 10) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("images", picture(index)) for index in range(count)]


def signature() -> bytes:
    image = Image.new("RGBA", (300, 100))
    ImageDraw.Draw(image).line([(10, 80), (100, 20), (190, 80), (290, 30)], fill="black", width=9)
    content = BytesIO()
    image.save(content, "png")
    return content.getvalue()


async def become_artist(person: Person, name: str = "Mina Kim") -> Any:
    me = await person.ask("GET", "/api/auth/me")
    return await person.ask(
        "POST",
        "/api/users/me/upgrade-to-artist",
        data={"artist_name": name, "verified_email": me["email"]},
        files={"signature_image": ("signature.png", signature(), "image/png")},
    )


async def offer_style(artist: Person, name: str = "Red Ink", **fields: Any) -> Any:
    return await artist.ask(
        "POST",
        "/api/styles",
        data={
            "name": name,
            "description": "Warm circles",
            "generation_cost_tokens": str(PRICE),
            "license_type": "personal",
            "tags": "circle, warm",
            "captions": [f"circle, number {index}" for index in range(10)],
            **fields,
        },
        files=pictures(),
    )
