"""Checks every answer against the rules for all answers and against the API document."""

import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from litestar import Litestar

from entrypoints.http import openapi

TRACE_ID = re.compile(r"[0-9a-f]{32}")


class Contract:
    """Checks answers against one app's document."""

    def __init__(self, app: Litestar) -> None:
        self.document = openapi.document(app)
        self._validators: dict[str, Draft202012Validator] = {}
        self._paths = [
            (re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(template)) + "/?"), template)
            for template in self.document["paths"]
            if not template.startswith("/media")
        ]

    async def check(self, response: httpx.Response) -> None:
        await response.aread()
        self.verify(response)

    def verify(self, response: httpx.Response) -> None:
        """The same for a response that has been read."""
        assert TRACE_ID.fullmatch(response.headers["x-trace-id"])
        assert response.headers["x-content-type-options"] == "nosniff"
        if response.status_code in {204, 304} or response.request.method == "HEAD":
            assert response.content == b""
            return
        if response.status_code >= 400:
            check_refusal(response)
        path, method = response.request.url.path, response.request.method.lower()
        template = self._template(path)
        operation = self.document["paths"].get(template, {}).get(method)
        if operation:
            self._check_documented(operation, response)

    def _check_documented(self, operation: dict[str, Any], response: httpx.Response) -> None:
        said = operation["responses"]
        status = str(response.status_code)
        assert status in said, f"{operation['operationId']} answers {status}, which is not documented"
        described = said[status]
        if response.status_code >= 400:
            code = response.json()["error"]["code"]
            assert f"`{code}`" in described["description"], f"{operation['operationId']}: {code} is not documented"
        if schema := described.get("content", {}).get("application/json", {}).get("schema"):
            self._validator(schema).validate(response.json())

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        key = str(schema)
        if key not in self._validators:
            self._validators[key] = Draft202012Validator({**schema, "components": self.document["components"]})
        return self._validators[key]

    def _template(self, path: str) -> str | None:
        matches = [template for pattern, template in self._paths if pattern.fullmatch(path)]
        return min(matches, key=lambda template: template.count("{"), default=None)


def check_refusal(response: httpx.Response) -> None:
    assert response.headers["content-type"].startswith("application/json")
    body = response.json()
    assert body.keys() == {"success", "error"}
    assert body["success"] is False
    assert body["error"].keys() == {"code", "message", "details"}
    assert re.fullmatch(r"[A-Z][A-Z_]*", body["error"]["code"])
    assert body["error"]["message"]
