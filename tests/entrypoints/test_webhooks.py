import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest

from core.accounts.model import User
from core.generations.model import Generation
from core.paging import PageRequest
from core.secret import Secret
from core.styles.model import Style
from tests.entrypoints.service import PREVIOUS_TOKEN, TOKEN, Browser, Service
from tests.support.memory_world import MemoryWorld

RESULT = "gs://stylelicense-media/generations/1.png"
JSON = "application/json"
NO_IDS: tuple[object, ...] = ("5", "", -5, -(2**70), 2**63, None, True, 1.5, [], {})
NO_MODELS: tuple[object, ...] = ("", 5, None, [], "gs://m/\0", "x" * 2001)
NO_RESULTS: tuple[object, ...] = (
    None,
    5,
    "",
    "https://evil.example/a.png",
    "gs://another-bucket/generations/1.png",
    "gs://stylelicense-media/../secrets",
    "gs://stylelicense-media/training/1/image_0.png",
    "gs://stylelicense-media/signatures/1/a.png",
    "gs://stylelicense-media/public/generations/1/a.png",
    "gs://stylelicense-media/generations/",
    "gs://stylelicense-media/generations/a\0.png",
)
STEPS = {"current_step": 10, "total_steps": 50, "progress_percent": 20.0, "estimated_seconds": 40}
EPOCHS = {"current_epoch": 10, "total_epochs": 200, "progress_percent": 5, "estimated_seconds": 3600}
FAILURE = {"error_message": "No", "error_code": "GPU_OOM"}
CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "training/progress": ("PATCH", "training-server", {"style_id": 0, "progress": EPOCHS}),
    "training/complete": ("POST", "training-server", {"style_id": 0, "model_path": "gs://m/1"}),
    "training/failed": (
        "POST",
        "training-server",
        {"style_id": 0, "error_message": "No", "error_code": "TRAINING_FAILED"},
    ),
    "inference/progress": ("PATCH", "inference-server", {"generation_id": 0, "progress": STEPS}),
    "inference/complete": ("POST", "inference-server", {"generation_id": 0, "result_url": RESULT}),
    "inference/failed": (
        "POST",
        "inference-server",
        {"generation_id": 0, "error_message": "No", "error_code": "GPU_OOM"},
    ),
}


class Scene:
    """A style in training and an image in the queue, and AI servers that call."""

    def __init__(self, service: Service, browser: Browser, owner: User, style: Style, image: Generation) -> None:
        self.service = service
        self.browser = browser
        self.owner = owner
        self.style = style
        self.image = image

    def body(self, call: str, **changes: Any) -> dict[str, Any]:
        body = CALLS[call][2] | changes
        ids = {"style_id": self.style.id, "generation_id": self.image.id}
        return {name: ids[name] if name in ids and value == 0 else value for name, value in body.items()}

    async def call(self, call: str, *, headers: dict[str, str] | None = None, **changes: Any) -> tuple[int, Any]:
        method, source, _ = CALLS[call]
        return await self.send(
            method, call, self.service.ai_server(source) | (headers or {}), self.body(call, **changes)
        )

    async def report(self, call: str, body: str | bytes, *, content_type: str | None = JSON) -> tuple[int, Any]:
        """A body as it is."""
        method, source, _ = CALLS[call]
        headers = self.service.ai_server(source) | ({"Content-Type": content_type} if content_type else {})
        content = body.encode() if isinstance(body, str) else body
        response = await self.browser.call(method, f"/api/webhooks/{call}", headers=headers, content=content)
        answer = response.json()
        return response.status_code, answer["data"] if response.is_success else answer["error"]

    async def send(self, method: str, call: str, headers: dict[str, str], body: Any) -> tuple[int, Any]:
        response = await self.browser.call(method, f"/api/webhooks/{call}", headers=headers, json=body)
        answer = response.json()
        return response.status_code, answer["data"] if response.is_success else answer["error"]

    async def state(self) -> Any:
        """All that a webhook could change."""
        read = self.service.world.read
        return (
            await read.generations.detail(self.image.id, viewer=self.owner.id),
            await read.styles.list_own(self.style.artist_id, page=PageRequest()),
            await self.service.world.balance(self.owner.id),
            await read.notifications.list(self.owner.id, unread_only=False, page=PageRequest()),
            await self.service.world.tasks(),
        )


@pytest.fixture
async def scene(service: Service, world: MemoryWorld, anonymous: Browser) -> Scene:
    mia, ann = await world.artist(), await world.user("ann", tokens=100)
    image = await world.generation(ann, await world.style(mia))
    return Scene(service, anonymous, ann, await world.untrained_style(mia, "Not yet"), image)


@pytest.mark.parametrize(
    ("call", "changes", "status"),
    [
        ("training/progress", {}, "training"),
        ("training/complete", {}, "completed"),
        ("training/complete", {"training_metric": {"loss": 0.1, "epochs": 200, "more": [1]}}, "completed"),
        ("training/failed", {}, "failed"),
        ("inference/progress", {}, "processing"),
        ("inference/progress", {"progress": STEPS | {"estimated_seconds": None, "extra": True}}, "processing"),
        ("inference/complete", {}, "completed"),
        ("inference/complete", {"metadata": None}, "completed"),
        ("inference/failed", {}, "retrying"),
        ("inference/failed", {"retry_count": 3}, "failed"),
    ],
)
async def test_a_webhook_is_applied_once(scene: Scene, call: str, changes: dict[str, Any], status: str) -> None:
    assert await scene.call(call, **changes) == (200, {"applied": True, "status": status})
    after = await scene.state()
    assert await scene.call(call, **changes) == (200, {"applied": False, "status": status})
    assert await scene.state() == after


@pytest.mark.parametrize("body", [{"error_code": "INFERENCE_ERROR"}, {"error_code": "SOMETHING_NEW"}, {}])
async def test_the_webhook_after_a_failed_attempt_decides(scene: Scene, body: dict[str, Any]) -> None:
    body = {"generation_id": scene.image.id, "error_message": "No"} | body
    headers = scene.service.ai_server("inference-server")
    for _ in range(2):
        result = await scene.send("POST", "inference/failed", headers, body)
        assert result == (200, {"applied": True, "status": "retrying"})

    assert await scene.call("inference/complete") == (200, {"applied": True, "status": "completed"})


async def test_unknown_fields_are_kept_in_the_metadata(scene: Scene, world: MemoryWorld) -> None:
    await scene.call("inference/complete", metadata={"seed": 7, "steps": 50}, worker="gpu-3", seed=8)
    image = world.database.tables.generations[scene.image.id]
    assert image.metadata == {"seed": 7, "steps": 50, "worker": "gpu-3"}

    await scene.call("training/complete", training_metric={"loss": 0.1}, duration=3600)
    version = world.database.tables.style_versions[scene.style.version_id]
    assert version.training_metric == {"loss": 0.1, "duration": 3600}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer ü"},
        {"X-Request-Source": ""},
        {"X-Request-Source": "somebody"},
        {"X-Request-Source": "training-server, inference-server"},
    ],
    ids=str,
)
async def test_a_forged_webhook_changes_nothing(scene: Scene, call: str, headers: dict[str, str]) -> None:
    before = await scene.state()
    status, error = await scene.call(call, headers={name: value.encode() for name, value in headers.items()})  # type: ignore[misc]
    assert (status, error["code"]) == (401, "UNAUTHORIZED")
    assert await scene.state() == before


@pytest.mark.parametrize("call", CALLS)
async def test_the_source_must_match_the_path(scene: Scene, call: str) -> None:
    other = {"training-server": "inference-server", "inference-server": "training-server"}[CALLS[call][1]]
    status, error = await scene.call(call, headers={"X-Request-Source": other})
    assert (status, error["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("call", CALLS)
async def test_a_forged_body_is_not_read(scene: Scene, call: str) -> None:
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(True)
        yield b"{}"

    response = await scene.browser.client.request(CALLS[call][0], f"/api/webhooks/{call}", content=body())
    assert (response.status_code, read) == (401, [])


@pytest.mark.parametrize("call", CALLS)
async def test_both_internal_tokens_are_valid_during_rotation(scene: Scene, call: str) -> None:
    status, _ = await scene.call(call, headers={"Authorization": f"Bearer {PREVIOUS_TOKEN}"})
    assert status == 200


@pytest.mark.parametrize("call", CALLS)
async def test_a_token_is_valid_for_its_own_server_only(world: MemoryWorld, call: str) -> None:
    tokens = {"training-server": "of training", "inference-server": "of inference", "operator": "of the operator"}
    training, inference, operator = ([Secret(token)] for token in tokens.values())
    service = Service(world, training_tokens=training, inference_tokens=inference, operator_tokens=operator)
    method, source = CALLS[call][:2]
    async with service.browser() as browser:
        for bearer, token in tokens.items():
            headers = service.ai_server(source, token)
            response = await browser.call(method, f"/api/webhooks/{call}", headers=headers, json={})
            assert (response.status_code == 401) == (bearer != source)


async def test_an_empty_token_is_invalid(world: MemoryWorld) -> None:
    service = Service(world, inference_tokens=[Secret(TOKEN)])
    async with service.browser() as browser:
        headers = service.ai_server("inference-server", token="")
        response = await browser.call("POST", "/api/webhooks/inference/complete", headers=headers, json={})
    assert response.status_code == 401


@pytest.mark.parametrize("call", CALLS)
async def test_a_session_does_not_authorise_webhooks(
    scene: Scene, service: Service, world: MemoryWorld, call: str
) -> None:
    async with service.browser(await world.artist("zoe")) as browser:
        response = await browser.call(CALLS[call][0], f"/api/webhooks/{call}", json=scene.body(call))
    assert response.status_code == 401


@pytest.mark.parametrize("call", CALLS)
async def test_an_unknown_id_is_404(scene: Scene, call: str) -> None:
    name = "style_id" if call.startswith("training") else "generation_id"
    changes: dict[str, Any] = {name: 987654}
    status, error = await scene.call(call, **changes)
    assert (status, error["code"]) == (404, f"{name.removesuffix('_id').upper()}_NOT_FOUND")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff", b"null"])
async def test_unreadable_bodies_are_422(scene: Scene, call: str, body: bytes) -> None:
    before = await scene.state()
    method, source, _ = CALLS[call]
    headers = scene.service.ai_server(source) | {"Content-Type": "application/json"}
    response = await scene.browser.call(method, f"/api/webhooks/{call}", headers=headers, content=body)
    assert response.status_code == 422
    assert await scene.state() == before


@pytest.mark.parametrize(
    ("call", "changes", "field"),
    [
        *(("training/progress", {"style_id": wrong}, "style_id") for wrong in NO_IDS),
        *(("training/complete", {"style_id": wrong}, "style_id") for wrong in NO_IDS),
        *(("training/failed", {"style_id": wrong}, "style_id") for wrong in NO_IDS),
        *(("inference/progress", {"generation_id": wrong}, "generation_id") for wrong in NO_IDS),
        *(("inference/complete", {"generation_id": wrong}, "generation_id") for wrong in NO_IDS),
        *(("inference/failed", {"generation_id": wrong}, "generation_id") for wrong in NO_IDS),
        *(("training/complete", {"model_path": wrong}, "model_path") for wrong in NO_MODELS),
        *(("inference/complete", {"result_url": wrong}, "result_url") for wrong in (*NO_RESULTS, "x" * 2001)),
    ],
)
async def test_an_invalid_id_or_result_url_is_422(scene: Scene, call: str, changes: dict[str, Any], field: str) -> None:
    before = await scene.state()
    status, error = await scene.call(call, **changes)
    assert (status, error["code"]) == (422, "VALIDATION_ERROR")
    assert list(error["details"]) == [field]
    assert await scene.state() == before


@pytest.mark.parametrize("call", CALLS)
async def test_a_missing_id_is_422(scene: Scene, call: str) -> None:
    method, source, body = CALLS[call]
    name = "style_id" if call.startswith("training") else "generation_id"
    without = {field: value for field, value in body.items() if field != name}
    status, error = await scene.send(method, call, scene.service.ai_server(source), without)
    assert (status, list(error["details"])) == (422, [name])


async def test_the_result_of_another_generation_is_refused(scene: Scene, world: MemoryWorld) -> None:
    other = await world.image(await world.user("bob", tokens=100), await world.style(await world.artist("leo")))
    before = await scene.state()

    status, error = await scene.call("inference/complete", result_url=world.blobs.uri(str(other.result_key)))

    assert (status, error["code"]) == (422, "RESULT_TAKEN")
    assert await scene.state() == before


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/plain", None])
async def test_any_content_type_is_accepted(scene: Scene, call: str, content_type: str | None) -> None:
    status, data = await scene.report(call, json.dumps(scene.body(call)), content_type=content_type)
    assert (status, data["applied"]) == (200, True)


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("10.1.2.3", None, 200),
        ("::ffff:10.1.2.3", None, 200),
        ("192.0.2.1", None, 401),
        ("192.0.2.1", "10.1.2.3", 401),
        ("172.16.0.1", "10.1.2.3", 200),
        ("172.16.0.1", "192.0.2.1", 401),
        ("172.16.0.1", "10.1.2.3, 192.0.2.1", 401),
        ("172.16.0.1", "192.0.2.1, 10.1.2.3, 172.16.0.9", 200),
        ("172.16.0.1", "nonsense", 401),
        ("172.16.0.1", "fd00::1", 401),
    ],
)
async def test_only_allowed_networks_can_call_webhooks(
    world: MemoryWorld, peer: str, forwarded: str | None, status: int
) -> None:
    service = Service(
        world,
        webhook_allowed_networks=[ip_network("10.0.0.0/8")],
        trusted_proxies=[ip_network("172.16.0.0/12"), ip_network("fe80::/10")],
    )
    ann = await world.user("ann", tokens=100)
    image = await world.generation(ann, await world.style(await world.artist()))
    async with service.browser(address=peer) as browser:
        response = await browser.call(
            "PATCH",
            "/api/webhooks/inference/progress",
            headers=service.ai_server("inference-server") | ({"X-Forwarded-For": forwarded} if forwarded else {}),
            json={"generation_id": image.id, "progress": STEPS},
        )
    assert response.status_code == status
