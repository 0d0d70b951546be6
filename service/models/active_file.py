"""The file that says which version is active: what all workers, a restart and a person agree on.

{"active": "sasrec-A7-0123456789ab", "previous": "sasrec-A7-ba9876543210"}
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.settings import Settings

NAME = "active.json"


class ActiveFileUnreadable(Exception):
    """The file that names the active version says something else, or cannot be read."""


class Active(BaseModel):
    """Which version is active, and which was before."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    active: str = Field(min_length=1)
    previous: str | None = None
    """What a rollback goes back to."""


class ActiveFile:
    """Reading is one small read; writing is a rename, so no reader ever sees half of it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, settings: Settings) -> ActiveFile:
        """The one that the settings name, or else the one in the folder of the models."""
        return cls(settings.active_file or settings.bundle / NAME)

    def read(self) -> Active | None:
        """What it says; None when it is not there.

        Raises:
            ActiveFileUnreadable: it says something else, or cannot be read.
        """
        try:
            return Active.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise ActiveFileUnreadable(f"{self.path}: {error.errors()[0]['msg']}") from error
        except OSError as error:
            raise ActiveFileUnreadable(f"{self.path}: {error.strerror}") from error

    def write(self, active: Active) -> None:
        """Say it, durably, and all at once.

        Raises:
            OSError: it cannot be written; it says what it said before.
        """
        descriptor, name = tempfile.mkstemp(prefix=f".{self.path.name}-", dir=self.path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(active.model_dump_json(indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)  # mkstemp's 0600 would lock out workers of another user
            Path(name).replace(self.path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
