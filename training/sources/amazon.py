"""Amazon reviews: the releases of 2018 (Ni et al., EMNLP 2019) and 2023 (Hou et al., arXiv 2403.03952), by category.

Every review is an interaction, whatever its stars. Of the metadata those items are kept that somebody reviewed.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import polars as pl
from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError

from training.config import Config, ConfigError
from training.errors import SourceInvalid
from training.items import Item
from training.sources.base import RawData
from training.sources.interaction_table import LATEST
from training.sources.resumable import DownloadConfig, Downloads, digest
from training.sources.web_pictures import PicturesConfig, fetch_pictures

# fmt: off
_IN_BOTH = (
    "All_Beauty", "Appliances", "Arts_Crafts_and_Sewing", "Automotive", "Books", "CDs_and_Vinyl",
    "Cell_Phones_and_Accessories", "Clothing_Shoes_and_Jewelry", "Digital_Music", "Electronics", "Gift_Cards",
    "Grocery_and_Gourmet_Food", "Home_and_Kitchen", "Industrial_and_Scientific", "Kindle_Store",
    "Magazine_Subscriptions", "Movies_and_TV", "Musical_Instruments", "Office_Products", "Patio_Lawn_and_Garden",
    "Pet_Supplies", "Software", "Sports_and_Outdoors", "Tools_and_Home_Improvement", "Toys_and_Games", "Video_Games",
)
_ONLY_2018 = ("AMAZON_FASHION", "Luxury_Beauty", "Prime_Pantry")
_ONLY_2023 = (
    "Amazon_Fashion", "Baby_Products", "Beauty_and_Personal_Care", "Handmade_Products", "Health_and_Household",
    "Health_and_Personal_Care", "Subscription_Boxes", "Unknown",
)
# fmt: on
_LONGEST = 2000
"""Characters; longer titles, brands and categories are pieces of the shop's page source."""

Release = Literal["amazon-2018", "amazon-2023"]


class AmazonConfig(Config):
    """Where the files are fetched; a mirror with the same layout will do."""

    address_2018: str = Field(
        default="https://datarepo.eng.ucsd.edu/mcauley_group/data/amazon_v2", pattern=r"^https?://"
    )
    address_2023: str = Field(
        default="https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023", pattern=r"^https?://"
    )
    download: DownloadConfig = DownloadConfig()
    pictures: PicturesConfig = PicturesConfig()


def _words(value: object) -> object:
    """A list is joined, null is nothing; what is longer than any title is page source."""
    text = " ".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else value or ""
    return "" if isinstance(text, str) and len(text) > _LONGEST else text


def _several(value: object) -> object:
    return [part for part in value if part and len(str(part)) <= _LONGEST] if isinstance(value, list) else []


def _addresses(value: object) -> object:
    """Of a list of addresses, or of {large, hi_res, ..} each; `large` is what encoders want, `hi_res` ten times it."""
    several = value if isinstance(value, list) else []
    found = (one.get("large") or one.get("hi_res") if isinstance(one, dict) else one for one in several)
    return [one for one in found if one]


class _Review(BaseModel):
    user: str = Field(validation_alias=AliasChoices("reviewerID", "user_id"), pattern=r"\S")
    item: str = Field(validation_alias=AliasChoices("parent_asin", "asin"), pattern=r"\S")
    """2023 tells variants (asin) from the product (parent_asin): the product is what is recommended."""
    time: int = Field(validation_alias=AliasChoices("unixReviewTime", "timestamp"), ge=0)


class _Product(BaseModel):
    item: str = Field(validation_alias=AliasChoices("parent_asin", "asin"), pattern=r"\S")
    title: Annotated[str, BeforeValidator(_words)] = ""
    brand: Annotated[str, BeforeValidator(_words)] = Field(default="", validation_alias=AliasChoices("brand", "store"))
    categories: Annotated[tuple[str, ...], BeforeValidator(_several)] = Field(
        default=(), validation_alias=AliasChoices("category", "categories")
    )
    description: Annotated[str, BeforeValidator(_words)] = ""
    pictures: Annotated[tuple[str, ...], BeforeValidator(_addresses)] = Field(
        default=(), validation_alias=AliasChoices("imageURLHighRes", "imageURL", "images")
    )


@dataclass(frozen=True)
class _Layout:
    """How a release names its files and what a second is there."""

    categories: tuple[str, ...]
    reviews: str
    products: str
    per_second: int


_LAYOUTS: dict[str, _Layout] = {
    "amazon-2018": _Layout(
        (*_IN_BOTH, *_ONLY_2018), "categoryFilesSmall/{}_5.json.gz", "metaFiles2/meta_{}.json.gz", 1
    ),
    "amazon-2023": _Layout(
        (*_IN_BOTH, *_ONLY_2023),
        "raw/review_categories/{}.jsonl.gz",
        "raw/meta_categories/meta_{}.jsonl.gz",
        1000,
    ),
}


def find_category(release: Release, wanted: str) -> str:
    """The category as its files are named; capitals, spaces, & and _ do not matter.

    Raises:
        ConfigError: there is none; those that look like it are listed, or all.
    """
    known = {_plain(name): name for name in _LAYOUTS[release].categories}
    if _plain(wanted) in known:
        return known[_plain(wanted)]
    near = [known[name] for name in get_close_matches(_plain(wanted), known, n=3)]
    within = [name for plain, name in known.items() if _plain(wanted) and _plain(wanted) in plain]
    likely = list(dict.fromkeys(within + near))
    said = f"did you mean {' or '.join(likely)}?" if likely else f"there are {', '.join(sorted(known.values()))}"
    raise ConfigError(f"category: {release} has none called {wanted!r}; {said}")


@dataclass(frozen=True)
class AmazonSource:
    """One category of one release. Files and pictures are kept in `cache`: the second time needs no network."""

    release: Release
    category: str
    config: AmazonConfig
    cache: Path
    pictures: int = 0
    """Fetch at most so many, of the items most met first."""
    watch: Callable[[str, int, int | None], None] = lambda name, there, total: None

    @property
    def name(self) -> str:
        """Release and category."""
        return f"{self.release}-{find_category(self.release, self.category)}"

    def read(self) -> RawData:
        """Fetch and read.

        Raises:
            ConfigError: no such category.
            SourceUnavailable: a file cannot be had.
            SourceInvalid: file, line and field that is not what the format says.
        """
        layout, category = _LAYOUTS[self.release], find_category(self.release, self.category)
        base = self.config.address_2018 if self.release == "amazon-2018" else self.config.address_2023
        files = Downloads(self.cache / self.release, self.config.download, self.watch)
        paths = [
            files.fetch(f"{base.rstrip('/')}/{name.format(category)}") for name in (layout.reviews, layout.products)
        ]
        interactions = _read_reviews(paths[0], layout.per_second)
        met = Counter(interactions["item_id"].to_list())
        products, notes = _read_products(paths[1], met.keys())
        notes += tuple(f"{path.name}: {path.stat().st_size:,} bytes, sha256 {digest(path)}" for path in paths)
        ordered = sorted(products, key=lambda one: -met[one.item])
        seen = self._see(ordered[: self.pictures])
        items = tuple(_item(one, seen.names.get(one.item)) for one in products)
        images = self._pictures if seen.names else None
        return RawData(interactions, items, (*notes, *seen.notes), images)

    @property
    def _pictures(self) -> Path:
        return self.cache / self.release / "pictures"

    def _see(self, products: list[_Product]) -> _Seen:
        addresses = {one.item: one.pictures[0] for one in products if one.pictures}
        if not addresses:
            return _Seen()
        done = iter(range(1, len(addresses) + 1))
        found = fetch_pictures(
            addresses,
            self._pictures,
            self.config.pictures,
            lambda _: self.watch("pictures", next(done), len(addresses)),
        )
        first = "".join(f"; {item}: {why}" for item, why in list(found.failed.items())[:3])
        return _Seen(found.names, (f"{len(found.names):,} of {len(addresses):,} pictures fetched{first}",))


@dataclass(frozen=True)
class _Seen:
    names: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _item(product: _Product, image: str | None) -> Item:
    return Item(
        item_id=product.item,
        title=product.title,
        brand=product.brand,
        categories=product.categories,
        description=product.description,
        image=image,
    )


def _read_reviews(path: Path, per_second: int) -> pl.DataFrame:
    users, items, times = [], [], []
    for number, review in _records(path, _Review):
        if review.time // per_second > LATEST:
            raise SourceInvalid(f"{path}, line {number}, field timestamp: {review.time} lies beyond the year 2100")
        users.append(review.user)
        items.append(review.item)
        times.append(review.time // per_second)
    if not users:
        raise SourceInvalid(f"{path}: no reviews")
    return pl.DataFrame(
        {"user_id": users, "item_id": items, "timestamp": times},
        schema={"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64},
    )


def _read_products(path: Path, met: Set[str]) -> tuple[list[_Product], tuple[str, ...]]:
    """The products that somebody met, each once, and what was left out."""
    found: dict[str, _Product] = {}
    again = 0
    for _, product in _records(path, _Product):
        again += product.item in found
        if product.item in met:
            found.setdefault(product.item, product)
    return list(found.values()), (f"{again:,} products listed once more were left aside",) if again else ()


Record = TypeVar("Record", bound=BaseModel)


def _records(path: Path, kind: type[Record]) -> Iterator[tuple[int, Record]]:
    """(line from 1, record) of a gzipped file with a JSON object a line, never all of it in memory."""
    try:
        with gzip.open(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "(the whole line)"
        raise SourceInvalid(f"{path}, line {number}, field {where}: {first['msg']}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceInvalid(f"{path}: {error}; delete it, and the next run fetches it again") from error


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("&", "and"))
