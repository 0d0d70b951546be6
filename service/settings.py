"""Every setting of the service. Each is also an environment variable: `REC_` and its name in capitals."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.devices import WantedDevice
from service.keys import HASHED_KEY, NAMED_HASHES, Keys
from service.models.variants import check_variants
from service.redis_address import parse_address
from service.tracing.address import check_endpoint

PREFIX = "REC_"


class UnknownSetting(ValueError):
    """An environment variable begins with REC_ and is no setting: most likely a slip of the pen."""


def _address(url: str) -> str:
    parse_address(url)
    return url


class Settings(BaseSettings):
    """How one service runs; frozen, so what was checked at the start holds until the end."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True)

    bundle: Path = Path("bundle")
    """Folder of the model bundle, or a folder that holds several of them. What is served is hashed whole first: a large
    one on a slow disk delays readiness."""

    active_file: Path | None = None
    """File that names the active of several models; unset: `active.json` in their folder. All workers watch it. Where
    it cannot be written, the service serves and nothing can be activated."""

    active_poll_seconds: float = Field(default=1.0, ge=0.05, le=3600)
    """How often a worker looks at the active file: how long after an activation the workers may disagree, beside the
    time of the proof."""

    variants: Annotated[str, AfterValidator(check_variants)] | None = None
    """Models between which users are divided, `NAME=VERSION:PERCENT,NAME=VERSION:PERCENT`; `active` for VERSION is
    whichever is active. Each version stays open in every worker, and costs its memory. With 0 percent it is there for
    those who ask for it by name."""

    watch_models: bool = False
    """Prove and activate by itself every bundle that comes into the folder of the models and was exported later than
    the active one. Without, what is copied there waits to be activated."""

    keep_previous: bool = True
    """Keep the model that was active before open, so that a rollback is immediate. Without, it costs no memory, and a
    rollback proves and opens it anew."""

    admin_key_sha256: str | None = Field(default=None, repr=False, pattern=rf"^{HASHED_KEY}$")
    """sha256 (hexadecimal, lower case) of the key that may activate models and roll back. Unset, nobody may."""

    device: WantedDevice = "cpu"
    """Where the graphs run. `cuda` needs onnxruntime-gpu, and refuses to start rather than fall back to the CPU; `auto`
    falls back, and the log says why: a start that is never refused, and may be slower than was paid for."""

    model_threads: int = Field(default=1, ge=1, le=64)
    """Threads inside one model run. One per worker is best for throughput; more shorten a run over very large
    catalogues and, times `--workers`, must not exceed the cores."""

    redis_url: Annotated[str, AfterValidator(_address)] | None = Field(default=None, repr=False)
    """Address of the history cache: `redis://`, `rediss://` (TLS) or `unix://`, or for a Redis Cluster
    `redis+cluster://host:port,host:port` (`rediss+cluster://`). Unset, `serve` starts an embedded server whose contents
    end with the process. Not shown in logs: it may hold a password."""

    redis_timeout_ms: int = Field(default=20, ge=1, le=10_000)
    """How long a request waits for Redis. Short keeps a hung Redis from being felt; too short for the network makes
    healthy answers degraded. While the event loop itself is late, a few times longer."""

    redis_long_timeout_ms: int = Field(default=250, ge=1, le=10_000)
    """How long an event, an erasure or a look at a stored history waits for Redis. A recommendation can do without
    Redis, these cannot: giving up early costs the caller a 503 and a second try."""

    redis_connections: int = Field(default=64, ge=1, le=10_000)
    """Connections of one worker to one server, at most. As many as `permits` means that no request waits for one."""

    breaker_failures: int = Field(default=3, ge=1, le=1000)
    """Failures of Redis in a row after which it is no longer asked. Few: less waiting. Many: fewer false alarms."""

    breaker_open_seconds: float = Field(default=1.0, gt=0, le=3600)
    """How long Redis is then left alone before one request tries it again; also the slowest recovery."""

    history_kept: int = Field(default=100, ge=1, le=10_000)
    """Newest items stored per user. More lets more seen items be left out, for 2 to 40 bytes each, and makes Redis work
    longer at each event."""

    history_ttl_seconds: int = Field(default=30 * 86_400, ge=1)
    """A history is forgotten this long after its last event. Bounds memory by active users, and privacy by time."""

    event_ids_kept: int = Field(default=128, ge=1, le=10_000)
    """Newest event ids remembered per user, as 16-byte hashes: a repeat older than that counts as new. Up to 128 Redis
    stores them in its compact form."""

    embedded_redis_mb: int = Field(default=256, ge=16)
    """Memory of the embedded server; beyond it the users not heard of for longest are evicted."""

    seed_interactions: Path | None = None
    """A csv or csv.gz file (user_id,item_id,timestamp) whose histories `serve` stores before it opens the port, for
    users that have none. Its rows are brought together on disk first, in TMPDIR."""

    api_keys_sha256: str | None = Field(default=None, pattern=NAMED_HASHES)
    """`name=hash,name=hash`: who may call, by the sha256 of their keys; `python -m service hash-key` makes one. Unset,
    everybody may: then let nobody but your own network reach the port."""

    metrics_need_key: bool = False
    """Ask for a key at `/metrics`, too. Needs `api_keys_sha256`. Probes and the console's page are always open."""

    rate_per_second: float | None = Field(default=None, gt=0, le=1_000_000)
    """Requests per second that one worker takes of every key in the long run; with several workers a key gets up to so
    many times more. Needs `api_keys_sha256`. Unset, one caller may take all permits."""

    rate_burst: int = Field(default=100, ge=1, le=1_000_000)
    """Requests that a key may make at once after a pause, before `rate_per_second` counts. More is kinder to callers
    that come in waves."""

    permits: int = Field(default=64, ge=1, le=10_000)
    """Requests worked on at once in one worker, at most; the next is refused with 429 at once. Low keeps the latency of
    what is accepted short; high absorbs bursts."""

    standing_wait_ms: float = Field(default=5.0, gt=0, le=60_000)
    """When every recommendation of a tenth of a second waits for the model longer than this, the run under way not
    counted, a queue stands that only makes everybody late: then fewer requests are let in than `permits`, 8 at least,
    until it is gone. Short: quick answers in an overload. Long: always as many as there are permits."""

    queue: int = Field(default=256, ge=1, le=100_000)
    """Recommendations that may wait for the model in one worker; the next is refused with 429. The permits bound single
    requests already; this also bounds what batches of requests bring. Long: patience; short: quick answers."""

    batch_requests: int = Field(default=32, ge=1, le=1000)
    """Requests in one call of `/recommend/batch`, at most. Each takes a permit: more than half of `permits` are only
    let in when little else is under way."""

    max_body_bytes: int = Field(default=1_048_576, ge=1024)
    """Longest request body; more is a 413. The longest valid request within the list caps is about 0.6 MB of ASCII."""

    body_timeout_seconds: float = Field(default=5.0, gt=0, le=300)
    """How long a body may take to arrive; slower is a 408, so that slow senders cannot hold memory for long."""

    keep_alive_seconds: int = Field(default=75, ge=1, le=3600)
    """A connection without a request is closed after so long. Longer than callers, and balancers before them, keep
    theirs (commonly up to 60 s): what they send into one that is just being closed is lost. Shorter frees those that
    nobody comes back to, 14 KB each."""

    drain_seconds: float = Field(default=1.0, ge=0, le=300)
    """After SIGTERM `/readyz` is a 503 and requests are still answered for so long, until whoever distributes them has
    noticed. Longer than the pause between its probes loses none; with `shutdown_seconds` it must fit the patience of
    whoever sent SIGTERM."""

    shutdown_seconds: int = Field(default=8, ge=1, le=300)
    """After that, requests under way may take this long to finish."""

    console: bool = True
    """Serve the console at `/`. Its user picker shows stored user ids: turn it off where the port is public."""

    access_log: bool = False
    """One log line per request, without user ids: easier hunting, for some throughput and much disk. What is refused
    for want of a permit is told in sums."""

    otlp_endpoint: Annotated[str, AfterValidator(check_endpoint)] | None = None
    """Address of a collector that takes OTLP over HTTP, as `http://collector:4318`: it is sent a trace of each request.
    Needs the extra `otel`. Unset or empty, nothing is traced. A key for the collector goes into
    `OTEL_EXPORTER_OTLP_HEADERS`."""

    otlp_sample: float = Field(default=1.0, ge=0, le=1, allow_inf_nan=False)
    """Share of the traces that begin here which are sent. Fewer cost less. A caller who sends a `traceparent` has
    decided already, and is followed."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least important log line that is written."""

    @model_validator(mode="after")
    def _keys_and_what_needs_them(self) -> Settings:
        if self.api_keys_sha256 is not None:
            Keys.parse(self.api_keys_sha256)
        elif self.rate_per_second is not None or self.metrics_need_key:
            raise ValueError("REC_RATE_PER_SECOND and REC_METRICS_NEED_KEY mean nothing without REC_API_KEYS_SHA256")
        return self


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that the environment states.

    Raises:
        UnknownSetting: a variable begins with REC_ and names no setting.
        pydantic.ValidationError: a value is out of bounds; it names the setting.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise UnknownSetting(f"{', '.join(unknown)}: no such setting (docs/serving.md lists them)")
    return Settings()


def as_environment(settings: Settings) -> dict[str, str]:
    """The same settings as environment variables: how they reach worker processes."""
    stated = settings.model_dump(mode="json", exclude_none=True)
    return {PREFIX + name.upper(): str(value) for name, value in stated.items()}
