from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import parse_url

from service.redis_address import parse_address

hosts = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
nodes = st.tuples(hosts, st.integers(1, 65535))
logins = st.sampled_from(["", ":se,cr%2Fet@", "user:p%40ss@"])


@given(st.lists(nodes, min_size=1, max_size=5), logins, st.sampled_from(["", "/", "/0", "?health_check_interval=3"]))
def test_every_named_node_has_login_and_options_of_the_cluster(
    named: list[tuple[str, int]], login: str, rest: str
) -> None:
    joined = ",".join(f"{host}:{port}" for host, port in named)
    address = parse_address(f"rediss+cluster://{login}{joined}{rest}")
    assert address.is_cluster
    assert address.servers == tuple(f"rediss://{login}{host}:{port}{rest}" for host, port in named)
    options = [parse_url(server) | {"host": None, "port": None} for server in address.servers]
    assert options == [options[0]] * len(named)
    assert parse_url(address.at("fe80::1", 7)) == options[0] | {"host": "fe80::1", "port": 7}


@pytest.mark.parametrize("url", ["redis://h", "redis://u:p@h:1/3", "rediss://h?ssl_cert_reqs=none", "unix:///s?db=1"])
def test_one_server_is_named_as_redis_py_names_it(url: str) -> None:
    address = parse_address(url)
    assert (address.servers, address.is_cluster) == ((url,), False)


def test_a_node_of_a_cluster_may_have_an_address_of_version_6() -> None:
    assert parse_address("redis+cluster://[::1]:1,[::2]:2").servers == ("redis://[::1]:1", "redis://[::2]:2")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:6379", "scheme"),
        ("http://h", "scheme"),
        ("unix+cluster:///s", "scheme"),
        ("redis+sentinel://h", "scheme"),
        ("unix://", "path of the socket"),
        ("redis://h:99999", "port is no number"),
        ("redis://u:secret/rest@h", "port is no number"),
        ("redis+cluster://", "host of a node is missing"),
        ("redis+cluster://a:1,,b:2", "host of a node is missing"),
        ("redis+cluster://:1", "host of a node is missing"),
        ("redis+cluster://a:1/1", "no database but 0"),
        ("redis://h?socket_timeout=soon", "socket_timeout"),
        ("redis://h?colour=red", "colour"),
    ],
)
def test_what_is_no_address_is_told_without_its_password(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        parse_address(url)
    assert "secret" not in str(caught.value)
