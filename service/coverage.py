"""How much of a catalogue people were shown of late: for each item, when it was last recommended, by any worker."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path
from time import time
from urllib.parse import quote, unquote

import numpy as np
import structlog
from numpy.typing import NDArray

WINDOW_SECONDS = 3600
"""Long enough that a quiet service is not taken for a narrow one, short enough that a model which shows everybody the
same items is seen the same hour."""
_SUFFIX = ".coverage"
_LONGEST_NAME = 200
_WORD = np.dtype("<u4")  # seconds since 1970, until 2106


class Coverage:
    """Four bytes an item and version: the second of its last recommendation.

    Where there are several workers they share them, in a file that all of them map. One aligned word is written at
    once, and all that can be lost in a race is which of two writers in the same second was first; so there is no lock,
    and the count is exact over all workers, also over those that have died.
    """

    def __init__(self, folder: Path | None, now: Callable[[], float] = time) -> None:
        """Nothing was shown yet.

        Args:
            folder: where workers share what they note; None: there is but one.
            now: seconds since 1970.
        """
        self._folder = folder
        self._now = now
        self._last: dict[str, NDArray[np.uint32]] = {}

    def note(self, version: str, catalog_size: int, items: NDArray[np.int64]) -> None:
        """These items, by catalogue indices from 1 on, were recommended just now."""
        last = self._last.get(version)
        if last is None or last.size != catalog_size:
            last = self._last[version] = self._opened(version, catalog_size)
        last[items - 1] = int(self._now())

    def distinct(self) -> dict[str, int]:
        """By version the items that were recommended within the window, by whatever worker. On whichever thread, while
        another notes."""
        self._adopt_those_of_others()
        since = int(self._now()) - WINDOW_SECONDS
        return {version: int(np.count_nonzero(last > since)) for version, last in list(self._last.items())}

    def _adopt_those_of_others(self) -> None:
        if self._folder is None:
            return
        known = {_file_name(version) for version in list(self._last)}
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if path.name not in known and (size := path.stat().st_size):
                self._last[unquote(path.stem)] = _mapped(path, size // _WORD.itemsize)

    def _opened(self, version: str, catalog_size: int) -> NDArray[np.uint32]:
        if self._folder is not None:
            path = self._folder / _file_name(version)
            try:
                return _mapped(path, catalog_size)
            except OSError as error:
                log = structlog.get_logger("service")
                log.warning("coverage is counted by this worker alone", path=str(path), reason=str(error))
        return np.zeros(catalog_size, np.uint32)


def _file_name(version: str) -> str:
    """The end of a version is a hash, so that it stays one of a kind when it is cut."""
    return quote(version, safe="")[-_LONGEST_NAME:] + _SUFFIX


def _mapped(path: Path, words: int) -> NDArray[np.uint32]:
    """uint32[words], of the file, which is made if it is not there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # Its room is taken now: with a file that has holes, a full disk would end the process at some later write.
        os.posix_fallocate(descriptor, 0, words * _WORD.itemsize)
        return np.frombuffer(mmap.mmap(descriptor, words * _WORD.itemsize), _WORD)
    finally:
        os.close(descriptor)
