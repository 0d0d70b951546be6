"""A real HTTP server that knows ranges, and can be told to misbehave: once for each word in `plan`."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class OddServer:
    """What it serves, how it will misbehave, and what it was asked."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    plan: list[str] = field(default_factory=list)
    """Each request takes the first: cut, trickle, silent, no-range, wrong-range, no-version, or a status"""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(path, Range)"""


class _Server(ThreadingHTTPServer):
    served: OddServer


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        served = self.server.served
        asked = self.headers.get("Range") or ""
        served.asked.append((self.path, asked))
        how = served.plan.pop(0) if served.plan else ""
        content = served.files.get(self.path)
        if how.isdigit() or content is None:
            self.send_error(int(how or 404))
        elif how == "silent":
            time.sleep(1)
        else:
            self._answer(content, asked, how)

    def _answer(self, content: bytes, asked: str, how: str) -> None:
        version = f'"{sha256(content).hexdigest()[:8]}"'
        same = self.headers.get("If-Range") == version and how != "no-range"
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and same else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            told = start + 1 if how == "wrong-range" else start
            self.send_header("Content-Range", f"bytes {told}-{len(content) - 1}/{len(content)}")
        if how != "no-version":
            self.send_header("ETag", version)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self._write(content[start:], how)

    def _write(self, rest: bytes, how: str) -> None:
        if how != "trickle":
            self.wfile.write(rest[: len(rest) // 2] if how == "cut" else rest)
            self.close_connection = True
            return
        for byte in rest:
            try:
                self.wfile.write(bytes([byte]))
            except OSError:  # whoever asked has gone
                return
            time.sleep(0.02)


@contextmanager
def odd_server() -> Iterator[OddServer]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.served = OddServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
