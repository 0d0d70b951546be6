"""One run of the retrieval graph for many users, after which each has, to the bit, what it would have alone.

Over several rows at once the item table is read from memory once and not once per row. But the kernels for one row and
for several add in another order, so the last bits of a score depend on the company, and with them the places of items
that score almost alike. Therefore the graph only proposes. The scores, and so the order, come from dot products taken
row by row, which depend on nothing but the two vectors. And a list is only given out when it is proven that nothing
outside of what was proposed belongs into it; where items too much alike prevent the proof, more are proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.bundle import ModelBundle
from service.devices import Device
from service.item_vectors import ItemVectors
from service.lockstep import Fetch, Found
from service.retrieval import Retrieval

SPARE = 16
"""Items proposed beyond those asked for, so that the proof nearly always succeeds at the first attempt."""
LONGEST = 1024
"""Fetches of more items than that run alone: the others of a batch would have to be proposed as many."""
FEWEST = 4
"""Fewer run alone: for several rows the kernels arrange the table first, which only pays from so many on."""
SHARED_FROM_BYTES = 8 * 2**20
"""Runs over item tables from this size on are shared: 32,768 items of width 64. Below that, a run for each user alone
is as quick."""
UNIT = 2.0**-24
"""Half the distance between 1 and the next float32."""


class Proposes(Protocol):
    """The retrieval graph."""

    def best(self, user: NDArray[np.float32], n: int) -> Found:
        """The best n: scores [B, n], falling, and catalogue indices [B, n]."""
        ...


class Vectors(Protocol):
    """The item vectors."""

    table: NDArray[np.float32]
    """[N, D]"""

    def dots(self, vector: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The dot products [M] of a vector [D] with these rows [M], each as if it were the only one."""
        ...


class SharedRetrieval:
    """Retrieval whose runs are shared by up to `most_at_once` users."""

    most_at_once = 32

    def __init__(self, graph: Proposes, vectors: Vectors) -> None:
        """Read all vectors once for the longest of them."""
        self._graph = graph
        self._vectors = vectors
        self._size, width = vectors.table.shape
        longest = float(np.sqrt(np.vecdot(vectors.table, vectors.table).max()))
        # However its products are added, a float32 dot product is off by no more than this times the user's norm
        # (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1, and Cauchy-Schwarz).
        self._off = width * UNIT / (1 - width * UNIT) * longest * 1.001  # the norms are rounded themselves

    def best(self, user: NDArray[np.float32], n: int) -> Found:
        """Scores [B, n], falling, and catalogue indices [B, n]; of equal scores the lower index comes first."""
        found = [self._alone(user[row : row + 1], n) for row in range(len(user))]
        return np.stack([scores for scores, _ in found]), np.stack([items for _, items in found])

    def best_many(self, fetches: Sequence[Fetch]) -> list[Found]:
        """For each fetch its scores [n] and items [n], as `best` has them."""
        together = [at for at, one in enumerate(fetches) if one.n <= LONGEST]
        together = together if len(together) >= FEWEST else []
        found = dict(zip(together, self._together([fetches[at] for at in together]), strict=True))
        return [found.get(at) or self._alone(one.user, one.n) for at, one in enumerate(fetches)]

    def _together(self, fetches: Sequence[Fetch]) -> list[Found | None]:
        """For each what is found, or None where the proof did not succeed."""
        if not fetches:
            return []
        users = np.concatenate([one.user for one in fetches])  # [B, D]
        proposed = min(max(one.n for one in fetches) + SPARE, self._size)
        scores, items = self._graph.best(users, proposed)  # [B, K] each
        return [self._proven(users[row], (scores[row], items[row]), one.n) for row, one in enumerate(fetches)]

    def _alone(self, user: NDArray[np.float32], n: int) -> Found:
        """For a user vector [1, D]; ends at the latest when the whole catalogue is proposed."""
        proposed = n + SPARE
        while True:
            proposed = min(proposed, self._size)
            scores, items = self._graph.best(user, proposed)  # [1, K] each
            found = self._proven(user[0], (scores[0], items[0]), n)
            if found is not None:
                return found
            proposed *= 2

    def _proven(self, user: NDArray[np.float32], proposal: Found, n: int) -> Found | None:
        """The best n of what is proposed [K] for a user [D], if they are the best n of the catalogue.

        What is not proposed scored, in the graph's arithmetic, at most the last of the proposal; in ours, at most that
        and twice what a product may be off.
        """
        proposed_scores, proposed = proposal
        scores = self._vectors.dots(user, proposed - 1)  # [K]
        order = np.lexsort((proposed, -scores))[:n]  # [n]
        scores, items = scores[order], proposed[order]
        outside = float(proposed_scores[-1]) + 2 * self._off * float(np.linalg.norm(user))
        return (scores, items) if len(proposed) == self._size or scores[-1] > outside else None


def retrieval_of(
    bundle: ModelBundle, device: Device, threads: int, shared_from: int = SHARED_FROM_BYTES
) -> Retrieval | SharedRetrieval:
    """The bundle's retrieval, its runs shared by several users where that pays.

    Raises:
        BundleCorrupt: its graph does not open.
        DeviceUnavailable: the device is not there.
    """
    graph, vectors = Retrieval(bundle.folder, device, threads), ItemVectors(bundle)
    return SharedRetrieval(graph, vectors) if vectors.table.nbytes >= shared_from else graph
