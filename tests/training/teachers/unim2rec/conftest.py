"""A small catalogue with every case: both modalities, one, none; three domains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from training.causal_encoder import CausalEncoderConfig
from training.dataset import Dataset
from training.features.item_features import EncoderInfo, ItemFeatures
from training.items import Item
from training.teachers.unim2rec.content import ItemContent, Modality
from training.teachers.unim2rec.unim2rec import UniM2Rec, UniM2RecConfig

ITEMS = 12
DOMAIN = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
NO_TEXT, NO_IMAGE, NOTHING = (3, 9), (2, 7, 8), (12,)
"""Items without: text, picture, both; with PAD, whose every row is empty."""

Build = Callable[..., UniM2Rec]


@pytest.fixture(scope="module")
def content() -> ItemContent:
    """12 items of 6-d text and 5-d pictures. What is not there holds NaN: whoever reads it shows."""
    made = torch.Generator().manual_seed(0)
    modalities = {}
    for name, width, missing in (("text", 6, NO_TEXT), ("image", 5, NO_IMAGE)):
        present = torch.ones(ITEMS + 1, dtype=torch.bool)
        present[[0, *missing, *NOTHING]] = False
        values = torch.randn(ITEMS + 1, width, generator=made)
        modalities[name] = Modality(values.masked_fill(~present[:, None], torch.nan), present)
    return ItemContent(modalities, torch.tensor(DOMAIN))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def build(content: ItemContent) -> Build:
    """A model of that catalogue in double precision, no weight of which is 0, so that every part speaks."""

    def built(over: ItemContent = content, **changes: object) -> UniM2Rec:
        torch.manual_seed(1)
        encoder = CausalEncoderConfig(width=8, inner=16, layers=1, dropout=0.3, max_history=7)
        sizes = UniM2RecConfig(encoder=encoder, experts=2, text_width=6, image_width=5, domains=("a", "b", "c"))
        model = UniM2Rec(sizes.model_copy(update=changes), over)
        for one in model.parameters():
            torch.nn.init.normal_(one, std=0.5)
        return model.double().eval()

    return built


@pytest.fixture(scope="module")
def pictured(markov: Dataset) -> Dataset:
    """`markov` in two domains, 5-d pictures of most items, some without a text, one without anything."""
    items = tuple(_in_domain(item, "even" if number % 2 else "odd") for number, item in enumerate(markov.items))
    present = np.ones(len(items) + 1, dtype=np.bool_)
    present[[0, 4, 5, 6]] = False
    values = np.random.default_rng(0).normal(size=(len(items) + 1, 5)).astype(np.float32)
    encoder = EncoderInfo(name="drawn", fingerprint="1" * 64, width=5)
    text = markov.text.values.copy()
    told = markov.text.present.copy()
    told[[6, 7, 8]] = False
    text[~told] = 0
    return replace(
        markov,
        items=items,
        text=replace(markov.text, values=text, present=told),
        image=ItemFeatures(values * present[:, None], present, encoder),
    )


def _in_domain(item: Item, domain: str) -> Item:
    return item.model_copy(update={"domain": domain})
