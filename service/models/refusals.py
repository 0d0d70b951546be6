"""What was refused and why, for as long as nothing is written in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from service.models.folders import Stamp, stamp_of


@dataclass(frozen=True)
class _Refusal:
    stamp: Stamp
    reason: str


class Refusals:
    """Refused folders. One that changes is given another chance, one that does not is not tried again by itself."""

    def __init__(self) -> None:
        self._refused: dict[Path, _Refusal] = {}

    def remember(self, folder: Path, stamp: Stamp, reason: str) -> None:
        """The folder, as it was when its stamp was taken, before anything was read, is refused."""
        self._refused[folder] = _Refusal(stamp, reason)

    def forget(self, folder: Path) -> None:
        """It proved sound."""
        self._refused.pop(folder, None)

    def reason(self, folder: Path) -> str | None:
        """Why the folder, as it is now, was refused; None if it was not."""
        refusal = self._refused.get(folder)
        return refusal.reason if refusal is not None and refusal.stamp == stamp_of(folder) else None
