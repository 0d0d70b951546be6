"""Which server has which key: one that has all, or the nodes of a cluster."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from time import monotonic
from typing import Any, Protocol

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, ClusterDownError, InvalidResponse, MovedError, RedisError

from service.redis_address import RedisAddress, parse_address
from service.redis_node import Command, RedisNode
from service.settings import Settings

ASKED_AT_ONCE = 4
"""Nodes asked together who has what; the first to answer counts, so one that hangs holds nothing up."""
MAP_SECONDS = 1.0
"""The map is not asked for again sooner than this."""


class RedisServers(Protocol):
    """Servers and the keys they have."""

    async def learn(self) -> None:
        """Find out who has what. Raises RedisError, OSError: nobody tells."""

    def node_of(self, key: str) -> RedisNode | None:
        """Who has a key; None while nobody is known to."""

    def nodes(self) -> list[RedisNode]:
        """All that have keys."""

    async def run(self, node: RedisNode, commands: Sequence[Command]) -> list[Any]:
        """As RedisNode.run."""

    def doubt(self) -> None:
        """A server failed: somebody else may have its keys by now."""

    async def close(self) -> None:
        """Close all connections."""


def servers_of(settings: Settings) -> RedisServers:
    """What `redis_url` names; nothing is connected yet.

    Raises:
        ValueError: it is unset or no address.
    """
    if settings.redis_url is None:
        raise ValueError("REC_REDIS_URL is not set (`python -m service serve` starts a server of its own without it)")
    address = parse_address(settings.redis_url)
    return Cluster(address, settings) if address.is_cluster else OneServer(address, settings)


class OneServer:
    """One server has every key."""

    def __init__(self, address: RedisAddress, settings: Settings) -> None:
        self._node = RedisNode(address.servers[0], settings)

    async def learn(self) -> None:
        """Nothing to find out."""

    def node_of(self, key: str) -> RedisNode:
        """The server."""
        del key
        return self._node

    def nodes(self) -> list[RedisNode]:
        """The server."""
        return [self._node]

    async def run(self, node: RedisNode, commands: Sequence[Command]) -> list[Any]:
        """As RedisNode.run."""
        return await node.run(commands)

    def doubt(self) -> None:
        """There is no other."""

    async def close(self) -> None:
        """Close all connections."""
        await self._node.close()


class Cluster:
    """A Redis Cluster: keys fall into 16384 slots, and primary nodes have ranges of them.

    redis-py's own cluster client is not used here because one bad node is then felt by everybody: see
    docs/decisions/010-histories-in-redis.md. Source: the Redis Cluster specification.
    """

    def __init__(self, address: RedisAddress, settings: Settings) -> None:
        self._address = address
        self._settings = settings
        self._named = [RedisNode(server, settings) for server in address.servers]
        self._nodes: dict[str, RedisNode] = {}
        self._slots: list[RedisNode | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._retired: list[RedisNode] = []
        self._learning: asyncio.Task[None] | None = None
        self._learnt_at = -MAP_SECONDS
        self._running: set[asyncio.Task[Any]] = set()

    def node_of(self, key: str) -> RedisNode | None:
        """The primary node of the key's slot."""
        node = self._slots[key_slot(key.encode())]
        if node is None:
            self.doubt()
        return node

    def nodes(self) -> list[RedisNode]:
        """The primary nodes."""
        return list(self._nodes.values())

    async def run(self, node: RedisNode, commands: Sequence[Command]) -> list[Any]:
        """As RedisNode.run, and what lies elsewhere by now is asked for there. That may fail too: its error is the
        reply then."""
        replies = await node.run(commands)
        for place, reply in enumerate(replies):
            if isinstance(reply, AskError):  # a MovedError is one
                replies[place] = await self._follow(reply, node, commands[place])
            elif isinstance(reply, ClusterDownError):
                self.doubt()
        return replies

    async def _follow(self, answer: AskError, node: RedisNode, command: Command) -> object:
        elsewhere = self._node(answer.host or node.host, answer.port)
        moved = isinstance(answer, MovedError)
        if moved:
            self._slots[answer.slot_id] = elsewhere
            self.doubt()
        try:
            return (await elsewhere.run([command] if moved else [("ASKING",), command]))[-1]
        except (RedisError, OSError) as error:
            return error

    def doubt(self) -> None:
        """Ask for the map anew, in the background, unless that was just done."""
        if self._learning is None and monotonic() - self._learnt_at >= MAP_SECONDS:
            self._learning = self._spawn(self._learn())

    async def learn(self) -> None:
        """Find out who has what; together with whoever is at it already.

        Raises:
            RedisError, OSError: no node answers.
        """
        if self._learning is None:
            self._learning = self._spawn(self._learn())
        await self._learning

    async def _learn(self) -> None:
        try:
            self._adopt(*await self._told())
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidResponse("the answer to CLUSTER SLOTS is no list of slots") from error
        finally:
            self._learnt_at = monotonic()
            self._learning = None

    async def _told(self) -> tuple[RedisNode, list[Any]]:
        """The first answer of some nodes to CLUSTER SLOTS, and who gave it."""
        known = [*self._nodes.values(), *self._named]
        asked = {self._spawn(self._ask(node)) for node in random.sample(known, min(ASKED_AT_ONCE, len(known)))}
        error: BaseException | None = None
        while asked:
            done, asked = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is None:
                    told: tuple[RedisNode, list[Any]] = task.result()
                    return told
        raise error or RedisError("no node")

    async def _ask(self, node: RedisNode) -> tuple[RedisNode, list[Any]]:
        (reply,) = await node.run([("CLUSTER", "SLOTS")])
        if isinstance(reply, RedisError):
            raise reply
        return node, reply

    def _adopt(self, teller: RedisNode, ranges: list[Any]) -> None:
        """Believe a map: [first slot, last slot, [host, port, ...] of the primary, ...] a range."""
        slots: list[RedisNode | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        serving: dict[str, RedisNode] = {}
        for first, last, (host, port, *_), *_ in ranges:
            node = self._node((host or b"").decode() or teller.host, int(port))
            serving[node.name] = node
            slots[first : last + 1] = [node] * (last + 1 - first)
        for node in self._retired:  # retired a map ago: what was under way has ended, or is hopeless
            self._spawn(node.close())
        self._retired = [node for name, node in self._nodes.items() if name not in serving]
        self._nodes, self._slots = serving, slots

    def _node(self, host: str, port: int) -> RedisNode:
        """The node at an address; a new one when it is not among those known."""
        name = f"{host}:{port}"
        if name not in self._nodes:
            self._nodes[name] = RedisNode(self._address.at(host, port), self._settings)
        return self._nodes[name]

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: nobody may be waiting for it

    async def close(self) -> None:
        """Close all connections, when what is under way has ended."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
        for node in (*self._named, *self._nodes.values(), *self._retired):
            await node.close()
