"""What everybody likes: the answer where nothing is known of somebody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.allowed import Allowed
from service.ranked import Ranked

WIDER = 8
"""How many times further down the list the next look goes, when too few were allowed so far."""


class Popularity:
    """The popularity list of a bundle."""

    def __init__(self, popular: NDArray[np.int32]) -> None:
        """[N] catalogue indices, most popular first."""
        self._popular = popular

    def best(self, kept: int, allowed: Allowed) -> Ranked:
        """The most popular `kept` of the allowed, or as many as are allowed; score: 1 / place in the whole list."""
        asked = kept + allowed.drop.size
        while True:
            items = self._popular[:asked].astype(np.int64)  # [K]
            places = allowed.first(items, kept)  # [<= kept]
            if places.size == kept or asked >= self._popular.size:
                return Ranked(items[places], 1.0 / (places + 1))
            asked *= WIDER
