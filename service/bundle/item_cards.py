"""What is known of an item online: its card."""

from pydantic import BaseModel, ConfigDict


class ItemCard(BaseModel):
    """The part of an item's metadata that goes online; every field may be empty, none is invented."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    brand: str = ""
    categories: tuple[str, ...] = ()
    available: bool = True
    """Whether it can be had now; an item that cannot is still known, and recommended to those who do not filter."""

    def to_json(self) -> str:
        """One line of `item_cards.bin`; only of an item that is unavailable does it speak of that, so that a bundle
        without any is, to the byte, what it was before cards knew of it."""
        return self.model_dump_json(exclude={"available"} if self.available else None)
