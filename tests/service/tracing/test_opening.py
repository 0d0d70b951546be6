"""Traces are made where they are asked for; elsewhere nothing that makes or sends them is loaded, nor needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TRACERS = (
    "service.tracing.tracing",
    "opentelemetry.sdk.trace",
    "opentelemetry.exporter",
    "opentelemetry.proto",
    "requests",
)
"""FastAPI loads the API, and redis-py the SDK's metrics where there are any."""
COLLECTOR = "http://127.0.0.1:4318"


def python(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.parametrize("endpoint", [None, ""])
def test_without_an_endpoint_nothing_is_imported(tiny_bundle: Path, endpoint: str | None) -> None:
    program = (
        "import sys\n"
        "from service.app import create_app\n"
        "create_app()\n"
        f"print([name for name in sys.modules if name.startswith({TRACERS})])"
    )
    stated = {} if endpoint is None else {"REC_OTLP_ENDPOINT": endpoint}
    done = python(program, REC_BUNDLE=str(tiny_bundle), **stated)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("missing", ["opentelemetry.sdk", "opentelemetry.exporter"])
def test_without_the_extra_the_start_is_refused_and_names_it(tiny_bundle: Path, missing: str) -> None:
    """As it is where the package was never installed: an import of it finds no module."""
    program = f"import sys; sys.modules[{missing!r}] = None; from service.__main__ import cli; cli()"
    done = python(program, "serve", str(tiny_bundle), "--port", "0", REC_OTLP_ENDPOINT=COLLECTOR)
    assert done.returncode == 1
    assert done.stderr.startswith("refused: REC_OTLP_ENDPOINT is set, and opentelemetry.")
    assert "the extra `otel`" in done.stderr
    assert "Traceback" not in done.stderr
