"""What a caller may ask of the items that come back, beside that they are good."""

from __future__ import annotations

from pydantic import Field

from service.wire import Text, Wire

MAX_VALUES = 100


class Filters(Wire):
    """Every condition that is given must hold. Values are compared whole, as they stand in the catalogue.

    `*_any` must name something: a list that is empty by mistake would otherwise mean nothing at all, or everything.
    """

    categories_any: list[Text] | None = Field(default=None, min_length=1, max_length=MAX_VALUES)
    """Only items of at least one of these categories."""
    categories_none: list[Text] = Field(default_factory=list, max_length=MAX_VALUES)
    """No item of any of these categories."""
    brands_any: list[Text] | None = Field(default=None, min_length=1, max_length=MAX_VALUES)
    """Only items of one of these brands."""
    brands_none: list[Text] = Field(default_factory=list, max_length=MAX_VALUES)
    """No item of any of these brands."""
    available_only: bool = False
    """No item that the catalogue calls unavailable."""

    @property
    def constrain(self) -> bool:
        """Whether there is any condition."""
        return self.categories_any is not None or self.brands_any is not None or self._exclude

    @property
    def _exclude(self) -> bool:
        return bool(self.categories_none or self.brands_none or self.available_only)
