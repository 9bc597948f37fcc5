"""Text that could take quadratic time to process: a megabyte of it, in a process with limited CPU time."""

import json
import subprocess
import sys
from itertools import cycle, islice

import pytest

from core.text import MAX_MARKS, comparison_key, normalize
from entrypoints.http.body import MAX_BRACKETS, MAX_UNKNOWN
from entrypoints.http.routes.toss import MAX_EVENT
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld

ENOUGH = 30
"""Seconds of processor time. It takes less than one; where it grows with the square, it takes hours."""


def limited(code: str) -> None:
    limit = f"import resource\nresource.setrlimit(resource.RLIMIT_CPU, ({ENOUGH}, {ENOUGH}))\n"
    program = [sys.executable, "-c", limit + code]
    result = subprocess.run(program, env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "marks",
    [r"\u0315\u0300", r"\u0300\u0315", r"\u0344\u0323", r"\u0f73", r"\u0315\u034f\u0300"],
)
def test_endless_combining_marks_take_linear_time(marks: str) -> None:
    limited(
        "from core.text import comparison_key, parse_free_text, parse_name\n"
        f"text = 'a' + '{marks}' * 200_000\n"
        "comparison_key(text), parse_free_text(text), parse_name(text)"
    )


def test_long_runs_of_combining_marks_are_not_reordered() -> None:
    high = "".join(islice(cycle("\u0315\u0300"), MAX_MARKS + 1))
    assert normalize(f"a{high}") == f"a{high}"
    assert normalize(f"a{high[:-1]}") == "\u00e0" + "\u0300" * (MAX_MARKS // 2 - 1) + "\u0315" * (MAX_MARKS // 2)
    assert normalize("e\u0301" * 100) == "\u00e9" * 100
    assert comparison_key(f"a{high}") == f"a{high}"


@pytest.mark.parametrize("unended", [r"\"", r'"\"', r"\\\""])
def test_unterminated_json_strings_are_scanned_once(unended: str) -> None:
    limited(
        "from entrypoints.http.errors import MalformedBody\n"
        "from entrypoints.http.lenient import read\n"
        f"body = b'{{\"a\":' + b'[' * 40 + {unended.encode()!r} * 200_000\n"
        "try:\n    read(body)\nexcept MalformedBody:\n    pass\nelse:\n    raise AssertionError"
    )


async def test_the_payment_webhook_accepts_small_bodies_only(anonymous: Browser) -> None:
    body = b'{"a":"%b"}' % (b"a" * MAX_EVENT)
    assert (await anonymous.post("/api/webhooks/toss/payment", content=body)).status_code == 413


@pytest.mark.parametrize("container", ["[]", "{}"])
async def test_a_body_of_brackets_is_refused_before_parsing(
    service: Service, world: MemoryWorld, container: str
) -> None:
    async with service.browser(await world.user()) as browser:
        for count, status in ((MAX_BRACKETS - 2, 422), (MAX_BRACKETS, 413)):
            body = f'{{"package_id": [{",".join([container] * count)}]}}'
            sent = await browser.post(
                "/api/tokens/purchase", content=body, headers={"Content-Type": "application/json"}
            )
            assert sent.status_code == status


async def test_a_refusal_does_not_name_every_unknown_field(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        body = json.dumps(dict.fromkeys(map(str, range(50_000)), 1) | {"package_id": "basic_100"})
        sent = await browser.post("/api/tokens/purchase", content=body, headers={"Content-Type": "application/json"})
    assert sent.status_code == 422
    assert len(sent.json()["error"]["details"]) == MAX_UNKNOWN
