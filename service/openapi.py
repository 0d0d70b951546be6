"""The contract towards callers, as OpenAPI: which errors an operation may answer with, which key it asks for."""

from __future__ import annotations

import json
from typing import Any

from service.authentication import ADMIN, METRICS, OPEN
from service.errors import HTTP_ERRORS, INTERNAL, TABLE
from service.schemas import ErrorBody
from service.settings import Settings

Responses = dict[int | str, dict[str, Any]]
TAGS = [
    {"name": "recommendations", "description": "What to show to whom."},
    {"name": "histories", "description": "What users did: told, shown, forgotten."},
    {"name": "items", "description": "What is shown of an item, and what is like it."},
    {"name": "models", "description": "Which model answers, and another one instead."},
    {"name": "operation", "description": "What machines ask: alive, ready, how much of what."},
    {"name": "console", "description": "What the page at / asks beside all that."},
]
_KEYS = {
    "key": {"type": "http", "scheme": "bearer", "description": "One of `REC_API_KEYS_SHA256`"},
    "admin_key": {"type": "http", "scheme": "bearer", "description": "That of `REC_ADMIN_KEY_SHA256`"},
}  # fmt: skip
_WAIT = {"description": "Seconds after which it is worth another try.", "schema": {"type": "integer", "minimum": 1}}


def errors(*statuses: int) -> Responses:
    """The error responses of an operation."""
    return {status: _described(status) for status in statuses}


def describe(document: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The document, told which operations ask for which key. Where no keys are set the ordinary one is optional."""
    document.setdefault("components", {})["securitySchemes"] = _KEYS
    document["security"] = [{"key": []}] if settings.api_keys_sha256 else [{}, {"key": []}]
    is_open = OPEN if settings.metrics_need_key else OPEN | {METRICS}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path in is_open:
                operation["security"] = []
            elif path.startswith(ADMIN):
                operation["security"] = [{"admin_key": []}]
    return document


def as_text(document: dict[str, Any]) -> str:
    """The document as it is committed."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _described(status: int) -> dict[str, Any]:
    rows = [row for row in (*TABLE.values(), INTERNAL) if row.status == status]
    names = [row.error for row in rows] or [HTTP_ERRORS[status]]
    described: dict[str, Any] = {"model": ErrorBody, "description": " or ".join(f"`{name}`" for name in names)}
    if any(row.retry_after for row in rows):
        described["headers"] = {"Retry-After": _WAIT}
    return described
