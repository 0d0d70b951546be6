"""User histories in Redis: a cache that may be lost, down or slow, and must never be felt more than its time-out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from service.errors import HistoryUnavailable
from service.history_keys import events_key, history_key, user_of
from service.metrics import Metrics
from service.packed_items import LUA_SIZE, pack, unpacker
from service.redis_calls import RedisCalls, Request
from service.redis_node import Command
from service.settings import Settings

APPEND = (
    LUA_SIZE
    + """
local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
local place = tonumber(newest[2] or '0')
local accepted = {}
for i = 4, #ARGV, 2 do
  local new = 1
  if ARGV[i + 1] ~= '' then
    place = place + 1
    new = redis.call('ZADD', KEYS[2], 'NX', place, ARGV[i + 1])
  end
  if new == 1 then accepted[#accepted + 1] = ARGV[i] end
end
if #accepted == 0 then return 0 end
local packed = (redis.call('GET', KEYS[1]) or '') .. table.concat(accepted)
local starts, at = {}, 1
while at <= #packed do
  starts[#starts + 1] = at
  at = at + size(packed, at)
end
local first = starts[#starts - ARGV[1] + 1] or 1
redis.call('SET', KEYS[1], packed:sub(first), 'EX', ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -ARGV[3] - 1)
redis.call('EXPIRE', KEYS[2], ARGV[2])
return #accepted
"""
)
"""KEYS history, event ids. ARGV items kept, seconds to live, event ids kept, then (packed item, hash or '') per event.
One script: no reader ever sees an event id taken without its item stored."""

NONSENSE = "the history cache answered nonsense"
SAMPLE_TRIES = 4
"""Random keys drawn per user wanted: about half of the keys are event ids, and some are drawn twice."""


@dataclass(frozen=True)
class StoredEvent:
    """An event whose item is known."""

    item_id: str
    event_id: str | None = None


class Histories:
    """The stored histories. Every method raises HistoryUnavailable, after at most a time-out or two, when Redis does
    not answer, and at once while it is left alone."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Name the server or cluster; nothing is connected yet.

        Raises:
            ValueError: the address is none.
        """
        self._settings = settings
        self._calls = RedisCalls(settings, metrics)
        self._unpack = unpacker()

    async def read(self, user_id: str) -> list[str]:
        """The item ids of a user, newest last; empty when there are none. For a recommendation, which cannot wait."""
        return _given(await self._read([user_id], self._settings.redis_timeout_ms))

    async def read_many(self, user_ids: Sequence[str]) -> list[list[str] | None]:
        """The same for several users, in one trip (in a cluster, one for each node that has some of them). None where
        the history could not be read; nothing is raised."""
        histories = await self._read(user_ids, self._settings.redis_timeout_ms)
        return [None if isinstance(history, HistoryUnavailable) else history for history in histories]

    async def show(self, user_id: str) -> list[str]:
        """As `read`, for one who asks for just that, and can wait."""
        return _given(await self._read([user_id], self._settings.redis_long_timeout_ms))

    async def _read(self, user_ids: Sequence[str], patience_ms: int) -> list[list[str] | HistoryUnavailable]:
        keys = [history_key(user_id) for user_id in user_ids]
        replies = await self._calls.ask([(key, ("GET", key)) for key in keys], patience_ms)
        return [self._items(reply) for reply in replies]

    def _items(self, reply: object) -> list[str] | HistoryUnavailable:
        if reply is None:
            return []
        if isinstance(reply, HistoryUnavailable):
            return reply
        try:
            return self._unpack(_bytes(reply))
        except ValueError:
            return HistoryUnavailable(NONSENSE)

    async def append(self, events: dict[str, list[StoredEvent]]) -> int:
        """Append the events of each user, oldest first, in one trip; how many were new.

        A failure may leave the events of some users stored and of others not. With event ids a repeat is safe.
        """
        requests = [self._appending(user_id, appended) for user_id, appended in events.items()]
        return sum(map(_number, await self._calls.ask(requests, self._settings.redis_long_timeout_ms)))

    def _appending(self, user_id: str, appended: list[StoredEvent]) -> Request:
        arguments = [part for event in appended for part in (pack(event.item_id), _hashed(event.event_id))]
        kept = self._settings
        limits = kept.history_kept, kept.history_ttl_seconds, kept.event_ids_kept
        key = history_key(user_id)
        return key, ("EVAL", APPEND, 2, key, events_key(user_id), *limits, *arguments)

    async def erase(self, user_id: str) -> None:
        """Forget all that is stored of a user, event ids too."""
        key = history_key(user_id)
        request = key, ("UNLINK", key, events_key(user_id))
        _number(*await self._calls.ask([request], self._settings.redis_long_timeout_ms))

    async def sample(self, size: int) -> list[str]:
        """Up to `size` different users that have a history, drawn at random; sorted. Of a cluster whose nodes do not
        all answer, users of those that do."""
        drawn: list[Command] = [("RANDOMKEY",)] * (size * SAMPLE_TRIES)
        answers = await self._calls.ask_all(drawn, self._settings.redis_long_timeout_ms)
        keys = [key for answer in answers for key in answer]
        if all(isinstance(key, HistoryUnavailable) for key in keys):
            raise keys[0]
        random.shuffle(keys)
        users = dict.fromkeys(
            user for key in keys if isinstance(key, bytes) and (user := user_of(key.decode(errors="replace")))
        )
        return sorted(list(users)[:size])

    async def is_up(self) -> bool:
        """Whether Redis answers now; of a cluster, every node."""
        answers = await self._calls.ask_all([("PING",)], self._settings.redis_timeout_ms)
        return not any(isinstance(pong, HistoryUnavailable) for (pong,) in answers)

    async def close(self) -> None:
        """Wait for commands under way, then close the connections."""
        await self._calls.close()


def _bytes(reply: object) -> bytes:
    if not isinstance(reply, bytes):
        raise ValueError(NONSENSE)  # noqa: TRY004 - the caller treats it as any other nonsense
    return reply


def _given(histories: list[list[str] | HistoryUnavailable]) -> list[str]:
    (history,) = histories
    if isinstance(history, HistoryUnavailable):
        raise history
    return history


def _number(reply: object) -> int:
    if isinstance(reply, HistoryUnavailable):
        raise reply
    if not isinstance(reply, int):
        raise HistoryUnavailable(NONSENSE)
    return reply


def _hashed(event_id: str | None) -> bytes:
    return b"" if event_id is None else blake2b(event_id.encode(), digest_size=16).digest()
