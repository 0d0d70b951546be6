"""The command line of the offline room: `python -m training STEP`; `--help` on a step says what it reads and writes."""

from training.commands import app

if __name__ == "__main__":
    app()
