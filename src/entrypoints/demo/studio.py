"""What people do in every demo: an artist offers a style, a buyer has an image made."""

import random
from typing import Any

import httpx

from entrypoints.demo.person import Person
from entrypoints.demo.pictures import Picture, portfolio, signature
from entrypoints.demo.telling import Line, filled, tell, watch


def browser(base: str) -> httpx.Client:
    return httpx.Client(base_url=base, timeout=60, trust_env=False)


def become_artist(person: Person, email: str, name: str) -> None:
    me = person.sign_in(email)
    tell(f"signed in as {me['username']}, with {me['token_balance']} welcome tokens")
    person.ask(
        "POST",
        "/api/users/me/upgrade-to-artist",
        data={"artist_name": name, "verified_email": email},
        files={"signature_image": ("signature.png", signature(" ".join(name.split()[:2])), "image/png")},
    )
    tell("her signature will be on every image")


def offer_style(artist: Person, mood: str, chance: random.Random, *, pictures: int, price: int) -> Any:
    """Upload a style of so many pictures and wait for its training; `price` in tokens."""
    artworks = portfolio(mood, chance, number=pictures)
    style = _create_style(artist, mood, artworks, _upload(artist, artworks), price)
    tell(f"{style['artwork_count']} pictures, style {style['id']}: {style['training_status']}")
    watch("training", lambda: artist.ask("GET", f"/api/styles/{style['id']}"), "training_status", "current_epoch")
    return style


def have_image_made(buyer: Person, style: Any, tags: list[str]) -> Any:
    """Request a generation and wait for it."""
    asked = {"style_id": style["id"], "prompt_tags": tags, "aspect_ratio": "2:2", "description": "For my wall"}
    generation = buyer.ask("POST", "/api/generations", json=asked)
    tell(f"generation {generation['id']}, {generation['consumed_tokens']} tokens held")
    return watch("painting", lambda: buyer.ask("GET", f"/api/generations/{generation['id']}"), "status", "current_step")


def _upload(artist: Person, pictures: list[Picture]) -> list[int]:
    """Send the pictures straight to storage; returns the ids of the uploads."""
    files = [
        {"name": picture.name, "content_type": picture.content_type, "size": len(picture.content)}
        for picture in pictures
    ]
    uploads = artist.ask("POST", "/api/styles/uploads", json={"files": files})
    line, whole, sent = Line(), sum(len(picture.content) for picture in pictures), 0
    for number, (upload, picture) in enumerate(zip(uploads, pictures, strict=True), 1):
        artist.upload(upload, picture.content)
        sent += len(picture.content)
        of = f"{number}/{len(pictures)} files, {sent / 1_000_000:.1f} of {whole / 1_000_000:.1f} MB"
        line.show(f"uploading: {filled(100 * sent / whole)}  {of}", last=number == len(pictures))
    return [upload["upload_id"] for upload in uploads]


def _create_style(artist: Person, mood: str, pictures: list[Picture], upload_ids: list[int], price: int) -> Any:
    return artist.ask(
        "POST",
        "/api/styles",
        json={
            "name": mood,
            "description": "Soft light, few colours, and a line that never hurries.",
            "generation_cost_tokens": price,
            "license_type": "personal",
            "tags": ["painting", "calm"],
            "captions": [picture.caption for picture in pictures],
            "upload_ids": upload_ids,
        },
    )
