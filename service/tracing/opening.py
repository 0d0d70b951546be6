"""Tracing, if the settings ask for it; and where they do not, nothing that makes or sends traces is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.settings import Settings

if TYPE_CHECKING:
    from service.tracing.tracing import Tracing


class TracingUnavailable(RuntimeError):
    """The settings ask for traces, and what makes them is not installed."""


def tracing_of(settings: Settings) -> Tracing | None:
    """What traces requests; None: nobody wants to know. It starts nothing.

    Raises:
        TracingUnavailable: the extra `otel` is not installed.
    """
    if not settings.otlp_endpoint:
        return None
    try:
        from service.tracing.tracing import Tracing
    except ModuleNotFoundError as error:
        raise TracingUnavailable(
            f"REC_OTLP_ENDPOINT is set, and {error.name} is not installed: install the extra `otel`, or unset it"
        ) from error
    return Tracing(settings.otlp_endpoint, settings.otlp_sample)
