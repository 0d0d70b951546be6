"""Several data sets side by side as one corpus: each domain's items get indices of their own (UniSRec, section 2.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.bundle import PAD
from training.config import ConfigError
from training.dataset import Dataset
from training.features.item_features import EncoderInfo, ItemFeatures
from training.items import Item
from training.sequences import Windows, train_windows


@dataclass(frozen=True, eq=False)
class Corpus:
    """The items of S data sets in one index space (0 is PAD, then each data set's in turn), and their train parts."""

    datasets: tuple[Dataset, ...]

    @classmethod
    def of(cls, datasets: Sequence[Dataset]) -> Corpus:
        """Lay data sets side by side.

        Raises:
            ConfigError: a data set stands there twice, or their texts or pictures were encoded by different encoders;
                the folders are named.
        """
        seen = [one.fingerprint for one in datasets]
        if len(set(seen)) != len(seen):
            raise ConfigError(f"data: the same data set twice among {', '.join(str(one.folder) for one in datasets)}")
        for what, features in (("text", lambda one: one.text), ("image", lambda one: one.image)):
            _require_one_encoder(what, datasets, features)
        return cls(tuple(datasets))

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """int64[S + 1]: what to add to a data set's item index; the last is N."""
        return np.cumsum([0, *(len(one.catalog) for one in self.datasets)])

    @property
    def size(self) -> int:
        """N."""
        return int(self.starts[-1])

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """[N] `items[k]` has index k + 1."""
        return tuple(item for one in self.datasets for item in one.items)

    @cached_property
    def text(self) -> ItemFeatures:
        """Item texts, [N + 1, F]."""
        return _stacked([one.text for one in self.datasets])

    @cached_property
    def text_word_drop(self) -> ItemFeatures:
        """The same texts with words missing, [N + 1, F]."""
        return _stacked([one.text_word_drop for one in self.datasets])

    @cached_property
    def image(self) -> ItemFeatures | None:
        """Item pictures, [N + 1, F]; None where no data set has any."""
        encoder = next((one.image.encoder for one in self.datasets if one.image is not None), None)
        if encoder is None:
            return None
        return _stacked([one.image or _nothing(len(one.catalog), encoder) for one in self.datasets])

    @cached_property
    def domain(self) -> NDArray[np.int64]:
        """int64[N + 1] the domain of each item, numbered over all data sets; 0 for PAD."""
        first = np.cumsum([0, *(len(one.domains) for one in self.datasets)])
        moved = [one.domain[1:] + start for one, start in zip(self.datasets, first, strict=False)]
        return np.concatenate([np.zeros(1, dtype=np.int64), *moved])

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """What people call them: the data set's name, and the domain's inside it where there are several."""
        return tuple(f"{one.name} {name}".strip() for one in self.datasets for name in one.domains)

    def windows(self, length: int) -> Windows:
        """The windows of all train parts; flat rows keep their meaning inside their data set only."""
        windows = [_moved(one, length, int(start)) for one, start in zip(self.datasets, self.starts, strict=False)]
        joined = (np.concatenate([getattr(one, name) for one in windows]) for name in ("history", "target", "row"))
        return Windows(*joined)


def _require_one_encoder(
    what: str, datasets: Sequence[Dataset], features: Callable[[Dataset], ItemFeatures | None]
) -> None:
    encoders = {one.folder: found.encoder for one in datasets if (found := features(one)) is not None}
    if len(set(encoders.values())) > 1:
        named = ", ".join(f"{folder} ({encoder})" for folder, encoder in encoders.items())
        raise ConfigError(f"one corpus needs one {what} encoder, found: {named}")


def _moved(dataset: Dataset, length: int, start: int) -> Windows:
    """A data set's windows, its item indices moved up by `start`."""
    windows = train_windows(dataset.interactions, dataset.split, length)
    history, target = (np.where(items == PAD, PAD, items + start) for items in (windows.history, windows.target))
    return Windows(history, target, windows.row)


def _stacked(features: Sequence[ItemFeatures]) -> ItemFeatures:
    """One PAD row, then the items of each data set."""
    if len(features) == 1:
        return features[0]
    values = np.concatenate([features[0].values[:1], *(one.values[1:] for one in features)])  # [N + 1, F]
    present = np.concatenate([features[0].present[:1], *(one.present[1:] for one in features)])  # [N + 1]
    return ItemFeatures(values, present, features[0].encoder)


def _nothing(items: int, encoder: EncoderInfo) -> ItemFeatures:
    return ItemFeatures(np.zeros((items + 1, encoder.width), np.float32), np.zeros(items + 1, np.bool_), encoder)
