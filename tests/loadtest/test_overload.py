"""Three times too much is asked of a real service: refusals and lists, nothing else, and then all is as before.

What a quiet machine would show of latencies is not asserted here: docs/loadtest.md tells what was measured.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loadtest.__main__ import app
from loadtest.overload import Load, measure
from tests.service.test_main import free_port, serving

TINY = Path(__file__).parents[1] / "service" / "data" / "tiny_bundle"
PERMITS, QUEUE = 64, 32


def test_an_overloaded_service_refuses_and_recovers(tmp_path: Path) -> None:
    limits = {"REC_PERMITS": str(PERMITS), "REC_QUEUE": str(QUEUE), "REC_LOG_LEVEL": "ERROR"}
    with serving(tmp_path / "log", str(TINY), **limits) as (client, process):
        port = client.base_url.port or 0
        told = asyncio.run(measure("127.0.0.1", port, Load(seconds=2, times=3)))
        by_rate = CliRunner().invoke(app, ["rate", "--rate", "20", "--seconds", "1", "--port", str(port)])
        assert process.poll() is None
    over = told["overload"]
    assert set(over["statuses"]) <= {"200", "429", "503"}
    assert over["statuses"]["200"] > 0
    assert over["most"]["rec_model_queue"] <= QUEUE
    assert over["most"]["rec_in_flight"] <= PERMITS
    assert set(told["after"]["statuses"]) == {"200"}
    seen = json.loads(by_rate.stdout)
    assert set(seen["statuses"]) == {"200"}
    assert by_rate.exit_code == (2 if seen["void"] else 0)


@pytest.mark.parametrize("command", [["rate", "--rate", "1"], ["overload"]])
def test_a_service_that_is_not_there_is_told_in_a_line(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--port", str(free_port())])
    assert done.exit_code == 1
    assert "cannot be reached" in done.output
