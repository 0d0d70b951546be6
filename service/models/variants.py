"""Which of several models a user gets, decided by the user's id alone: nothing is stored, and every worker agrees."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate

ACTIVE = "active"
"""In place of a version: whichever is active."""
_PART = re.compile(r"([A-Za-z0-9._-]{1,64})=(.+):(\d{1,3}(?:\.\d{1,4})?)")
_ALL = Decimal(100)
_PLACE_BYTES = 8
_PLACES = 2 ** (8 * _PLACE_BYTES)


@dataclass(frozen=True)
class Variant:
    """One arm of an experiment."""

    name: str
    version: str
    """A model version, or ACTIVE."""
    percent: Decimal
    """Its share of the users."""


@dataclass(frozen=True)
class Variants:
    """The arms of one experiment.

    A user's place is a hash of the id and of the arms' names, uniform over 2^64 places, of which each arm has its share
    in one piece and in the order given. So it holds as long as the names do: whoever is in the last arm stays there
    while its share grows, and other names shuffle everybody anew.
    """

    arms: tuple[Variant, ...]

    @classmethod
    def of_settings(cls, text: str | None) -> Variants:
        """Those of the setting; unset, there are none."""
        return cls(()) if text is None else cls.parse(text)

    @classmethod
    def parse(cls, text: str) -> Variants:
        """From `name=version:percent,name=version:percent`.

        Raises:
            ValueError: it is not written like that, a name stands twice, or the shares are not 100 together.
        """
        arms = tuple(map(_parsed, text.split(",")))
        if len({arm.name for arm in arms}) < len(arms):
            raise ValueError("every variant needs a name of its own")
        total = sum(arm.percent for arm in arms)
        if total != _ALL:
            raise ValueError(f"the shares of the variants are {total} percent together, not 100")
        return cls(arms)

    @property
    def versions(self) -> frozenset[str]:
        """The versions that they name."""
        return frozenset(arm.version for arm in self.arms if arm.version != ACTIVE)

    def of(self, user_id: str | None) -> Variant | None:
        """The arm of a user; of nobody in particular, the first that has a share. None where there are none."""
        if not self.arms:
            return None
        place = 0 if user_id is None else self._place(user_id)
        return self.arms[bisect_right(self._ends, place)]

    def _place(self, user_id: str) -> int:
        text = self._names + user_id.encode(errors="surrogatepass")
        return int.from_bytes(blake2b(text, digest_size=_PLACE_BYTES).digest())

    @cached_property
    def _names(self) -> bytes:
        return ("".join(f"{arm.name}," for arm in self.arms)).encode()

    @cached_property
    def _ends(self) -> list[int]:
        """Where each arm's places end."""
        return [int(end * _PLACES / _ALL) for end in accumulate(arm.percent for arm in self.arms)]


def check_variants(text: str) -> str:
    """The text itself, if it can be parsed; for settings. Raises what `Variants.parse` raises."""
    Variants.parse(text)
    return text


def _parsed(part: str) -> Variant:
    found = _PART.fullmatch(part.strip())
    if found is None:
        raise ValueError(f"{part!r} is not NAME=VERSION:PERCENT")
    return Variant(found[1], found[2], Decimal(found[3]))
