"""What is shown of an item: its card."""

from pydantic import BaseModel, ConfigDict


class ItemCard(BaseModel):
    """The part of an item's metadata that goes online; every field may be empty, none is invented."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    brand: str = ""
    categories: tuple[str, ...] = ()
