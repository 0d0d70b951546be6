"""Where a collector takes spans."""

from __future__ import annotations

from urllib.parse import urlsplit

PATH = "/v1/traces"
"""What OTLP over HTTP calls the door for spans."""


def check_endpoint(text: str) -> str:
    """The text itself, if it is empty or the address of a collector; for settings.

    Raises:
        ValueError: it is none. The message does not repeat it.
    """
    if not text:
        return text
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not the address of a collector: http://HOST:4318 or https://HOST")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("an address and nothing else: a key for the collector goes into OTEL_EXPORTER_OTLP_HEADERS")
    _ = parts.port  # a ValueError where it is no number
    return text


def traces_address(endpoint: str) -> str:
    """Where spans go, at a collector of this address."""
    return endpoint.rstrip("/") + PATH
