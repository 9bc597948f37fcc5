"""What the tests of refused calls share."""

from typing import Any

import httpx


def refusal(response: httpx.Response) -> tuple[int, str, Any]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["details"]
