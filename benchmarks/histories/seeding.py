"""How fast `service seed` is, and how much memory and disk it takes: the real command, on files of several lengths."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

MEGABYTE = 1 << 20
TIMES = 10**6


@dataclass(frozen=True)
class Run:
    """One run of the command."""

    users: int
    rows: int
    file_mb: float
    is_sorted: bool
    seconds: float
    users_per_second: float
    cpu_seconds: float
    """What the command itself computed: other work on the machine does not change it."""
    users_per_cpu_second: float
    resident_mb: float
    """Most memory that the process ever held."""
    said: str


def run(bundle: Path, url: str, file: Path, users: int, *, is_sorted: bool) -> Run:
    """Seed an empty server from a file.

    Raises:
        RuntimeError: the command failed.
    """
    with Redis.from_url(url) as redis:
        redis.flushall()
    command = [sys.executable, "-m", "service", "seed", str(bundle), "--interactions", str(file), "--redis", url]
    started = time.perf_counter()
    with subprocess.Popen(command + ["--sorted"] * is_sorted, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        said = (process.stdout.read() if process.stdout else "").strip()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    rows = int(said.split(" rows")[0].split()[-1])
    computed = used.ru_utime + used.ru_stime
    return Run(
        users, rows, round(file.stat().st_size / MEGABYTE, 1), is_sorted, round(seconds, 1), round(users / seconds),
        round(computed, 1), round(users / computed), round(used.ru_maxrss / 1024, 1), said,
    )  # fmt: skip


def write(file: Path, item_ids: list[str], users: int, rows_per_user: int, *, is_sorted: bool) -> None:
    """Interactions of many users; in order of time, so that those of a user are far apart, or by user."""
    with file.open("w") as out:
        out.write("user_id,item_id,timestamp\n")
        out.writelines(_lines(item_ids, users, rows_per_user, is_sorted=is_sorted))


def _lines(item_ids: list[str], users: int, rows_per_user: int, *, is_sorted: bool) -> Iterator[str]:
    draw = random.Random(0)
    if is_sorted:
        for user in range(users):
            for _ in range(rows_per_user):
                yield f"A{user:013d},{draw.choice(item_ids)},{draw.randrange(TIMES)}\n"
        return
    for moment in range(rows_per_user):
        for user in draw.sample(range(users), users):
            yield f"A{user:013d},{draw.choice(item_ids)},{moment}\n"
