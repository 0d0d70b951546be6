"""Threads take short turns while the service runs, and as before afterwards."""

from __future__ import annotations

import sys

import pytest

from service.settings import Settings
from service.turns import SECONDS
from tests.service.conftest import Running

USUAL = 0.005
"""The interpreter's own."""


def test_while_it_serves(settings: Settings) -> None:
    sys.setswitchinterval(USUAL)  # services of other tests may have come and gone in this process, one inside another
    with Running(settings):
        assert sys.getswitchinterval() == pytest.approx(SECONDS, rel=0.05)
    assert sys.getswitchinterval() == pytest.approx(USUAL)
