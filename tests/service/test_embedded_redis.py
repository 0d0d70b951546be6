"""A server of our own lives as long as who started it, and no longer."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import ConnectionError as Gone
from redis import Redis

from service.embedded_redis import embedded_redis

_HOLDS_ONE = """
import time
from service.embedded_redis import embedded_redis
with embedded_redis(16) as url:
    print(url, flush=True)
    time.sleep(600)
"""


def _answers(url: str) -> bool:
    with Redis.from_url(url) as redis:
        try:
            return bool(redis.ping())
        except Gone:
            return False


def _folder(url: str) -> Path:
    return Path(url.removeprefix("unix://")).parent


def test_it_answers_while_it_is_held_and_is_gone_after() -> None:
    with embedded_redis(16) as url:
        with Redis.from_url(url) as redis:
            assert redis.set("key", "value")
            assert redis.config_get("maxmemory")["maxmemory"] == str(16 * 2**20)
        assert _folder(url).is_dir()
    assert not _answers(url)
    assert not _folder(url).exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_who_started_it_is_killed(how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDS_ONE], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            url = holder.stdout.readline().strip()
            with Redis.from_url(url) as held:
                assert held.ping()
                holder.send_signal(how)
                holder.wait()
                with pytest.raises(Gone):  # the line that was open is closed by the server's own end
                    _ping_until(held, seconds=10)
        finally:
            holder.kill()
    until = time.monotonic() + 10
    while _folder(url).exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not _folder(url).exists()


def _ping_until(redis: Redis, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        redis.ping()
        time.sleep(0.02)
