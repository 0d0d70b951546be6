"""How long one thread may keep the interpreter from another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 0.0001
"""A request changes threads a dozen times. While another thread computes in Python, because a model is opened or the
metrics are put together, each time would wait for as long as that one may keep the interpreter: by default 5 ms."""


@contextmanager
def short_turns() -> Iterator[None]:
    """Inside the `with`, all threads take short turns."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
