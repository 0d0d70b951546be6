"""What the service must not pull in."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_importing_the_app_imports_no_offline_room() -> None:
    program = (
        "import sys, service.app, service.__main__\n"
        "bad = {'torch', 'onnx', 'training', 'export', 'polars', 'transformers'} & set(sys.modules)\n"
        "sys.exit(' '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
