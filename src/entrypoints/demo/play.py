import random
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from entrypoints.command_failed import CommandFailed
from entrypoints.demo.person import Person
from entrypoints.demo.pictures import MOODS, Picture, portfolio, signature
from entrypoints.demo.service import running_service
from entrypoints.settings import Settings

PRICE = 10
"""Tokens for an image."""
PICTURES = 30
"""Artworks of the style."""
POLL = 1.0
"""Seconds; within the rate limit of a user."""
TIMEOUT = 300.0
"""Seconds for a training or a generation."""
PROMPTS = [
    ["portrait", "woman", "evening"],
    ["sea", "sunset"],
    ["flowers", "garden"],
    ["city", "night"],
    ["landscape", "mountains"],
    ["dream", "currents"],
]


def main(settings: Settings) -> None:
    """Raises Refused."""
    try:
        with running_service(settings) as base:
            _play(base, settings.data_dir / "demo")
    except httpx.HTTPError as error:
        raise CommandFailed(f"The service does not answer: {error}") from error


def _play(base: str, folder: Path) -> None:
    chance = random.Random()  # noqa: S311 - the choice of a motif is no secret
    who = secrets.token_hex(3)
    with _browser(base) as one, _browser(base) as other:
        artist, buyer = Person("Mina", one), Person("Leo", other)

        _step("Mina signs in and becomes an artist")
        me = artist.sign_in(f"mina-{who}@example.com")
        _print(f"signed in as {me['username']}, with {me['token_balance']} welcome tokens")
        artist.ask(
            "POST",
            "/api/users/me/upgrade-to-artist",
            data={"artist_name": f"Mina K. {who}", "verified_email": f"mina-{who}@example.com"},
            files={"signature_image": ("signature.png", signature("Mina K."), "image/png")},
        )
        _print("her signature will be on every image")

        mood = chance.choice(list(MOODS))
        _step(f"Mina uploads pictures: the style '{mood}'")
        pictures = portfolio(mood, chance, number=PICTURES)
        style = _create_style(artist, mood, pictures, _upload(artist, pictures))
        _print(f"{style['artwork_count']} pictures, style {style['id']}: {style['training_status']}")
        _watch("training", lambda: artist.ask("GET", f"/api/styles/{style['id']}"), "training_status", "current_epoch")

        tags = chance.choice(PROMPTS)
        _step(f"Leo signs in and asks for an image: {', '.join(tags)}")
        me = buyer.sign_in(f"leo-{who}@example.com")
        _print(f"signed in as {me['username']}, with {me['token_balance']} welcome tokens")
        asked = {"style_id": style["id"], "prompt_tags": tags, "aspect_ratio": "2:2", "description": "For my wall"}
        generation = buyer.ask("POST", "/api/generations", json=asked)
        _print(f"generation {generation['id']}, {generation['consumed_tokens']} tokens held; {_balance(buyer)}")
        path = f"/api/generations/{generation['id']}"
        done = _watch("painting", lambda: buyer.ask("GET", path), "status", "current_step")

        _step("The image is there")
        file = _save(buyer.download(done["result_url"]), folder / f"{done['id']}.png")
        _print(f"saved as {file}")
        public = buyer.ask("PATCH", path, json={"is_public": True})
        _print(f"published: {public['result_url']}")
        feed = buyer.ask("GET", "/api/generations/feed")["results"]
        if done["id"] not in [item["id"] for item in feed]:
            raise CommandFailed("The published image is not in the feed.")
        _print("the feed shows it first" if feed[0]["id"] == done["id"] else "the feed shows it")

        _step("Who has what now")
        _print(f"Leo:  {_balance(buyer)}")
        _print(f"Mina: {_balance(artist)}")
    print(f"\nOpen {file}", flush=True)


def _browser(base: str) -> httpx.Client:
    return httpx.Client(base_url=base, timeout=60, trust_env=False)


def _upload(artist: Person, pictures: list[Picture]) -> list[int]:
    """Send the pictures straight to storage; returns the ids of the uploads."""
    files = [
        {"name": picture.name, "content_type": picture.content_type, "size": len(picture.content)}
        for picture in pictures
    ]
    uploads = artist.ask("POST", "/api/styles/uploads", json={"files": files})
    line, whole, sent = _Line(), sum(len(picture.content) for picture in pictures), 0
    for number, (upload, picture) in enumerate(zip(uploads, pictures, strict=True), 1):
        artist.upload(upload, picture.content)
        sent += len(picture.content)
        of = f"{number}/{len(pictures)} files, {sent / 1_000_000:.1f} of {whole / 1_000_000:.1f} MB"
        line.show(f"uploading: {_filled(100 * sent / whole)}  {of}", last=number == len(pictures))
    return [upload["upload_id"] for upload in uploads]


def _create_style(artist: Person, mood: str, pictures: list[Picture], upload_ids: list[int]) -> Any:
    return artist.ask(
        "POST",
        "/api/styles",
        json={
            "name": mood,
            "description": "Soft light, few colours, and a line that never hurries.",
            "generation_cost_tokens": PRICE,
            "license_type": "personal",
            "tags": ["painting", "calm"],
            "captions": [picture.caption for picture in pictures],
            "upload_ids": upload_ids,
        },
    )


def _watch(what: str, look: Callable[[], Any], status: str, count: str) -> Any:
    """Show the progress until the end. Raises Refused if it failed."""
    line = _Line()
    for seen in _looks(look):
        if seen[status] == "completed":
            line.show(f"{what}: completed", last=True)
            return seen
        if seen[status] in {"failed", "cancelled"}:
            line.show(f"{what}: {seen[status]}", last=True)
            raise CommandFailed(f"The {what} {seen[status]}: {seen.get('error_message') or seen.get('failure')}")
        line.show(f"{what}: {_state(seen, seen[status], count)}")
    raise CommandFailed(
        f"The {what} has not ended after {TIMEOUT:.0f} s. Is an AI server running (AI_SERVERS=simulated)?"
    )


def _looks(look: Callable[[], Any]) -> Iterator[Any]:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        yield look()
        time.sleep(POLL)


def _state(seen: dict[str, Any], status: str, count: str) -> str:
    if progress := seen.get("progress"):
        of = f"{progress[count]}/{progress[count.replace('current', 'total') + 's']}"
        return f"{_filled(progress['progress_percent'])}  {of}, {progress['estimated_seconds']} s left"
    if checking := seen.get("checking"):
        of = f"{checking['checked_files']}/{checking['total_files']} files checked"
        return f"{_filled(checking['progress_percent'])}  {of}"
    return f"{status} ..."


def _filled(percent: float) -> str:
    full = round(percent / 4)
    return f"[{'#' * full}{'.' * (25 - full)}] {percent:3.0f} %"


def _balance(person: Person) -> str:
    balance = person.ask("GET", "/api/tokens/balance")
    earned = balance["earned_token_balance"]
    held = f", {balance['held_tokens']} held" if balance["held_tokens"] else ""
    return f"{balance['token_balance']} tokens{held}" + ("" if earned is None else f", {earned} earned")


def _save(content: bytes, file: Path) -> Path:
    if not content.startswith(b"\x89PNG"):
        raise CommandFailed("The image is not a PNG file.")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file.resolve()


def _step(text: str) -> None:
    print(f"\n{text}", flush=True)


def _print(text: str) -> None:
    print(f"  {text}", flush=True)


class _Line:
    """One changing line on a terminal, otherwise a line for each change."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str, *, last: bool = False) -> None:
        if sys.stdout.isatty():
            print(f"\r\x1b[2K  {text}", end="\n" if last else "", flush=True)
        elif text != self._shown:
            _print(text)
        self._shown = text
