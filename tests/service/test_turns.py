"""Threads take short turns while the service runs, and as before afterwards."""

from __future__ import annotations

import sys

from service.settings import Settings
from service.turns import SECONDS
from tests.service.conftest import Running


def test_while_it_serves(settings: Settings) -> None:
    before = sys.getswitchinterval()
    with Running(settings):
        assert sys.getswitchinterval() <= SECONDS * 1.01 < before
    assert sys.getswitchinterval() == before
