"""The command line of the offline room: `python -m training STEP`; `--help` on a step says what it reads and writes."""

from training.arithmetic import tune_processor
from training.commands import app
from training.processes import leave

if __name__ == "__main__":
    tune_processor()
    try:
        app()
    finally:
        leave()
