"""Where the history cache is: one server, or a cluster of which some nodes are named."""

from __future__ import annotations

import re
from dataclasses import dataclass

from redis.asyncio.connection import ConnectionPool, parse_url

_CLUSTER = "+cluster"
_PARTS = re.compile(r"(?P<scheme>[a-z+]+)://(?:(?P<login>[^/?#]*)@)?(?P<hosts>[^/?#]*)(?P<rest>.*)")


@dataclass(frozen=True)
class RedisAddress:
    """Addresses that redis-py reads, one for each server that was named."""

    servers: tuple[str, ...]
    is_cluster: bool

    def at(self, host: str, port: int) -> str:
        """The address of another node of the cluster: the same scheme, login and options."""
        parts = _PARTS.fullmatch(self.servers[0])
        assert parts is not None  # noqa: S101 - the servers come from parse_address
        host = f"[{host}]" if ":" in host else host
        return _address(parts["scheme"], parts["login"], f"{host}:{port}", parts["rest"])


def parse_address(url: str) -> RedisAddress:
    """Read `redis://`, `rediss://` (TLS), `unix://`, `redis+cluster://` or `rediss+cluster://`. A cluster names one or
    several of its nodes, `redis+cluster://login@host:port,host:port?options`; they tell of the others.

    Raises:
        ValueError: it is no such address. The message does not repeat it: it may hold a password.
    """
    parts = _PARTS.fullmatch(url)
    if parts is None:
        raise ValueError("no address of the form scheme://host:port")
    scheme = parts["scheme"].removesuffix(_CLUSTER)
    is_cluster = scheme != parts["scheme"]
    if scheme not in {"redis", "rediss"} and (is_cluster or scheme != "unix"):
        raise ValueError("the scheme is none of redis, rediss, unix, redis+cluster, rediss+cluster")
    if not is_cluster:
        return RedisAddress((_checked(url),), is_cluster=False)
    hosts = parts["hosts"].split(",")
    if not all(hosts) or any(host.startswith(":") for host in hosts):
        raise ValueError("the host of a node is missing")
    servers = tuple(_checked(_address(scheme, parts["login"], host, parts["rest"])) for host in hosts)
    if any(parse_url(server).get("db") for server in servers):
        raise ValueError("a cluster has no database but 0")
    return RedisAddress(servers, is_cluster=True)


def _address(scheme: str, login: str | None, host: str, rest: str) -> str:
    return f"{scheme}://{'' if login is None else f'{login}@'}{host}{rest}"


def _checked(url: str) -> str:
    try:
        options = parse_url(url)
    except ValueError as error:
        told = str(error)
        if "port" in told.lower():  # it quotes what it took for one: part of a password, where that holds a slash
            told = "the port is no number up to 65535 (percent-encode / ? # @ in a password)"
        raise ValueError(told) from None
    if url.startswith("unix://") and not options.get("path"):
        raise ValueError("the path of the socket is missing")
    try:  # connects nothing, but takes no option that there is not
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
    except TypeError as error:
        raise ValueError(f"an option is none of redis-py's: {error}") from None
    return url
