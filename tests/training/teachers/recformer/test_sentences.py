from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.bundle import PAD
from training.items import Item
from training.teachers.recformer.config import RecformerConfig
from training.teachers.recformer.sentences import ItemSentences, TokenType
from training.teachers.recformer.vocabulary import HashedVocabulary

CONFIG = RecformerConfig(backbone="none", attribute_tokens=4)
WORDS = HashedVocabulary(512)
LENGTHS = [0, 3, 1, 7, 2, 12]
"""Tokens of PAD and of items 1 to 5."""
HISTORIES = st.lists(st.lists(st.integers(1, 5), max_size=7), min_size=1, max_size=5)
MAX_ITEMS, MAX_TOKENS = st.integers(1, 8), st.integers(2, 60)


def sentences() -> ItemSentences:
    """Item i's sentence is i * 100, i * 100 + 1, ..: it can be seen where a token comes from."""
    token = np.array([100 * item + place for item, length in enumerate(LENGTHS) for place in range(length)], np.int32)
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    kind = np.full(token.size, TokenType.VALUE, np.int8)
    return ItemSentences(token, kind, offsets, np.zeros(len(LENGTHS), np.bool_), WORDS.first, WORDS.pad)


def padded(histories: list[list[int]], width: int = 7) -> NDArray[np.int64]:
    return np.array([[PAD] * (width - len(one)) + one for one in histories], dtype=np.int64).reshape(-1, width)


def in_words(history: list[int], max_items: int, max_tokens: int) -> tuple[list[int], list[int]]:
    """Tokens and item positions of one sequence, one at a time."""
    tokens, places = [WORDS.first], [0]
    for position, item in enumerate(list(reversed(history))[:max_items], start=1):
        tokens += [100 * item + place for place in range(LENGTHS[item])]
        places += [position] * LENGTHS[item]
    return tokens[:max_tokens], places[:max_tokens]


@given(HISTORIES, MAX_ITEMS, MAX_TOKENS)
def test_a_sequence_is_s_and_the_items_newest_first(
    histories: list[list[int]], max_items: int, max_tokens: int
) -> None:
    batch = sentences().sequences(padded(histories), max_items, max_tokens)
    wanted = [in_words(one, max_items, max_tokens) for one in histories]
    assert batch.token.shape[1] == max(len(tokens) for tokens, _ in wanted)
    for row, (tokens, places) in enumerate(wanted):
        assert batch.token[row][: len(tokens)].tolist() == tokens
        assert batch.item[row][: len(tokens)].tolist() == places
        assert batch.kind[row].tolist()[: len(tokens)] == [TokenType.FIRST] + [TokenType.VALUE] * (len(tokens) - 1)
        assert not batch.present[row][len(tokens) :].any()
        assert bool((batch.token[row][len(tokens) :] == WORDS.pad).all())


@given(HISTORIES, MAX_ITEMS, MAX_TOKENS)
def test_tokens_are_counted_as_they_are_laid_out_and_stay_in_the_budget(
    histories: list[list[int]], max_items: int, max_tokens: int
) -> None:
    count = sentences().count(padded(histories), max_items, max_tokens)
    assert count.tolist() == sentences().sequences(padded(histories), max_items, max_tokens).present.sum(1).tolist()
    assert count.max() <= max_tokens


@given(HISTORIES, MAX_ITEMS, MAX_TOKENS)
def test_the_newest_item_is_never_cut_away(histories: list[list[int]], max_items: int, max_tokens: int) -> None:
    batch = sentences().sequences(padded(histories), max_items, max_tokens)
    for row, history in enumerate(histories):
        assert not history or batch.token[row, 1] == 100 * history[-1]


@given(HISTORIES, st.integers(0, 9), MAX_ITEMS)
def test_more_padding_on_the_left_changes_nothing(histories: list[list[int]], more: int, max_items: int) -> None:
    narrow, wide = (sentences().sequences(padded(histories, width), max_items, 40) for width in (7, 7 + more))
    assert all(torch.equal(getattr(narrow, name), getattr(wide, name)) for name in ("token", "kind", "item"))


@given(st.permutations([1, 2, 3, 4, 5]))
def test_items_beyond_the_newest_are_not_read(older: list[int]) -> None:
    kept = [4, 1]
    found, wanted = (sentences().sequences(padded([one + kept]), 2, 60) for one in (older, [1, 2, 3, 4, 5]))
    assert torch.equal(found.token, wanted.token)


def test_a_padded_place_in_the_middle_takes_no_item_position() -> None:
    found, wanted = (sentences().sequences(np.array([one]), 5, 60) for one in ([3, 0, 1, 0], [0, 0, 3, 1]))
    assert torch.equal(found.token, wanted.token)
    assert torch.equal(found.item, wanted.item)


@given(HISTORIES)
def test_some_rows_of_a_batch_are_the_batch_of_those_rows(histories: list[list[int]]) -> None:
    whole = sentences().sequences(padded(histories), 5, 40)
    for row, history in enumerate(histories):
        alone = sentences().sequences(padded([history]), 5, 40)
        part = whole.rows(torch.tensor([row]))
        assert all(torch.equal(getattr(part, name), getattr(alone, name)) for name in ("token", "kind", "item"))


def test_no_histories_make_an_empty_batch() -> None:
    assert sentences().sequences(padded([]), 5, 40).token.shape == (0, 1)


def read(item: Item, **changes: object) -> tuple[list[int], list[int]]:
    found = ItemSentences.of([item], WORDS, CONFIG.model_copy(update=changes))
    return found.token.tolist(), found.kind.tolist()


def tokens(text: str) -> list[int]:
    (found,) = WORDS.tokens([text])
    return found


def test_an_item_is_keys_and_values_each_cut_together() -> None:
    found, kinds = read(
        Item(item_id="1", title="Big Red Steel Hammer", brand="Acme", categories=("Tools", "Hand tools"))
    )
    attributes = ["title big red steel", "brand acme", "category tools hand tools"]
    assert found == [token for one in attributes for token in tokens(one)]
    key, value = int(TokenType.KEY), int(TokenType.VALUE)
    assert kinds == [key, value, value, value, key, value, key, value, value, value]


def test_attributes_without_a_value_are_left_out_key_and_all() -> None:
    assert read(Item(item_id="1", title=" ", brand="Acme"))[0] == tokens("brand acme")


def test_only_the_attributes_asked_for_are_read_in_their_order() -> None:
    item = Item(item_id="1", title="hammer", brand="acme", categories=("tools",))
    assert read(item, attributes=("category", "title"))[0] == tokens("category tools title hammer")


def test_entities_and_white_space_are_cleaned() -> None:
    assert read(Item(item_id="1", title="nuts &amp;\n bolts"))[0] == tokens("title nuts & bolts")


def test_a_text_of_the_sources_own_stands_for_the_title_where_there_is_nothing_else() -> None:
    assert read(Item(item_id="1", text="steel hammer"))[0] == tokens("title steel hammer")
    assert read(Item(item_id="1", text="steel hammer", brand="acme"))[0] == tokens("brand acme")


def test_an_item_that_says_nothing_is_an_unknown_word_and_is_counted(catalogue: Sequence[Item]) -> None:
    found = ItemSentences.of(catalogue, WORDS, CONFIG)
    assert np.flatnonzero(found.unknown).tolist() == [5]
    assert found.token[found.offsets[5] : found.offsets[6]].tolist() == [WORDS.mask]
    assert found.length[PAD] == 0
    assert found.length[1:].min() > 0


def test_a_catalogue_of_nothing_has_no_sentence() -> None:
    assert ItemSentences.of([], WORDS, CONFIG).offsets.tolist() == [0, 0]


@pytest.mark.parametrize("text", ["", " ", "."])
def test_a_title_without_a_word_is_no_title(text: str) -> None:
    assert read(Item(item_id="1", title=text))[0] == [WORDS.mask]
