import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.features.hashed_words import HashedWords

TEXTS = st.lists(st.text(max_size=30), min_size=1, max_size=6)


@given(TEXTS)
def test_a_vector_has_length_one_or_is_nothing_and_depends_on_its_text_alone(texts: list[str]) -> None:
    vectors = HashedWords(16).encode(texts)
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.all((lengths == 0) | np.isclose(lengths, 1, atol=1e-5))
    alone = np.concatenate([HashedWords(16).encode([text]) for text in texts])
    assert np.array_equal(vectors, alone)


def test_the_order_of_words_their_case_and_full_stops_do_not_count() -> None:
    one, two = HashedWords().encode(["Red hammer.", "hammer, red"])
    assert np.array_equal(one, two)


def test_texts_that_share_words_are_nearer() -> None:
    base, near, far = HashedWords(256).encode(["red steel hammer", "red steel saw", "blue silk dress"])
    assert base @ near > base @ far


def test_another_width_is_another_encoder() -> None:
    assert HashedWords(64).info.fingerprint != HashedWords(32).info.fingerprint
