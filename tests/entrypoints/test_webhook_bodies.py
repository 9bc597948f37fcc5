"""Reports of the AI servers are recorded, whatever text and numbers they contain."""

import json
from typing import Any

import msgspec
import pytest

from core.tasks.outcome import UNKNOWN, Failure
from entrypoints.http.lenient import MAX_DEPTH
from entrypoints.http.routes.webhook_bodies import MAX_CODE, MAX_MESSAGE, NO_REASON
from entrypoints.http.routes.webhooks import MAX_BODY
from tests.entrypoints.test_webhooks import Scene, scene
from tests.support.memory_world import MemoryWorld

__all__ = ["scene"]

# --- free text is cleaned and cut -------------------------------------------------------------------------------------

MESSAGES = [
    ('"CUDA error\\u0000"', "CUDA error\ufffd"),
    ('"caf\\udce9"', "caf\ufffd"),
    ('"\\ud83d\\ude00 \\ude00\\ud83d"', "\U0001f600 \ufffd\ufffd"),
    ('"a\x00b\tc\nd\x1b[31m"', "a\ufffdb\tc\nd\x1b[31m"),
    ('"한글"', "한글"),
    ('"' + "x" * 300_000 + '"', "x" * MAX_MESSAGE),
    ('"' + "\\u0000" * 300_000 + '"', "\ufffd" * MAX_MESSAGE),
    ("null", NO_REASON),
    ('""', NO_REASON),
    ("5", "5"),
    ('{"detail": ["CUDA", 1]}', '{"detail":["CUDA",1]}'),
    ("NaN", NO_REASON),
]


@pytest.mark.parametrize(("message", "kept"), MESSAGES, ids=lambda text: repr(text[:20]))
@pytest.mark.parametrize("call", ["training/failed", "inference/failed"])
async def test_a_failure_is_recorded_whatever_its_message(
    scene: Scene, world: MemoryWorld, call: str, message: str, kept: str
) -> None:
    body = json.dumps(scene.body(call, error_message="MESSAGE", error_code="GENERATION_FAILED"))

    assert await scene.report(call, body.replace('"MESSAGE"', message)) == (200, {"applied": True, "status": "failed"})

    failed = (
        world.database.tables.style_versions[scene.style.version_id],
        world.database.tables.generations[scene.image.id],
    )
    assert failed[call.startswith("inference")].failure == Failure("GENERATION_FAILED", kept)


async def test_a_message_in_another_encoding_is_recorded(scene: Scene, world: MemoryWorld) -> None:
    body = json.dumps(scene.body("inference/failed", error_message="MESSAGE", error_code="GENERATION_FAILED"))
    content = body.encode().replace(b"MESSAGE", b"caf\xe9")
    assert await scene.report("inference/failed", content) == (200, {"applied": True, "status": "failed"})
    failure = world.database.tables.generations[scene.image.id].failure
    assert failure == Failure("GENERATION_FAILED", "caf\ufffd")


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("X" * 300, "X" * MAX_CODE),
        ("BAD\0CODE", "BAD\ufffdCODE"),
        ("", UNKNOWN),
        (None, UNKNOWN),
        (5, UNKNOWN),
        ({}, UNKNOWN),
        (" GENERATION_ERROR\n", "GENERATION_ERROR"),
    ],
)
@pytest.mark.parametrize("call", ["training/failed", "inference/failed"])
async def test_a_failure_is_recorded_whatever_its_code(
    scene: Scene, world: MemoryWorld, call: str, code: object, kept: str
) -> None:
    status, data = await scene.call(call, error_code=code)
    assert (status, data["applied"]) == (200, True)
    failed = (
        world.database.tables.style_versions[scene.style.version_id],
        world.database.tables.generations[scene.image.id],
    )
    assert failed[call.startswith("inference")].failure == Failure(kept, "No")


@pytest.mark.parametrize(
    ("count", "status"),
    [
        ("3", "failed"),
        ("3.0", "failed"),
        ("4", "failed"),
        *((other, "retrying") for other in ('"3"', "-1", "NaN", "true", "[]", "1e400")),
    ],
)
async def test_an_invalid_retry_count_is_ignored(scene: Scene, count: str, status: str) -> None:
    body = json.dumps(scene.body("inference/failed", retry_count="COUNT")).replace('"COUNT"', count)
    assert await scene.report("inference/failed", body) == (200, {"applied": True, "status": status})


# --- measurements count as null, or are clamped -----------------------------------------------------------------------

PROGRESS: list[tuple[str, tuple[int, int, float, int | None]]] = [
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": 20, "estimated_seconds": 12.7}', (10, 40, 20.0, 13)),
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": 20, "estimated_seconds": -1}', (10, 40, 20.0, None)),
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": 20, "estimated_seconds": -0.2}', (10, 40, 20.0, None)),
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": 20, "estimated_seconds": 1e300}', (10, 40, 20.0, None)),
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": 20, "estimated_seconds": "9"}', (10, 40, 20.0, None)),
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": 20, "estimated_seconds": Infinity}', (10, 40, 20.0, None)),
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": 100.00000000000001}', (10, 40, 100.0, None)),
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": -0.5}', (10, 40, 0.0, None)),
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": 1000000000000000000000000}', (10, 40, 25.0, None)),
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": NaN}', (10, 40, 25.0, None)),
    ('{"CURRENT": 10, "TOTAL": 40, "progress_percent": "20"}', (10, 40, 25.0, None)),
    ('{"CURRENT": 50, "TOTAL": 40}', (50, 40, 100.0, None)),
    ('{"CURRENT": 9.6, "TOTAL": 40.0, "progress_percent": 20}', (10, 40, 20.0, None)),
    ('{"CURRENT": 10, "TOTAL": null}', (10, 0, 0.0, None)),
    ('{"CURRENT": 10, "TOTAL": 2147483648}', (10, 0, 0.0, None)),
    ('{"CURRENT": "10", "TOTAL": 40, "progress_percent": 20}', (0, 40, 20.0, None)),
    ('{"CURRENT": true, "TOTAL": 40, "progress_percent": 20}', (0, 40, 20.0, None)),
    ('{"CURRENT": -1, "TOTAL": 40, "progress_percent": 20}', (0, 40, 20.0, None)),
    ("{}", (0, 0, 0.0, None)),
    ("null", (0, 0, 0.0, None)),
    ('"half way"', (0, 0, 0.0, None)),
    ("[1, 2]", (0, 0, 0.0, None)),
]


@pytest.mark.parametrize(("progress", "kept"), PROGRESS, ids=str)
@pytest.mark.parametrize("call", ["training/progress", "inference/progress"])
async def test_progress_is_recorded_whatever_its_numbers(
    scene: Scene, world: MemoryWorld, call: str, progress: str, kept: tuple[int, int, float, int | None]
) -> None:
    unit = "epoch" if call.startswith("training") else "step"
    progress = progress.replace("CURRENT", f"current_{unit}").replace("TOTAL", f"total_{unit}s")
    body = json.dumps(scene.body(call, progress="PROGRESS")).replace('"PROGRESS"', progress)

    status, data = await scene.report(call, body)

    assert (status, data["applied"]) == (200, True)
    moved = (
        world.database.tables.style_versions[scene.style.version_id],
        world.database.tables.generations[scene.image.id],
    )
    stored = moved[call.startswith("inference")].progress
    assert stored is not None
    assert msgspec.structs.astuple(stored)[:4] == kept
    await scene.state()  # which reads it for the owner


async def test_progress_without_a_progress_field_is_recorded(scene: Scene) -> None:
    body = json.dumps({"style_id": scene.style.id})
    assert await scene.report("training/progress", body) == (200, {"applied": True, "status": "training"})


METADATA: list[tuple[str, dict[str, Any]]] = [
    (
        '{"loss": NaN, "best": -Infinity, "more": [1, Infinity, {"x": NaN}]}',
        {"loss": None, "best": None, "more": [1, None, {"x": None}]},
    ),
    (
        '{"big": 1e400, "long": 123456789012345678901234567890, "seed": 18446744073709551615}',
        {"big": None, "long": None, "seed": 2**64 - 1},
    ),
    ('{"digits": ' + "9" * 10_000 + "}", {"digits": None}),
    ('{"note": "a\\u0000b\\udce9", "a\\u0000": 1}', {"note": "a\ufffdb\ufffd", "a\ufffd": 1}),
    ("[1]", {"FIELD": [1]}),
    ('"good"', {"FIELD": "good"}),
    ("null", {}),
    ("NaN", {}),
]


@pytest.mark.parametrize(("reported", "kept"), METADATA, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize(
    ("call", "field"), [("training/complete", "training_metric"), ("inference/complete", "metadata")]
)
async def test_a_completion_is_recorded_with_any_metadata(
    scene: Scene, world: MemoryWorld, call: str, field: str, reported: str, kept: dict[str, Any]
) -> None:
    body = json.dumps(scene.body(call, **{field: "PLACEHOLDER"})).replace('"PLACEHOLDER"', reported)

    assert await scene.report(call, body) == (200, {"applied": True, "status": "completed"})

    version, image = (
        world.database.tables.style_versions[scene.style.version_id],
        world.database.tables.generations[scene.image.id],
    )
    stored = image.metadata if field == "metadata" else version.training_metric or {}
    assert stored == {field if name == "FIELD" else name: value for name, value in kept.items()}


@pytest.mark.parametrize("depth", [MAX_DEPTH, 100, 1_000, 100_000])
@pytest.mark.parametrize("brackets", ["[]", '{"a":}'])
async def test_a_completion_is_recorded_with_deep_metadata(
    scene: Scene, world: MemoryWorld, depth: int, brackets: str
) -> None:
    nested = brackets[:-1] * depth + "1" + brackets[-1] * depth
    body = json.dumps(scene.body("inference/complete", metadata={"worker": "[{", "nested": "NESTED"}, after="}]"))

    call = "inference/complete"
    assert await scene.report(call, body.replace('"NESTED"', nested)) == (200, {"applied": True, "status": "completed"})

    metadata = world.database.tables.generations[scene.image.id].metadata
    assert (metadata["worker"], metadata["after"]) == ("[{", "}]")
    levels, value = 0, metadata["nested"]
    while isinstance(value, list | dict):
        [value] = value if isinstance(value, list) else value.values()
        levels += 1
    assert (levels, value) == (MAX_DEPTH - 2, None)


async def test_a_too_large_body_is_413(scene: Scene) -> None:
    body = json.dumps(scene.body("inference/progress")) + " " * MAX_BODY
    status, error = await scene.report("inference/progress", body)
    assert (status, error["code"]) == (413, "PAYLOAD_TOO_LARGE")
