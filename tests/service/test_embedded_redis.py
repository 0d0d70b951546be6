"""A server of our own lives as long as who started it, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

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


def _number(url: str) -> int:
    with Redis.from_url(url) as redis:
        return int(redis.info("server")["process_id"])


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _ends(process: int, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while _is_there(process) and time.monotonic() < until:
        time.sleep(0.02)
    return not _is_there(process)


def test_it_answers_while_it_is_held_and_is_gone_after() -> None:
    with embedded_redis(16) as url:
        process = _number(url)
        with Redis.from_url(url) as redis:
            assert redis.set("key", "value")
            assert redis.config_get("maxmemory")["maxmemory"] == str(16 * 2**20)
    assert _ends(process)
    with pytest.raises(Gone), Redis.from_url(url) as redis:
        redis.ping()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_who_started_it_is_killed(how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDS_ONE], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        process = _number(holder.stdout.readline().strip())
        assert _is_there(process)
        holder.send_signal(how)
        holder.wait()
    assert _ends(process)
