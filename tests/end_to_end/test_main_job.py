"""The main flow, from training images to a paid image: on embedded parts, and on real ones."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.end_to_end.artists import PRICE, become_artist, offer_style
from tests.end_to_end.conftest import NewUsers
from tests.end_to_end.service import Person, Service

WELCOME = 100


@dataclass(frozen=True, slots=True)
class Trained:
    """A style that is ready, its artist, and what the artist saw while it was trained."""

    artist: Person
    id: int
    seen: list[Any]


@pytest.fixture(scope="session")
async def trained(service: Service) -> AsyncIterator[Trained]:
    async with AsyncExitStack() as browsers:
        artist = await NewUsers(service, browsers).one("artist")
        await become_artist(artist)
        style = await offer_style(artist)
        seen = await artist.wait_for(f"/api/styles/{style['id']}", "training_status", "completed", "failed")
        yield Trained(artist, style["id"], [style, *seen])


async def balance(person: Person) -> tuple[int, int, int | None]:
    shown = await person.get("/api/tokens/balance")
    return shown["token_balance"], shown["held_tokens"], shown["earned_token_balance"]


async def lines(person: Person) -> list[Any]:
    results: list[Any] = (await person.get("/api/tokens/transactions?limit=100"))["results"]
    return results


async def notices(person: Person, type: str) -> list[Any]:
    listed = await person.get("/api/notifications")
    return [notice for notice in listed["results"] if notice["type"] == type]


async def test_a_new_user_gets_welcome_tokens_once(new_users: NewUsers) -> None:
    newcomer = await new_users.one()

    assert await balance(newcomer) == (WELCOME, 0, None)
    (bonus,) = await lines(newcomer)
    assert (bonus["type"], bonus["direction"], bonus["amount"], bonus["status"]) == ("bonus", "in", 100, "completed")


async def test_signing_out_revokes_the_session(new_users: NewUsers) -> None:
    person = await new_users.one()
    kept = person.browser.cookies["sessionid"]

    await person.ask("POST", "/api/auth/logout")

    person.browser.cookies.set("sessionid", kept)
    assert (await person.browser.get("/api/auth/me")).status_code == httpx.codes.UNAUTHORIZED


async def test_a_style_is_trained_and_its_artist_notified(trained: Trained) -> None:
    created, *seen = trained.seen

    assert created["training_status"] == "pending"
    assert created["artwork_count"] == 10
    training = [style for style in seen if style["training_status"] == "training"]
    epochs = [style["progress"]["current_epoch"] for style in training]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) > 1
    ready = seen[-1]
    assert ready["training_status"] == "completed"
    assert ready["progress"] is None
    assert ready["model_path"]
    assert {"red ink", "circle", "warm", "number 3"} <= set(ready["tags"])
    async with httpx.AsyncClient(trust_env=False) as visitor:
        sample = await visitor.get(ready["sample_artworks"][0]["images"]["thumbnail"]["jpeg"])
        assert (sample.status_code, sample.headers["Content-Type"]) == (httpx.codes.OK, "image/jpeg")
    (notice,) = await notices(trained.artist, "style_training_complete")
    assert (notice["target_type"], notice["target_id"]) == ("style", trained.id)


async def test_an_image_is_generated_paid_and_shown(trained: Trained, new_users: NewUsers, service: Service) -> None:
    buyer = await new_users.one("buyer")
    _, _, earned_before = await balance(trained.artist)

    request = {"style_id": trained.id, "prompt_tags": ["woman", "portrait"], "aspect_ratio": "1:2", "seed": 7}
    requested = await buyer.ask("POST", "/api/generations", json=request)
    assert requested["status"] == "queued"
    assert requested["consumed_tokens"] == PRICE
    assert requested["queue"]["position"] >= 1
    spendable, held, _ = await balance(buyer)
    assert spendable == WELCOME - PRICE
    assert held in {0, PRICE}

    url = f"/api/generations/{requested['id']}"
    *_, image = await buyer.wait_for(url, "status", "completed", "failed")
    assert image["status"] == "completed"
    assert image["tags"] == ["woman", "portrait"]
    async with httpx.AsyncClient(trust_env=False) as visitor:
        loaded = await visitor.get(image["result_url"])
        assert loaded.headers["Content-Type"] == "image/png"
        assert Image.open(BytesIO(loaded.content)).size == (512, 1024)
        bare = image["result_url"].partition("?")[0]
        assert not service.provider or bare.startswith(("http://127.0.0.1", "http://localhost"))

    assert await balance(buyer) == (WELCOME - PRICE, 0, None)
    assert (await balance(trained.artist))[2] == (earned_before or 0) + PRICE
    (paid,) = [line for line in await lines(buyer) if line["type"] == "generation"]
    assert (paid["direction"], paid["amount"], paid["status"], paid["refunded"]) == ("out", PRICE, "completed", False)
    assert paid["related_generation"]["id"] == requested["id"]
    earned = [
        line for line in await lines(trained.artist) if (line["related_generation"] or {}).get("id") == image["id"]
    ]
    assert [(line["direction"], line["amount"], line["status"]) for line in earned] == [("in", PRICE, "completed")]
    assert len(await notices(buyer, "generation_complete")) == 1

    visitor_sees = await (await new_users.one()).send("GET", url)
    assert visitor_sees.status_code == httpx.codes.NOT_FOUND
    public = await buyer.ask("PATCH", url, json={"is_public": True, "description": "봄"})
    assert public["is_public"]
    async with httpx.AsyncClient(trust_env=False) as visitor:
        assert "?" not in public["result_url"]
        assert (await visitor.get(public["result_url"])).content == loaded.content
        thumbnail = await visitor.get(public["images"]["thumbnail"]["webp"])
        assert thumbnail.headers["Content-Type"] == "image/webp"
        assert Image.open(BytesIO(thumbnail.content)).size == (160, 320)
        feed = (await visitor.get(f"{service.url}/api/generations/feed?tags=woman")).json()["data"]
        assert image["id"] in [item["id"] for item in feed["results"]]
        await buyer.ask("PATCH", url, json={"is_public": False})
        for gone in (public["result_url"], public["images"]["thumbnail"]["webp"], public["images"]["preview"]["jpeg"]):
            assert (await visitor.get(gone)).status_code == httpx.codes.NOT_FOUND


async def test_a_failed_image_costs_nothing_and_says_why(trained: Trained, new_users: NewUsers) -> None:
    buyer = await new_users.one("buyer")

    request = {"style_id": trained.id, "prompt_tags": ["simulate-failure"]}
    requested = await buyer.ask("POST", "/api/generations", json=request)
    *_, image = await buyer.wait_for(f"/api/generations/{requested['id']}", "status", "completed", "failed")

    assert image["status"] == "failed"
    assert image["refunded"]
    assert image["error_message"]
    assert image["result_url"] is None
    assert await balance(buyer) == (WELCOME, 0, None)
    (line,) = [line for line in await lines(buyer) if line["type"] == "generation"]
    assert (line["status"], line["refunded"]) == ("failed", True)
    (notice,) = await notices(buyer, "generation_failed")
    assert notice["metadata"]["error_message"] == image["error_message"]


async def test_a_retryable_failure_is_retried_without_cost(trained: Trained, new_users: NewUsers) -> None:
    buyer = await new_users.one("buyer")

    request = {"style_id": trained.id, "prompt_tags": ["simulate-out-of-memory"]}
    requested = await buyer.ask("POST", "/api/generations", json=request)
    *_, image = await buyer.wait_for(f"/api/generations/{requested['id']}", "status", "completed", "failed")

    assert image["status"] == "completed"
    assert await balance(buyer) == (WELCOME - PRICE, 0, None)


async def test_insufficient_tokens_write_nothing(trained: Trained, new_users: NewUsers) -> None:
    buyer = await new_users.one("buyer")
    request = {"style_id": trained.id, "prompt_tags": ["sea"]}
    for _ in range(WELCOME // PRICE):
        await buyer.ask("POST", "/api/generations", json=request)

    refused = await buyer.send("POST", "/api/generations", json=request)

    assert refused.status_code == httpx.codes.PAYMENT_REQUIRED
    error = refused.json()["error"]
    assert (error["code"], error["details"]) == (
        "INSUFFICIENT_TOKENS",
        {"required": PRICE, "available": WELCOME % PRICE},
    )
    mine = await buyer.get("/api/generations/me?limit=100")
    assert len(mine["results"]) == WELCOME // PRICE
    assert len([line for line in await lines(buyer) if line["type"] == "generation"]) == WELCOME // PRICE


async def test_repeated_and_late_webhooks_change_nothing(
    trained: Trained, new_users: NewUsers, service: Service
) -> None:
    buyer = await new_users.one("buyer")
    requested = await buyer.ask("POST", "/api/generations", json={"style_id": trained.id, "prompt_tags": ["again"]})
    url = f"/api/generations/{requested['id']}"
    *_, image = await buyer.wait_for(url, "status", "completed", "failed")
    before = await balance(buyer), await balance(trained.artist), await notices(buyer, "generation_complete")

    id = {"generation_id": requested["id"]}
    progress = {"current_step": 1, "total_steps": 30, "progress_percent": 3.0, "estimated_seconds": 9}
    stored = f"https://storage.googleapis.com/{await bucket_of(image)}/generations/gen-{requested['id']}.png"
    answers = [
        await service.webhook("POST", "inference/complete", {**id, "result_url": stored}),
        await service.webhook("PATCH", "inference/progress", {**id, "progress": progress}),
        await service.webhook("POST", "inference/failed", {**id, "error_message": "late", "error_code": "GPU_OOM"}),
        await service.webhook(
            "POST", "training/complete", {"style_id": trained.id, "model_path": "models/other.safetensors"}
        ),
        await service.webhook(
            "POST", "training/failed", {"style_id": trained.id, "error_message": "late", "error_code": "X"}
        ),
    ]

    assert [answer.status_code for answer in answers] == [200] * 5, [answer.text for answer in answers]
    assert [answer.json()["data"] for answer in answers] == [{"applied": False, "status": "completed"}] * 5
    after = await balance(buyer), await balance(trained.artist), await notices(buyer, "generation_complete")
    assert after == before
    again = await buyer.get(url)
    assert (again["status"], again["updated_at"]) == (image["status"], image["updated_at"])
    assert len(await notices(trained.artist, "style_training_complete")) == 1


async def bucket_of(image: Any) -> str:
    """The service's own bucket, as it stands in the address of an image; the folder store has a fixed name."""
    path = httpx.URL(image["result_url"]).path
    return "stylelicense-media" if path.startswith("/media/") else path.split("/")[1]


async def test_forged_webhooks_do_nothing(trained: Trained, service: Service) -> None:
    body = {"style_id": trained.id, "error_message": "forged", "error_code": "TRAINING_ERROR"}

    forged = await service.webhook("POST", "training/failed", body, token="guessed")

    assert forged.status_code == httpx.codes.UNAUTHORIZED
    assert (await trained.artist.get(f"/api/styles/{trained.id}"))["training_status"] == "completed"


async def test_a_refused_upload_stores_nothing(trained: Trained) -> None:
    before = await trained.artist.get("/api/styles/me")
    files = [("images", ("fine.png", b"not a picture at all", "image/png"))] * 10

    refused = await trained.artist.send(
        "POST", "/api/styles", data={"name": "Refused", "generation_cost_tokens": "5"}, files=files
    )

    assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert refused.json()["error"]["code"] == "INVALID_IMAGE_FORMAT"
    assert refused.json()["error"]["details"]["index"] == 0
    assert await trained.artist.get("/api/styles/me") == before


async def test_health_and_documentation_are_served(service: Service) -> None:
    async with service.browser() as browser:
        health = (await browser.get("/api/health")).json()["data"]
        assert health["status"] == "ok"
        document = (await browser.get("/api/schema/openapi.json")).json()
        assert document["openapi"].startswith("3.")
        assert "/api/generations" in document["paths"]
        page = await browser.get("/api/schema/", follow_redirects=True)
        assert page.headers["Content-Type"].startswith("text/html")
        assert "https://" not in page.text
