"""A traceback in the log tells where, and nothing of what was in the variables: those hold keys and user ids."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, structlog
from service.logs import configure_logs
configure_logs("INFO")
def fail(authorization):
    raise RuntimeError("it broke")
try:
    fail("Bearer s3cret-" + "key")
except RuntimeError as error:
    structlog.get_logger("service").error("request failed", exc_info=error)
    logging.getLogger("uvicorn.error").error("so did this", exc_info=error)
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_of_an_error_the_log_has_the_place_and_no_variables(*, terminal: bool) -> None:
    program = "import sys; sys.stderr.isatty = lambda: True" + PROGRAM if terminal else PROGRAM
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stderr.count("it broke") >= 2
    assert "fail" in done.stderr
    assert "s3cret" not in done.stderr
