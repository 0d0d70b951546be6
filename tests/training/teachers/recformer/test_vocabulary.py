from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import EncoderUnavailable
from training.teachers.recformer.vocabulary import HashedVocabulary, PretrainedVocabulary, vocabulary


@given(st.lists(st.text(max_size=30), max_size=5), st.integers(1, 9))
def test_hashed_words_are_words_of_the_vocabulary_and_never_special(texts: list[str], words: int) -> None:
    hashed = HashedVocabulary(words)
    found = hashed.tokens(texts)
    assert len(found) == len(texts)
    assert all(len(hashed.special) <= token < hashed.size for one in found for token in one)


def test_a_hashed_word_is_one_token_however_it_is_written() -> None:
    assert HashedVocabulary(999).tokens(["Hammer, (hammer)"]) == HashedVocabulary(999).tokens(["HAMMER hammer."])


def test_fingerprints_tell_vocabularies_apart() -> None:
    found = {
        vocabulary("none", 10).fingerprint,
        vocabulary("none", 11).fingerprint,
        vocabulary("minilm", 10).fingerprint,
    }
    assert len(found) == 3
    assert vocabulary("minilm", 1).fingerprint == vocabulary("minilm", 2).fingerprint


def test_minilm_has_its_own_words_and_adds_no_special_ones() -> None:
    minilm = PretrainedVocabulary("minilm")
    hammer, again, nothing = minilm.tokens(["Hammer", "hammer", ""])
    assert hammer == again
    assert nothing == []
    assert not set(hammer) & set(minilm.special)
    assert {minilm.first, minilm.pad, minilm.mask} < set(minilm.special)
    assert minilm.size == 30522
    assert minilm.tokens([]) == []


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match="no tokenizer can be loaded"):
        _ = PretrainedVocabulary(str(tmp_path)).size
