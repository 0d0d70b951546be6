"""A small catalogue, a vocabulary that needs no file, and a model that reads both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from training.items import Item
from training.teachers.recformer.config import RandomBackbone, RecformerConfig
from training.teachers.recformer.recformer import Recformer
from training.teachers.recformer.vocabulary import HashedVocabulary

Build = Callable[..., Recformer]


@pytest.fixture(scope="session")
def words() -> HashedVocabulary:
    return HashedVocabulary(512)


@pytest.fixture(scope="session")
def catalogue() -> tuple[Item, ...]:
    """Items 1 to 12: sentences of 2 to 12 words; item 5 says nothing, 11 and 12 say the same."""
    described = [
        Item(
            item_id=f"i{k}",
            title=" ".join(f"word{k}{part}" for part in range(1 + k % 5)),
            brand=f"brand{k % 3}" if k % 2 else "",
            categories=("wide", f"narrow{k % 4}") if k % 3 else (),
        )
        for k in range(1, 12)
    ]
    described[4] = Item(item_id="i5", description="not among the keys")
    return (*described, described[-1].model_copy(update={"item_id": "i12"}))


@pytest.fixture
def build(catalogue: Sequence[Item]) -> Build:
    def built(items: Sequence[Item] = catalogue, **changes: object) -> Recformer:
        torch.manual_seed(0)
        tiny = RandomBackbone(width=16, layers=2, heads=2, words=512)
        given: dict[str, object] = {"backbone": "none", "random": tiny, "max_items": 6, "max_tokens": 64}
        return Recformer(RecformerConfig.model_validate(given | changes), items).eval()

    return built
