import random
import secrets
from pathlib import Path

from entrypoints.command_failed import CommandFailed
from entrypoints.demo.person import Person
from entrypoints.demo.pictures import MOODS
from entrypoints.demo.studio import become_artist, browser, have_image_made, offer_style
from entrypoints.demo.telling import balance, step, tell

PRICE = 10
"""Tokens for an image."""
PICTURES = 30
"""Artworks of the style."""
PROMPTS = [
    ["portrait", "woman", "evening"],
    ["sea", "sunset"],
    ["flowers", "garden"],
    ["city", "night"],
    ["landscape", "mountains"],
    ["dream", "currents"],
]


def play(base: str, folder: Path) -> None:
    """An artist offers a style, and a buyer has an image made, which is saved in the folder."""
    chance = random.Random()  # noqa: S311 - the choice of a motif is no secret
    who = secrets.token_hex(3)
    with browser(base) as one, browser(base) as other:
        artist, buyer = Person("Mina", one), Person("Leo", other)

        step("Mina signs in and becomes an artist")
        become_artist(artist, f"mina-{who}@example.com", f"Mina K. {who}")

        mood = chance.choice(list(MOODS))
        step(f"Mina uploads pictures: the style '{mood}'")
        style = offer_style(artist, mood, chance, pictures=PICTURES, price=PRICE)

        tags = chance.choice(PROMPTS)
        step(f"Leo signs in and asks for an image: {', '.join(tags)}")
        me = buyer.sign_in(f"leo-{who}@example.com")
        tell(f"signed in as {me['username']}, with {me['token_balance']} welcome tokens")
        done = have_image_made(buyer, style, tags)

        step("The image is there")
        file = _save(buyer.download(done["result_url"]), folder / f"{done['id']}.png")
        tell(f"saved as {file}")
        public = buyer.ask("PATCH", f"/api/generations/{done['id']}", json={"is_public": True})
        tell(f"published: {public['result_url']}")
        feed = buyer.ask("GET", "/api/generations/feed")["results"]
        if done["id"] not in [item["id"] for item in feed]:
            raise CommandFailed("The published image is not in the feed.")
        tell("the feed shows it first" if feed[0]["id"] == done["id"] else "the feed shows it")

        step("Who has what now")
        tell(f"Leo:  {balance(buyer)}")
        tell(f"Mina: {balance(artist)}")
    print(f"\nOpen {file}", flush=True)


def _save(content: bytes, file: Path) -> Path:
    if not content.startswith(b"\x89PNG"):
        raise CommandFailed("The image is not a PNG file.")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file.resolve()
