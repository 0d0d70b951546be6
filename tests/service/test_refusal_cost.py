"""What a refusal costs, in processor time: it does not depend on what else the machine does."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.service.test_http_protocol import read_answer
from tests.service.test_main import serving

LIST = b'{"history": ["book-01", "book-02", "book-03"], "n": 20}'
STORED = b'{"user_id": "ada"}'
HEAD = b"POST /recommend HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
LISTS, REFUSALS = 400, 2000
AT_ONCE = 20
"""So many callers are refused together: a worker that is asked for too much does not sleep between two of them. To fall
asleep and be woken for each would cost a virtual machine as much as the refusal.
"""
MOST = 1 / 21
"""Of a list: asked for three times what it can do, a worker that pays r lists for a refusal still gives
(1 - 3 r) / (1 - r) of them, and that is to be 90%."""


def test_a_refusal_costs_so_little_that_an_overload_leaves_nine_lists_of_ten(tiny_bundle: Path, tmp_path: Path) -> None:
    """The list is as cheap as it can be, of 60 items. A Redis that hangs holds the only permit meanwhile."""
    path = str(tmp_path / "hung.sock")
    limits = {"REC_PERMITS": "1", "REC_BATCH_REQUESTS": "1", "REC_REDIS_TIMEOUT_MS": "10000"}
    with (
        socket.socket(socket.AF_UNIX) as hung,
        serving(tmp_path / "log", str(tiny_bundle), REC_REDIS_URL=f"unix://{path}", **limits) as (client, process),
    ):
        with asking(client, 200) as ask:
            a_list = seconds_each(process.pid, ask, LISTS)
        hung.bind(path)
        hung.listen()
        with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=20) as holder:
            holder.sendall(HEAD % len(STORED) + STORED)
            while "rec_in_flight 1.0" not in client.get("/metrics").text:
                time.sleep(0.01)
            with asking(client, 429, AT_ONCE) as ask:
                a_refusal = seconds_each(process.pid, ask, REFUSALS // AT_ONCE) / AT_ONCE
    assert a_refusal < a_list * MOST


@contextmanager
def asking(client: httpx.Client, status: int, callers: int = 1) -> Iterator[Callable[[], None]]:
    """Asks for a list, over a connection for each caller, and gets that."""
    with ExitStack() as opened:
        address = client.base_url.host, client.base_url.port or 0
        plain = [opened.enter_context(socket.create_connection(address, timeout=20)) for _ in range(callers)]

        def ask() -> None:
            for one in plain:
                one.sendall(HEAD % len(LIST) + LIST)
            for one in plain:
                assert read_answer(one)[0] == status

        yield ask


def seconds_each(pid: int, ask: Callable[[], None], times: int) -> float:
    for _ in range(100):  # what happens only the first times
        ask()
    before = processor_seconds(pid)
    for _ in range(times):
        ask()
    return (processor_seconds(pid) - before) / times


def processor_seconds(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
