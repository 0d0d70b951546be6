"""What every request passes through before it reaches an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware import Middleware

from service.admission import Admission, FirstLook, Permits
from service.authentication import Authentication
from service.body_limit import BodyLimit
from service.keys import Keys
from service.metrics import Metrics
from service.observation import Observation
from service.rate_limit import RateLimit
from service.settings import Settings
from service.shutdown import Draining, Shutdown

if TYPE_CHECKING:
    from service.tracing.tracing import Tracing


def middleware_of(
    settings: Settings, metrics: Metrics, shutdown: Shutdown, permits: Permits, tracing: Tracing | None
) -> list[Middleware]:
    """Outermost first, from what is cheap to refuse to what is not. Pure ASGI classes: FastAPI's function middleware
    would halve the throughput."""
    return [
        Middleware(Observation, metrics, tracing, access_log=settings.access_log),
        Middleware(Draining, shutdown),
        *_of_callers(settings, metrics),
        Middleware(FirstLook, permits),
        Middleware(BodyLimit, settings.max_body_bytes, settings.body_timeout_seconds),
        Middleware(Admission, permits),
    ]


def _of_callers(settings: Settings, metrics: Metrics) -> list[Middleware]:
    if settings.api_keys_sha256 is None:
        return []
    keys = Keys.parse(settings.api_keys_sha256)
    chosen = [Middleware(Authentication, keys, metrics, guard_metrics=settings.metrics_need_key)]
    if settings.rate_per_second is not None:
        chosen.append(Middleware(RateLimit, settings.rate_per_second, settings.rate_burst))
    return chosen
